"""The oracle: what the tables of a generated chain must hold after each of its backups.

Rules of this file:
- It is naive on purpose: one Python dict a row, one change after the other, oldest first. It
  shares no code with the product, so that a fault in the product's folding is not in it too.
- A key is a tuple of the key columns' values, also when there is only one. A row has the value
  columns alone, all of them, in the order of the table's columns; NULL is None.
- A row is never changed in place, so that the states after different backups may share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Value: TypeAlias = int | float | str | bool | None
Key: TypeAlias = tuple[Value, ...]
Row: TypeAlias = dict[str, Value]
Rows: TypeAlias = dict[Key, Row]

UPSERT, RESET, ERASE = 0, 1, 2


class Change(NamedTuple):
    """One change of one key. `values` has the touched columns only; an erase has none."""

    key: Key
    op: int
    values: Mapping[str, Value]


class TableHistory(NamedTuple):
    """All that a generated chain says of one table.

    `changes[n]` are those of backup n, one a key, by key; position 0 is the full backup, which
    upserts every column of every row. None: that backup records the table as unchanged.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    changes: tuple[tuple[Change, ...] | None, ...]


def apply(rows: Rows, changes: Iterable[Change], columns: Sequence[str]) -> None:
    """What a table does with these changes, one after the other; `columns` are its value columns.

    An upsert keeps the columns it does not touch (NULL when the key is new), a reset makes them
    NULL, an erase of a key that is not there changes nothing.
    """
    for key, op, values in changes:
        if op == ERASE:
            rows.pop(key, None)
            continue
        before = rows.get(key) if op == UPSERT else None
        rows[key] = {**(before or dict.fromkeys(columns)), **values}


class Model:
    """The states of every table of a generated chain, by chain position (0 is the full backup)."""

    def __init__(self, tables: Sequence[TableHistory]) -> None:
        self.tables = {history.table: history for history in tables}
        backups = {len(history.changes) for history in tables}
        assert len(backups) == 1, f"histories of one length, got {sorted(backups)}"
        self.last_incremental = backups.pop() - 1
        self._states: list[dict[str, Rows]] = []
        for incremental in range(self.last_incremental + 1):
            self._states.append(
                {history.table: self._next(history, incremental) for history in tables}
            )

    def rows_after(self, incremental: int) -> Mapping[str, Mapping[Key, Row]]:
        """Table, key and row after this backup. To be read only: the result is shared."""
        assert 0 <= incremental <= self.last_incremental, f"no backup {incremental}"
        return self._states[incremental]

    def changes(self, table: str, incremental: int) -> int:
        """How many changes this backup holds of the table; its rows, for the full backup."""
        return len(self.tables[table].changes[incremental] or ())

    def columns(self, table: str) -> tuple[str, ...]:
        """The value columns of the table, in order."""
        return self.tables[table].columns

    def _next(self, history: TableHistory, incremental: int) -> Rows:
        rows = dict(self._states[-1][history.table]) if incremental else {}
        apply(rows, history.changes[incremental] or (), history.columns)
        return rows
