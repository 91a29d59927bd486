"""Shards as a grid of cells, for four of them or a thousand.

Rules of this file:
- Only lines that are on the screen are painted, and only when a shard on them has changed.
- `grid_layout` tells where a cell lies and how wide it is; here it is painted and clicked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from increstore.tui.widgets.grid_layout import NARROW, WIDE, GridLayout, GridRow, lay_out
from increstore.tui.widgets.grid_title import StateCount, tell_counts
from increstore.tui.widgets.painting import (
    REPORTING,
    Brush,
    Part,
    Titled,
    count,
    strip_of,
    watch_app,
    word_of,
)
from increstore.view.glyphs import look_of

if TYPE_CHECKING:
    from textual import events

    from increstore.view.cluster import ClusterView
    from increstore.view.shards import ShardView

BAR_LEAST = 6
TITLE_FRAME = 6
"""Cells of a border's upper line that are not its title's."""
ROWS_PART = {"source": (5, 4), "target": (6, 3)}
"""A grid takes a fifth (a sixth) of the screen's lines, at least so many; then its cells shrink,
and what does not fit even so is scrolled."""


class ShardGrid(Titled, ScrollView, can_focus=True):
    """The shards of one role."""

    BINDINGS: ClassVar = [
        Binding("left,h", "move(-1, 0)", "left", show=False),
        Binding("right", "move(1, 0)", "right", show=False),
        Binding("up,k", "move(0, -1)", "up", show=False),
        Binding("down,j", "move(0, 1)", "down", show=False),
    ]

    class Selected(Message):
        """A shard was chosen by an arrow key or a click; `is_opened` by a double click."""

        def __init__(self, shard: str, *, is_opened: bool) -> None:
            super().__init__()
            self.shard = shard
            self.is_opened = is_opened

    def __init__(self, role: str, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._role = role
        self._names: list[str] = []
        self._places: dict[str, int] = {}
        self._layout_of: tuple[object, ...] = ()
        self._grid = GridLayout(WIDE, 0, ())
        self._view: ClusterView | None = None
        self._selected: str | None = None
        self._reporting: dict[str, None] = {}
        """Those whose report is on its way: not to have it becomes an alarm by time alone."""

    # --- Views.

    def refresh_from(self, view: ClusterView) -> None:
        """Repaint what has changed."""
        is_other = view is not self._view or watch_app(self).selection != self._selected
        self._view, self._selected = view, watch_app(self).selection
        if self._lay_out(view) or is_other:
            self._set_title(view)
            self.refresh()
            return
        names = {**view.dirty, **self._overdue(view)}
        changed = [self._places[name] for name in names if name in self._places]
        if changed:
            self._set_title(view)
        for row in dict.fromkeys(self._grid.row_of(place) for place in changed):
            self.refresh(Region(0, row - self.scroll_offset.y, self.size.width, 1))

    def _overdue(self, view: ClusterView) -> dict[str, None]:
        """Those whose report was on its way when the title was painted, and is missed now."""
        now = watch_app(self).now_ns
        return {
            name: None
            for name in self._reporting
            if name in view.shards and word_of(view.shards[name], now) != REPORTING
        }

    def _lay_out(self, view: ClusterView) -> bool:
        """Where the cells lie now; whether that is elsewhere than before."""
        width = self.scrollable_content_region.width
        key = (len(view.shards), width, self.screen.size.height, id(view))
        if key == self._layout_of:
            return False
        self._layout_of = key
        tables: dict[str, list[str]] = {}
        for shard in view.shards.values():
            if shard.role == self._role:
                tables.setdefault(shard.table, []).append(shard.name)
        # Without a plan they are known in the order in which they were first heard of.
        self._names = [
            name for names in tables.values() for name in sorted(names, key=lambda n: (len(n), n))
        ]
        self._places = {name: place for place, name in enumerate(self._names)}
        part, least = ROWS_PART[self._role]
        rows_max = max(least, self.screen.size.height // part)
        sizes = [(table, len(names)) for table, names in tables.items()]
        longest = max((len(view.shards[name].short) for name in self._names), default=0)
        self._grid = lay_out(sizes, width, rows_max, longest)
        self.styles.max_height = rows_max + 2
        self.virtual_size = Size(0, len(self._grid.rows))
        return True

    def _set_title(self, view: ClusterView) -> None:
        now = watch_app(self).now_ns
        brush, plain = Brush(self), Style.null()
        counts: dict[str, StateCount] = {}
        self._reporting = {}
        for name in self._names:
            shard = view.shards[name]
            word = word_of(shard, now)
            if word == REPORTING:
                self._reporting[name] = None
            known = counts.get(word)
            role = "wait" if word == REPORTING else look_of(shard.state).role
            counts[word] = (
                known.one_more() if known else StateCount(word, role, brush.shard(shard, now))
            )
        head = f"{self._role}s {len(self._names)} "
        room = self.outer_size.width - TITLE_FRAME - len(head)
        told: list[Part] = []
        for chosen in self._chosen_words(view, now):
            told = tell_counts([*counts.values()], room - len(chosen))
            if len(told) > 1:  # The gravest state is worth more than what is marked anyway.
                break
        self.retitle((head, plain), *told, (chosen, Style(bold=True)))

    def _chosen_words(self, view: ClusterView, now: int) -> list[str]:
        """The selected shard and its state, in ever fewer words."""
        chosen = view.shards.get(self._selected or "")
        if chosen is None or chosen.role != self._role:
            return [""]
        word = word_of(chosen, now)
        return [f"   {chosen.name}: {word}", f"   {chosen.short}: {word}", f"   {chosen.short}", ""]

    # --- Painting.

    def render_line(self, y: int) -> Strip:
        view, width = self._view, self.size.width
        number = y + self.scroll_offset.y
        if view is None or number >= len(self._grid.rows):
            return Strip.blank(width, self.rich_style)
        brush = Brush(self)
        row = self._grid.rows[number]
        parts = self._label(brush, row)
        for name in self._names[row.start : row.stop]:
            # Of a past that is shorter, for the moment until it is laid out.
            shard = view.shards.get(name)
            parts += self._cell(brush, shard) if shard is not None else []
        return strip_of(parts, width, self.rich_style)

    def _label(self, brush: Brush, row: GridRow) -> list[Part]:
        width = self._grid.label
        if not width:
            return []
        return [(_shortened(row.label, width - 1, brush).ljust(width), brush.role("calm"))]

    def _cell(self, brush: Brush, shard: ShardView) -> list[Part]:
        glyph, style = brush.shard(shard, watch_app(self).now_ns)
        is_selected = shard.name == self._selected
        mark = Style(bold=True, reverse=True) if is_selected else Style.null()
        cell = self._grid.cell
        if cell == NARROW:
            return [(f"{glyph} ", style + mark)]
        name = [(glyph, style), (" ", Style.null())]
        if cell < WIDE:
            return _padded([*name, (shard.short, mark)], cell)
        is_alone = self._grid.label or self._view is None or len(self._view.table_names()) == 1
        label = shard.short if is_alone else _shortened(shard.name, cell - BAR_LEAST - 4, brush)
        room = cell - len(label) - 4
        progress = self._progress(brush, shard, room)
        return _padded([*name, (label, mark), (" ", Style.null()), *progress], cell)

    def _progress(self, brush: Brush, shard: ShardView, room: int) -> list[Part]:
        """What is applied: of a target in rows, and the batches not yet; of a source as a bar."""
        if shard.role == "target":
            late = f" -{shard.unapplied}" if shard.unapplied else ""
            return [(count(shard.rows_applied), brush.role("calm")), (late, brush.role("wait"))]
        if not shard.rows_scanned:
            return []
        role = "good" if shard.state == "reported" else "busy"
        return brush.bar(shard.rows_applied / shard.rows_scanned, max(room, BAR_LEAST), role)

    # --- Selecting.

    def action_move(self, right: int, down: int) -> None:
        """To a neighbour; to the first one when none here is selected yet."""
        if not self._names:
            return
        place = self._places.get(self._selected or "")
        wanted = 0 if place is None else self._grid.neighbour(place, right, down)
        self.choose(self._names[wanted])

    def choose(self, name: str, *, is_opened: bool = False) -> None:
        """Select a shard, and bring it onto the screen."""
        row = self._grid.row_of(self._places[name])
        self.scroll_to_region(Region(0, row, 1, 1), animate=False)
        self.post_message(self.Selected(name, is_opened=is_opened))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None:
            place = self._grid.at(offset.y + self.scroll_offset.y, offset.x)
            if place is not None:
                self.choose(self._names[place], is_opened=event.chain > 1)


def _shortened(name: str, width: int, brush: Brush) -> str:
    """The name, its middle left out when it is too long: ends tell shards apart."""
    if len(name) <= width:
        return name
    kept = width - 1
    end = kept - kept // 2
    return f"{name[: kept // 2]}{'~' if brush.is_ascii else '…'}{name[-end:]}"


def _padded(parts: list[Part], width: int) -> list[Part]:
    """So many cells; what is too long is cut."""
    fitted: list[Part] = []
    room = width - 1
    for text, style in parts:
        fitted.append((text[:room], style))
        room -= min(len(text), room)
    return [*fitted, (" " * (room + 1), Style.null())]
