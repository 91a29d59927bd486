"""The space-time diagram: a lane a node, time downwards, an arrow a message.

Rules of this file:
- A row is one message: it leaves its sender's lane when it was sent, and an arrow leads to the lane
  of its receiver. What became of it stands beside it: heard after how long, lost and why, doubled.
- Lanes are the nodes that have most to do with what is shown; the others are counted. The selected
  node always has one.
- `collapse` leaves out what went well, so that what did not can be seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from increstore.tui.widgets.painting import Brush, Part, by_words, strip_of, watch_app
from increstore.tui.widgets.tail import show_end
from increstore.view.messages import MessageView, pair

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView

WINDOW_EVENTS = 6_000
"""Events up to the moment that is shown, of which messages are looked for."""
LANE_WIDTH = 9
FATE_WIDTH = 10
TEXT_LEAST, TEXT_PART = 37, 0.4
TITLE_FRAME = 6
STATES = ("lost", "unheard", "late", "duplicate", "open", "heard")
"""What may become of a message, the gravest first."""
TROUBLE_STATES = ("lost", "late", "unheard", "duplicate")
_DRAWN = ("│", "─", "▶", "◀", "×", "·")  # noqa: RUF001 - a glyph, not a letter
_ASCII = ("|", "-", ">", "<", "x", ".")
_ROLE = {"heard": "busy", "open": "wait", "lost": "bad", "late": "wait", "duplicate": "cut",
         "unheard": "bad"}  # fmt: skip


class SpaceTime(ScrollView, can_focus=True):
    """Messages between nodes."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self.is_collapsed = False
        self._rows: list[MessageView] = []
        self._lanes: list[str] = []
        self._names: dict[str, str] = {}
        self._hidden = 0
        self._of: tuple[object, ...] = ()
        self._began = 0

    def refresh_from(self, view: ClusterView) -> None:
        """Pair the messages up to the moment shown, when that is another one than before."""
        app = watch_app(self)
        key = (
            id(app.history), app.shown_events, app.selection, app.event_filter, self.is_collapsed,
            self.size.width,
        )  # fmt: skip
        if key == self._of:
            return
        self._of = key
        self._began = view.started_at
        self._rows = self._chosen()
        self._choose_lanes(view)
        self.virtual_size = Size(0, len(self._rows) + 1)
        self._set_title()
        if app.follows_tail:
            show_end(self)
        self.refresh()

    def _chosen(self) -> list[MessageView]:
        """The messages that the selection, the filter and the collapsing leave."""
        app = watch_app(self)
        start = max(0, app.shown_events - WINDOW_EVENTS)
        events = enumerate(app.history.events(start, app.shown_events), start)
        messages = pair(events, app.now_ns)
        if app.selection is not None:
            messages = [m for m in messages if app.selection in (m.sender, m.receiver)]
        words = [word.lower() for word in app.event_filter.text.split()]
        messages = [m for m in messages if _matches(m, words)]
        if self.is_collapsed or app.event_filter.only_trouble:
            messages = [m for m in messages if m.state in TROUBLE_STATES]
        return messages

    def _choose_lanes(self, view: ClusterView) -> None:
        """As many nodes as there is room for: the coordinator, the selection, the busiest."""
        weight: dict[str, int] = {}
        for message in self._rows:
            more = 50 if message.state in TROUBLE_STATES else 1
            for node in (message.sender, message.receiver):
                weight[node] = weight.get(node, 0) + more
        selection = watch_app(self).selection
        width = self.size.width
        room = max(2, (width - max(TEXT_LEAST, round(width * TEXT_PART)) - 10) // LANE_WIDTH)
        first = [name for name in ("coordinator", selection) if name in weight]
        ranked = sorted(weight, key=lambda name: -weight[name])
        chosen = list(dict.fromkeys([*first, *ranked]))[:room]
        order = {name: place for place, name in enumerate(view.shards)}
        self._lanes = sorted(chosen, key=lambda name: (name != "coordinator", order.get(name, 0)))
        self._hidden = len(weight) - len(self._lanes)
        self._names = {name: _short(name, len(view.table_names())) for name in self._lanes}

    def _set_title(self) -> None:
        states: dict[str, int] = {}
        for message in self._rows:
            states[message.state] = states.get(message.state, 0) + 1
        told = [f"messages {len(self._rows)} "]
        told += ["only what went wrong "] if self.is_collapsed else []
        told += [f"{states[name]} {name}" for name in STATES if name in states]
        told += [f" {self._hidden} nodes have no lane"] if self._hidden > 0 else []
        room = self.outer_size.width - TITLE_FRAME
        while len(told) > 1 and len("  ".join(told)) > room:
            del told[-1]  # Whole: a number that is cut is another number.
        self.border_title = "  ".join(told)

    # --- Painting.

    def render_line(self, y: int) -> Strip:
        brush, width = Brush(self), self.size.width
        row = y + self.scroll_offset.y
        if y == 0:
            return strip_of(self._head(brush), width, self.rich_style)
        if not 0 < row <= len(self._rows):
            return Strip.blank(width, self.rich_style)
        return strip_of(self._line(brush, self._rows[row - 1]), width, self.rich_style)

    def _head(self, brush: Brush) -> list[Part]:
        selection = watch_app(self).selection
        parts: list[Part] = [(f"{'time':>9} ", brush.role("calm"))]
        for name in self._lanes:
            style = Style(bold=True, reverse=name == selection)
            parts.append((f"{self._names[name]:^{LANE_WIDTH}}", style))
        return parts

    def _line(self, brush: Brush, message: MessageView) -> list[Part]:
        at = message.sent_at if message.sent_at is not None else message.heard_at or 0
        style = brush.role(_ROLE.get(message.state, "calm"))
        line = [(f"{(at - self._began) / 1e9:9.3f} ", brush.role("calm"))]
        line += self._drawn(brush, message, style)
        room = self.scrollable_content_region.width - sum(len(text) for text, _ in line)
        told = self._told_lost if message.why else self._told
        return [*line, *told(brush, message, style, room)]

    def _told(self, brush: Brush, message: MessageView, style: Style, room: int) -> list[Part]:
        """What became of it, and what it is about."""
        ends = self._ends(message)
        about = message.summary.removeprefix(message.kind)
        room -= FATE_WIDTH + 2 + len(ends) + len(message.kind)
        return [
            (f" {_fate(message):<{FATE_WIDTH}} ", style),
            (ends, brush.role("calm")),
            (message.kind, Style.null()),
            (by_words(about, room, is_ascii=brush.is_ascii), brush.role("calm")),
        ]

    def _told_lost(self, brush: Brush, message: MessageView, style: Style, room: int) -> list[Part]:
        """Why it was lost, whole; then what there is room for of what it was."""
        fate = by_words(f" LOST: {message.why} ", room, is_ascii=brush.is_ascii)
        ends = self._ends(message)
        room -= len(fate) + len(ends)
        what = message.summary
        if len(message.kind) > room:
            what = _first_word(message.kind)
        return [
            (fate, style),
            (ends, brush.role("calm")),
            (by_words(what, room, is_ascii=brush.is_ascii), Style.null()),
        ]

    def _ends(self, message: MessageView) -> str:
        """Who says it to whom, where the lanes do not tell."""
        if message.sender in self._names and message.receiver in self._names:
            return ""
        return f"{_last(message.sender)}>{_last(message.receiver)} "

    def _drawn(self, brush: Brush, message: MessageView, style: Style) -> list[Part]:
        """All lanes as one line: bars, and the arrow between two of them."""
        glyphs = _ASCII if brush.is_ascii else _DRAWN
        half = LANE_WIDTH // 2
        lane = " " * half + glyphs[0] + " " * (LANE_WIDTH - half - 1)
        lanes = lane * len(self._lanes)
        middles = {name: n * LANE_WIDTH + half for n, name in enumerate(self._lanes)}
        ends = [middles.get(message.sender), middles.get(message.receiver)]
        known = [place for place in ends if place is not None]
        if not known:
            return [(lanes, brush.role("calm"))]
        low, high = min(known), max(known) + 1
        arrow = "o" if len(known) == 1 else _arrow(known[0], known[1], message.state, glyphs)
        return [
            (lanes[:low], brush.role("calm")),
            (arrow, style),
            (lanes[high:], brush.role("calm")),
        ]


def _arrow(start: int, end: int, state: str, glyphs: tuple[str, ...]) -> str:
    """From the lane at `start` to that at `end`, both included; a lost one does not arrive."""
    bar, dash, right, left, cross, dot = glyphs
    length = abs(end - start) - 1
    if state in ("lost", "unheard"):
        line = "".join(dot if place % 2 else " " for place in range(length))
        line, head = line[: length // 2] + cross + line[length // 2 + 1 :], bar
    else:
        line, head = dash * length, right if end > start else left
    return f"o{line}{head}" if end > start else f"{head}{line}o"


def _first_word(kind: str) -> str:
    """`Completion` of `CompletionNotification`."""
    return next(iter(re.findall(r"[A-Z][a-z]+", kind)), kind)


def _last(name: str) -> str:
    return "coord" if name == "coordinator" else name.rpartition("/")[2]


def _short(name: str, tables: int) -> str:
    """A node's name for a lane: `coord`, `s1`, or `ord/s1` when there are several tables."""
    table, _, last = name.rpartition("/")
    if not table:
        return name[: LANE_WIDTH - 1] if name != "coordinator" else "coord"
    if tables <= 1:
        return last
    return f"{table.rpartition('/')[2][: LANE_WIDTH - 3 - len(last)]}/{last}"


def _matches(message: MessageView, words: list[str]) -> bool:
    told = f"{message.summary} {message.sender} {message.receiver} {message.state}".lower()
    return all(word[1:] not in told if word.startswith("!") else word in told for word in words)


def _fate(message: MessageView) -> str:
    """What became of it."""
    if message.state in ("heard", "late") and message.sent_at is not None:
        assert message.heard_at is not None
        took = (message.heard_at - message.sent_at) / 1e6
        return f"{'LATE ' if message.state == 'late' else ''}{took:,.1f} ms"
    if message.state == "lost":
        return "LOST"
    return {"duplicate": "DOUBLED", "unheard": "NOT HEARD"}.get(message.state, "on its way")
