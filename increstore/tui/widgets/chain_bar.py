"""The chain as a line: which incrementals are done, which runs, which wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style
from textual.message import Message

from increstore.tui.widgets.painting import Brush, Lines, Part, watch_app

if TYPE_CHECKING:
    from textual import events

    from increstore.view.cluster import ClusterView
    from increstore.view.shards import IncrementalView

BOX_LEAST = 6
"""Cells of the shortest box, with its joint."""


class ChainBar(Lines):
    """`[+ full 12/12]=[> inc2 7/12]-[. inc3 0/12]`, around the one that runs."""

    class Chosen(Message):
        """An incremental was clicked."""

        def __init__(self, incremental: int) -> None:
            super().__init__()
            self.incremental = incremental

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._places: list[tuple[int, int, int]] = []
        """From and to which column which incremental is shown."""

    def refresh_from(self, view: ClusterView) -> None:
        brush = Brush(self)
        self._places = []
        if not view.incrementals:
            self.show([[(" the chain is not known yet", brush.role("calm"))]])
            return
        looked_at = watch_app(self).selected_incremental
        running = min(max(view.incremental, 0), len(view.incrementals) - 1)
        # Of a long chain only those that could fit are made.
        fit = self.size.width // BOX_LEAST + 1
        boxes = {
            one.number: self._box(brush, one, one.number == looked_at)
            for one in view.incrementals[max(0, running - fit) : running + fit + 1]
        }
        self.show([self._fitting(boxes, running, len(view.incrementals), brush)])

    def _box(self, brush: Brush, one: IncrementalView, is_looked_at: bool) -> list[Part]:
        name = "full" if one.number == 0 else f"inc{one.number}"
        counts = f" {len(one.reported)}/{one.expected}" if one.expected else ""
        retries = f" ~{one.retries}" if one.retries else ""
        style = Style(bold=is_looked_at, underline=is_looked_at)
        return [
            ("[", brush.role("calm")),
            brush.state(one.state),
            (f" {name}", style),
            (counts, brush.role("good" if one.state == "done" else "busy")),
            (retries, brush.role("wait")),
            ("]", brush.role("calm")),
        ]

    def _fitting(
        self, boxes: dict[int, list[Part]], running: int, total: int, brush: Brush
    ) -> list[Part]:
        """As many boxes as fit, the running one among them; the others are counted."""
        widths = {number: sum(len(text) for text, _ in box) + 1 for number, box in boxes.items()}
        room = max(self.size.width - 18, 12)
        first = last = running
        used = widths[first]
        while True:
            if last + 1 in widths and used + widths[last + 1] <= room:
                last += 1
                used += widths[last]
            elif first - 1 in widths and used + widths[first - 1] <= room:
                first -= 1
                used += widths[first]
            else:
                break
        line: list[Part] = [(f" {first} done " if first else " ", brush.role("calm"))]
        column = len(line[0][0])
        for number in range(first, last + 1):
            line += boxes[number]
            self._places.append((column, column + widths[number], number))
            column += widths[number]
            joint = "=" if number < running else "-"
            line.append((joint if number < total - 1 else " ", brush.role("calm")))
        rest = total - 1 - last
        return [*line, (f" {rest} more" if rest else "", brush.role("calm"))]

    def on_click(self, event: events.Click) -> None:
        for start, end, number in self._places:
            if start <= event.x < end - 1:
                self.post_message(self.Chosen(number))
