"""Faults: what is injected now, what has struck, and how often."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.style import Style
from textual.message import Message

from increstore.tui.widgets.painting import (
    Brush,
    Lines,
    Part,
    Titled,
    by_words,
    seconds,
    watch_app,
)
from increstore.view.shards import hits_of

if TYPE_CHECKING:
    from textual import events

    from increstore.view.cluster import ClusterView
    from increstore.view.shards import FaultView


TABLES = re.compile(r"[^\s>]+/")
"""Of shards' names what comes before the last part: `orders/s1>orders/t0` is `s1>t0`."""
WORD_LEAST = 6
"""With less room no word of where or what is begun."""


class FaultStrip(Titled, Lines):
    """The newest faults, active ones first: one a line, or all in the only line there is."""

    class Chosen(Message):
        """A fault was clicked."""

        def __init__(self, fault: str) -> None:
            super().__init__()
            self.fault = fault

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._places: dict[int, list[tuple[int, int, str]]] = {}
        """By line: from and to which column which fault is shown."""

    def refresh_from(self, view: ClusterView) -> None:
        faults = sorted(view.faults.values(), key=lambda f: (f.state != "active", -f.at))
        active = sum(fault.state == "active" for fault in faults)
        role = Brush(self).role("bad") if active else Style.null()
        over = (f", {len(faults) - active} over", Style.null())
        self.retitle(("faults ", Style.null()), (f"{active} active", role), over)
        self._places = {}
        if not faults:
            self.show([[(f" {self._when_none()}", Brush(self).role("calm"))]])
        elif self.size.height <= 1:
            self.show([self._in_one_line(view, faults)])
        else:
            self.show([self._line(view, fault, y) for y, fault in enumerate(faults)])

    def _when_none(self) -> str:
        can = watch_app(self).playback.can
        return "no fault; f injects one" if "inject" in can else "no fault so far"

    def _in_one_line(self, view: ClusterView, faults: list[FaultView]) -> list[Part]:
        brush, parts, column = Brush(self), list[Part](), 0
        self._places[0] = []
        for fault in faults:
            told = self._told(brush, view, fault)
            width = sum(len(text) for text, _ in told)
            self._places[0].append((column, column + width, fault.id))
            parts += [*told, (" |", brush.role("calm"))]
            column += width + 2
        return parts[:-1]

    def _line(self, view: ClusterView, fault: FaultView, y: int) -> list[Part]:
        self._places[y] = [(0, self.size.width, fault.id)]
        return self._told(Brush(self), view, fault)

    def _told(self, brush: Brush, view: ClusterView, fault: FaultView) -> list[Part]:
        app = watch_app(self)
        is_active, is_chosen = fault.state == "active", fault.id == app.selected_fault
        ended = fault.ended_at if fault.ended_at is not None else app.now_ns
        hits = f" x{hits_of(fault)}" if fault.hits > 1 else ""
        state = seconds(max(0, ended - fault.at)) if is_active else fault.state
        told = [
            (" ! " if is_active else " - ", brush.role("bad" if is_active else "calm")),
            (fault.id, Style(bold=is_chosen, reverse=is_chosen)),
            (f" {fault.kind}{hits}", brush.role("bad" if is_active else "calm")),
            (f" {state}", brush.role("calm")),
        ]
        room = self.size.width - sum(len(text) for text, _ in told)
        # Whole words: the screen of faults has the rest.
        for text, style in ((fault.where, Style.null()), (fault.detail, brush.role("calm"))):
            if text and room > WORD_LEAST:
                short = text if len(text) < room else TABLES.sub("", text)
                text = f" {by_words(short, room - 1, is_ascii=brush.is_ascii)}"
                told.append((text, style))
                room -= len(text)
        return told

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None:
            for start, end, fault in self._places.get(offset.y, ()):
                if start <= offset.x < end:
                    self.post_message(self.Chosen(fault))
