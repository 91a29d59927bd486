"""Where the cells of a shard grid lie: plain arithmetic, no widget.

Rules of this file:
- Cells are as wide as they can be while all shards fit into the rows there are; when not even the
  narrowest fit, the narrowest are scrolled.
- Shards of several tables stand in rows of their table, the table's name before them. Only when
  tables are too many for that do they follow one another, with whole names in wide cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDE, MIDDLE, NARROW = 16, 6, 2
"""A glyph, a name and a bar; a glyph and a short name, or more for longer ones; a glyph."""
WIDEST = 30
"""A wide cell takes the room that nobody else needs, up to here."""
LABEL_MOST = 12


@dataclass(frozen=True, slots=True)
class GridRow:
    """One line: places (in the list of all shards) from `start` up to, not including, `stop`."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class GridLayout:
    """All lines, each with cells of one width after a label of one width."""

    cell: int
    label: int
    rows: tuple[GridRow, ...]

    def row_of(self, place: int) -> int:
        """The line that a shard stands on. Raises: ValueError when it stands on none."""
        for number, row in enumerate(self.rows):
            if row.start <= place < row.stop:
                return number
        raise ValueError(f"place {place} is on no row")

    def at(self, row: int, x: int) -> int | None:
        """The place of the cell that covers this column of this line."""
        if not 0 <= row < len(self.rows) or x < self.label:
            return None
        place = self.rows[row].start + (x - self.label) // self.cell
        return place if place < self.rows[row].stop else None

    def neighbour(self, place: int, right: int, down: int) -> int:
        """The place next to this one; itself at an edge. Down keeps the column."""
        if right:
            wanted = place + right
            return wanted if 0 <= wanted < self.rows[-1].stop else place
        here = self.row_of(place)
        there = min(max(here + down, 0), len(self.rows) - 1)
        if there == here:
            return place
        column = place - self.rows[here].start
        return min(self.rows[there].start + column, self.rows[there].stop - 1)


def lay_out(
    tables: Sequence[tuple[str, int]], width: int, rows_max: int, name_width: int = 3
) -> GridLayout:
    """Lay out so many shards of each table, in order, in lines of `width` cells.

    `rows_max`: how many lines can be seen at once; `name_width`: of the longest short name.
    """
    if not tables:
        return GridLayout(WIDE, 0, ())
    label = 0
    if len(tables) > 1:
        label = min(max(len(name) for name, _ in tables), LABEL_MOST) + 1
    tried = [
        _grouped(tables, width, cell, label) for cell in (WIDE, max(MIDDLE, name_width + 3), NARROW)
    ]
    if label:
        tried.insert(1, _flowing(tables, width, WIDE))
    for layout in tried:
        if len(layout.rows) <= rows_max:
            return layout
    return tried[-1]


def _grouped(tables: Sequence[tuple[str, int]], width: int, cell: int, label: int) -> GridLayout:
    columns = max(1, (width - label) // cell)
    if cell == WIDE:
        columns = min(columns, max(number for _, number in tables))
        cell = max(WIDE, min((width - label) // columns, WIDEST))
    rows: list[GridRow] = []
    first = 0
    for name, number in tables:
        for start in range(0, number, columns):
            stop = min(start + columns, number)
            rows.append(GridRow(name if label and not start else "", first + start, first + stop))
        first += number
    return GridLayout(cell, label, tuple(rows))


def _flowing(tables: Sequence[tuple[str, int]], width: int, cell: int) -> GridLayout:
    return _grouped([("", sum(number for _, number in tables))], width, cell, 0)
