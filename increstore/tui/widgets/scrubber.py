"""Where in time the view is: one line over the whole run, with what happened when.

    0 s |-1----2--x!-[===>......3............] 70.5 s   event 4 812 of 8 905

A digit is the start of an incremental, `x` a crash, `!` other trouble, `>` what is shown. A click
looks at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from increstore.tui.widgets.painting import Brush, Lines, count, seconds, watch_app

if TYPE_CHECKING:
    from textual import events

    from increstore.view.cluster import ClusterView
    from increstore.view.history import History

MARKS_MOST = 400
"""Troubles that are looked at for one painting; more of them lie in the same cells."""


class Scrubber(Lines):
    """One row; hidden while the present of a live source is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._bar_start = 0
        self._bar_width = 1

    def refresh_from(self, view: ClusterView) -> None:
        app = watch_app(self)
        status = app.playback.status
        self.display = app.history_index is not None or "seek" in app.playback.can
        if not self.display or not len(app.history):
            return
        brush = Brush(self)
        began = app.history.time_of(0)
        ends = max(status.ends_ns or 0, app.history.time_of(len(app.history) - 1), began + 1)
        total = status.events_total or len(app.history)
        head = f" {seconds(view.elapsed_ns)} "
        tail = f" {seconds(ends - began)}  event {count(app.shown_events)} of {count(total)} "
        width = max(self.size.width - len(head) - len(tail) - 2, 10)
        self._bar_start, self._bar_width = len(head) + 1, width
        bar = self._bar(app.history, view, began, ends, width)
        here = self._cell(view.now, began, ends, width)
        self.show([[
            (head, Style(bold=True)),
            ("[", brush.role("calm")),
            (bar[:here], brush.role("busy")),
            ("▶" if not brush.is_ascii else ">", brush.role("alarm")),
            (bar[here + 1 :], brush.role("calm")),
            ("]", brush.role("calm")),
            (tail, brush.role("calm")),
        ]])  # fmt: skip

    def _bar(self, history: History, view: ClusterView, began: int, ends: int, width: int) -> str:
        here = self._cell(view.now, began, ends, width)
        cells = ["="] * here + ["."] * (width - here)
        for one in history.live.incrementals:
            if one.started_at is not None:
                cells[self._cell(one.started_at, began, ends, width)] = str(one.number)[-1]
        index: int | None = -1
        for _ in range(MARKS_MOST):
            index = history.next_trouble(index) if index is not None else None
            if index is None:
                break
            mark = "x" if history.event(index).name == "node.crashed" else "!"
            cells[self._cell(history.time_of(index), began, ends, width)] = mark
        return "".join(cells)

    def _cell(self, at: int, began: int, ends: int, width: int) -> int:
        return min(max((at - began) * width // (ends - began), 0), width - 1)

    def on_click(self, event: events.Click) -> None:
        """Look at the moment that was clicked."""
        app = watch_app(self)
        place = event.x - self._bar_start
        if not 0 <= place < self._bar_width or not len(app.history):
            return
        began = app.history.time_of(0)
        ends = max(app.playback.status.ends_ns or 0, app.history.time_of(len(app.history) - 1))
        at = began + (ends - began) * place // self._bar_width
        app.look_at(app.history.count_at(at))
