"""Shards as a grid of cells, for four of them or a thousand.

Rules of this file:
- Only lines that are on the screen are painted, and only when a shard on them has changed.
- A cell is wide (glyph, name, bar) while there is room, and narrow (glyph and number, or the glyph
  alone) when there are many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from increstore.tui.widgets.painting import Brush, Part, count, strip_of, watch_app

if TYPE_CHECKING:
    from textual import events

    from increstore.view.cluster import ClusterView
    from increstore.view.shards import ShardView

WIDE, MIDDLE, NARROW = 18, 6, 2
WIDE_MAX, MIDDLE_MAX = 48, 240
"""Shards up to which cells are so wide."""
BAR = 6


class ShardGrid(ScrollView, can_focus=True):
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
        self._view: ClusterView | None = None
        self._selected: str | None = None

    # --- Views.

    def refresh_from(self, view: ClusterView) -> None:
        """Repaint what has changed."""
        shards = [shard.name for shard in view.shards.values() if shard.role == self._role]
        is_other = view is not self._view or watch_app(self).selection != self._selected
        self._view, self._selected = view, watch_app(self).selection
        if shards != self._names:
            self._names = shards
            self._places = {name: place for place, name in enumerate(shards)}
            is_other = True
        self._set_title(view)
        self.virtual_size = Size(0, self._rows)
        if is_other:
            self.refresh()
            return
        lines = {self._places[name] // self._columns for name in view.dirty if name in self._places}
        for line in lines:
            self.refresh(Region(0, line - self.scroll_offset.y, self.size.width, 1))

    def _set_title(self, view: ClusterView) -> None:
        counts: dict[str, int] = {}
        for name in self._names:
            state = view.shards[name].state
            counts[state] = counts.get(state, 0) + 1
        told = "  ".join(f"{number} {state}" for state, number in counts.items())
        self.border_title = f"{self._role}s {len(self._names)}   {told}"

    @property
    def cell_width(self) -> int:
        number = len(self._names)
        return WIDE if number <= WIDE_MAX else MIDDLE if number <= MIDDLE_MAX else NARROW

    @property
    def _columns(self) -> int:
        return max(1, self.scrollable_content_region.width // self.cell_width)

    @property
    def _rows(self) -> int:
        return -(-len(self._names) // self._columns)

    # --- Painting.

    def render_line(self, y: int) -> Strip:
        view, width = self._view, self.size.width
        row = y + self.scroll_offset.y
        if view is None or row >= self._rows:
            return Strip.blank(width, self.rich_style)
        brush = Brush(self)
        start = row * self._columns
        parts: list[Part] = []
        for name in self._names[start : start + self._columns]:
            parts += self._cell(brush, view.shards[name])
        return strip_of(parts, width, self.rich_style)

    def _cell(self, brush: Brush, shard: ShardView) -> list[Part]:
        glyph, style = brush.state(shard.state)
        if shard.name == self._selected:
            style += Style(reverse=True)
        if self.cell_width == NARROW:
            return [(glyph, style), (" ", Style.null())]
        label = shard.short if self.cell_width == MIDDLE else self._label(shard)
        head = [(f"{glyph}", style), (f" {label} "[: self.cell_width - 1], _marked(shard, self))]
        if self.cell_width == MIDDLE:
            return _padded(head, MIDDLE)
        return _padded([*head, *self._progress(brush, shard)], WIDE)

    def _label(self, shard: ShardView) -> str:
        """The name as short as it is still clear: with one table, the last part."""
        if self._view is not None and len(self._view.table_names()) == 1:
            return shard.short
        name = shard.name
        return name if len(name) <= 9 else f"{name[:3]}~{name[-5:]}"

    def _progress(self, brush: Brush, shard: ShardView) -> list[Part]:
        if shard.role == "target":
            late = f" -{shard.unapplied}" if shard.unapplied else ""
            return [(f"{count(shard.rows_applied)}{late}", brush.role("calm"))]
        if not shard.rows_scanned:
            return []
        return brush.bar(shard.rows_applied / shard.rows_scanned, BAR)

    # --- Selecting.

    def action_move(self, right: int, down: int) -> None:
        """To a neighbour; to the first one when nothing is selected yet."""
        if not self._names:
            return
        place = self._places.get(self._selected or "", -1)
        wanted = 0 if place < 0 else place + right + down * self._columns
        if 0 <= wanted < len(self._names):
            self.choose(self._names[wanted])

    def choose(self, name: str, *, is_opened: bool = False) -> None:
        """Select a shard, and bring it onto the screen."""
        row = self._places[name] // self._columns
        self.scroll_to_region(Region(0, row, 1, 1), animate=False)
        self.post_message(self.Selected(name, is_opened=is_opened))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        row, column = offset.y + self.scroll_offset.y, offset.x // self.cell_width
        place = row * self._columns + column
        if column < self._columns and place < len(self._names):
            self.choose(self._names[place], is_opened=event.chain > 1)


def _marked(shard: ShardView, grid: ShardGrid) -> Style:
    return Style(bold=True, underline=True) if shard.name == grid._selected else Style.null()


def _padded(parts: list[Part], width: int) -> list[Part]:
    used = sum(len(text) for text, _ in parts)
    if used < width:
        return [*parts, (" " * (width - used), Style.null())]
    return parts
