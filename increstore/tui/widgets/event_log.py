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
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from increstore.tui.widgets.painting import Brush, Part, Titled, by_words, strip_of, watch_app
from increstore.tui.widgets.tail import show_end
from increstore.view.filters import EventFilter
from increstore.view.history import TROUBLE
from increstore.view.plain import SAMPLES

if TYPE_CHECKING:
    from textual import events

    from increstore.journal import JournalEvent
    from increstore.view.cluster import ClusterView

LOOK_BACK_MAX = 50_000
MATCHES_MAX = 20_000
AT_HAND_MAX = 500
TIME_WIDTH = 10
NODE_WIDTH = 11
REASONS = frozenset({"error", "reason", "says", "why"})
"""Facts that are worth most where there is little room."""
LONG = 30
"""A list that is longer as text is told by its length."""


class EventLog(Titled, ScrollView, can_focus=True):
    """Lines of `12.409  orders/s3  scan.reported  ..`."""

    class Chosen(Message):
        """An event was clicked; `is_opened` by a double click."""

        def __init__(self, index: int, node: str, *, is_opened: bool) -> None:
            super().__init__()
            self.index = index
            self.node = node
            self.is_opened = is_opened

    def __init__(self, *, node: str = "", id: str | None = None) -> None:  # noqa: A002
        """`node`: only what concerns this shard, whatever is selected."""
        super().__init__(id=id)
        self._node = node
        self._matches: list[int] = []
        self._at_hand: dict[int, JournalEvent] = {}
        """The newest matches: what is at the end is painted most, and need not be sought."""
        self._looked_at = 0
        self._of: tuple[object, ...] = ()
        self._look: tuple[object, ...] = ()
        self._began = 0

    def refresh_from(self, view: ClusterView) -> None:
        """Take in the events that are new to the log, and show the last ones."""
        app = watch_app(self)
        history, shown = app.history, app.shown_events
        chosen = self._filter()
        key = (id(history), chosen, shown if app.history_index is not None else None)
        look = (key, app.follows_tail)
        is_other, self._look = look != self._look, look
        if key != self._of:
            self._of = key
            self._matches = []
            self._at_hand = {}
            self._looked_at = max(0, shown - LOOK_BACK_MAX)
        self._began = view.started_at
        if self._take_in(shown, chosen) or is_other:
            self._show_end(chosen)

    def _take_in(self, shown: int, chosen: EventFilter) -> bool:
        """Look at the events up to there; whether any of them is to be shown."""
        history, test = watch_app(self).history, chosen.compile()
        newest = self._matches[-1:]
        shows_all = bool(chosen.text.strip())
        for index, event in enumerate(history.events(self._looked_at, shown), self._looked_at):
            if (shows_all or event.name not in SAMPLES) and test(event):
                self._matches.append(index)
                self._at_hand[index] = event
        del self._matches[:-MATCHES_MAX]
        for index in [*self._at_hand][:-AT_HAND_MAX]:
            del self._at_hand[index]
        self._looked_at = shown
        return self._matches[-1:] != newest

    def _filter(self) -> EventFilter:
        app = watch_app(self)
        chosen = app.event_filter
        node = self._node or chosen.node
        return EventFilter(chosen.text, chosen.only_trouble, node)

    def _show_end(self, chosen: EventFilter) -> None:
        self._grow_to(len(self._matches))
        self._set_title(chosen)
        self._to_the_end()
        self.refresh()

    def _set_title(self, chosen: EventFilter) -> None:
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
        self.retitle(("  ".join(told), Style.null()))

    def _grow_to(self, lines: int) -> None:
        size = Size(0, lines)
        if not self.show_vertical_scrollbar or lines < self.size.height:
            self.virtual_size = size
            return
        # A log that is longer than its box only gets longer: nothing has to be laid out anew.
        self.set_reactive(ScrollView.virtual_size, size)
        self.vertical_scrollbar.window_virtual_size = lines

    def _to_the_end(self) -> None:
        if watch_app(self).follows_tail:
            show_end(self)

    def on_resize(self) -> None:
        """More room above, or less: the newest event stays the last line."""
        self.call_after_refresh(self._to_the_end)

    # --- Looking back by hand leaves the tail; at the end it is followed again.

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.is_vertical_scroll_end and self._matches:
            self._follow(True)

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._follow(False)
        super()._on_mouse_scroll_up(event)

    def action_scroll_up(self) -> None:
        self._follow(False)
        super().action_scroll_up()

    def action_page_up(self) -> None:
        self._follow(False)
        super().action_page_up()

    def action_scroll_home(self) -> None:
        self._follow(False)
        super().action_scroll_home()

    def _follow(self, follows: bool) -> None:
        app = watch_app(self)
        if app.follows_tail != follows and self.max_scroll_y:
            app.follows_tail = follows
            self._set_title(self._filter())

    # --- Painting.

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        width = self.size.width
        if not 0 <= row < len(self._matches):
            return Strip.blank(width, self.rich_style)
        index = self._matches[row]
        event = self._at_hand.get(index) or watch_app(self).history.event(index)
        return strip_of(self._parts(Brush(self), event), width, self.rich_style)

    def _parts(self, brush: Brush, event: JournalEvent) -> list[Part]:
        is_trouble = event.name in TROUBLE
        room = self.scrollable_content_region.width
        room -= TIME_WIDTH + max(len(event.node), NODE_WIDTH) + len(event.name) + 2
        facts = by_words(self._told(event, room), room, is_ascii=brush.is_ascii)
        return [
            (f"{(event.at - self._began) / 1e9:9.3f} ", brush.role("calm")),
            (f"{event.node:<{NODE_WIDTH}} ", Style(bold=True)),
            (f"{event.name} ", brush.role("bad") if is_trouble else Style.null()),
            (facts, brush.role("calm")),
        ]

    def _told(self, event: JournalEvent, room: int) -> str:
        """All its facts; where not all have room, those first that tell why."""
        names = [*event.facts]
        told = [self._fact(name, event.facts[name]) for name in names]
        text = " ".join(told)
        if len(text) <= room:
            return text
        ranked = sorted(range(len(names)), key=lambda place: names[place] not in REASONS)
        return " ".join(told[place] for place in ranked)

    def _fact(self, name: str, value: object) -> str:
        """A fact in a few characters: times since the start, lists by their length."""
        if name.endswith("_at") and isinstance(value, int) and self._began:
            return f"{name}={(value - self._began) / 1e9:.3f}"
        if isinstance(value, list | tuple | dict) and len(str(value)) > LONG:
            return f"{name}[{len(value)}]"
        return f"{name}={' '.join(str(value).split())}"

    # --- Clicks.

    def on_click(self, event: events.Click) -> None:
        """One selects the event's shard; two look at the moment after the event."""
        offset = event.get_content_offset(self)
        row = -1 if offset is None else offset.y + self.scroll_offset.y
        if 0 <= row < len(self._matches):
            index = self._matches[row]
            node = watch_app(self).history.event(index).node
            self.post_message(self.Chosen(index, node, is_opened=event.chain > 1))
