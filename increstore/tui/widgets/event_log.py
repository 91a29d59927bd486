"""The log: the events that pass the filter, newest at the bottom, up to the moment that is shown.

Rules of this file:
- Nothing is filtered twice: matches are collected as events arrive, and anew when the filter or the
  past has changed; of a long past the last `LOOK_BACK_MAX` events are looked at.
- Samples and messages are left out unless they are asked for, so that facts are not drowned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from increstore.tui.widgets.painting import Brush, Part, strip_of, watch_app
from increstore.view.filters import EventFilter
from increstore.view.history import TROUBLE
from increstore.view.plain import SAMPLES

if TYPE_CHECKING:
    from increstore.journal import JournalEvent
    from increstore.view.cluster import ClusterView

LOOK_BACK_MAX = 50_000
MATCHES_MAX = 20_000


class EventLog(ScrollView, can_focus=True):
    """Lines of `12.409  orders/s3  scan.reported  ..`."""

    def __init__(self, *, node: str = "", id: str | None = None) -> None:  # noqa: A002
        """`node`: only what concerns this shard, whatever is selected."""
        super().__init__(id=id)
        self._node = node
        self._matches: list[int] = []
        self._looked_at = 0
        self._of: tuple[object, ...] = ()
        self._began = 0

    def refresh_from(self, view: ClusterView) -> None:
        """Take in the events that are new to the log, and show the last ones."""
        app = watch_app(self)
        history, shown = app.history, app.shown_events
        chosen = self._filter()
        key = (id(history), chosen, shown if app.history_index is not None else None)
        if key != self._of:
            self._of = key
            self._matches = []
            self._looked_at = max(0, shown - LOOK_BACK_MAX)
        if shown == self._looked_at and self._matches:
            return
        test = chosen.compile()
        shows_all = bool(chosen.text.strip())
        for index in range(self._looked_at, shown):
            event = history.event(index)
            if (shows_all or event.name not in SAMPLES) and test(event):
                self._matches.append(index)
        del self._matches[:-MATCHES_MAX]
        self._looked_at, self._began = shown, view.started_at
        self._show_end(chosen)

    def _filter(self) -> EventFilter:
        app = watch_app(self)
        chosen = app.event_filter
        node = self._node or chosen.node
        return EventFilter(chosen.text, chosen.only_trouble, node)

    def _show_end(self, chosen: EventFilter) -> None:
        self.virtual_size = Size(0, len(self._matches))
        app = watch_app(self)
        told = [f"events {len(self._matches)}"]
        if chosen.node:
            told.append(f"of {chosen.node}")
        if chosen.text:
            told.append(f"/{chosen.text}")
        if chosen.only_trouble:
            told.append("only trouble")
        if not app.follows_tail:
            told.append("tail off")
        self.border_title = "  ".join(told)
        if app.follows_tail:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def show_index(self, index: int) -> None:
        """Bring the event of this index onto the screen, if it passes the filter."""
        if index in self._matches:
            self.scroll_to(y=self._matches.index(index), animate=False)

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        width = self.size.width
        if not 0 <= row < len(self._matches):
            return Strip.blank(width, self.rich_style)
        event = watch_app(self).history.event(self._matches[row])
        return strip_of(self._parts(Brush(self), event), width, self.rich_style)

    def _parts(self, brush: Brush, event: JournalEvent) -> list[Part]:
        role = "bad" if event.name in TROUBLE else "calm"
        facts = " ".join(f"{name}={_told(value)}" for name, value in event.facts.items())
        return [
            (f"{(event.at - self._began) / 1e9:9.3f} ", brush.role("calm")),
            (f"{event.node} ", Style(bold=True)),
            (f"{event.name} ", brush.role(role) if role == "bad" else Style.null()),
            (facts, brush.role("calm")),
        ]


def _told(value: object) -> str:
    """A fact in one line."""
    return " ".join(str(value).split())
