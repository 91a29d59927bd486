"""What a snapshot's columns may be: their names, their order and their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.chain.schema import OP_COLUMN, SET_COLUMN, Column, TableSchema, is_key_type
from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

OTHER_DELIMITERS = (";", "\t", "|")
NEW_FULL = "or take a new full backup, which reads the types anew"


@dataclass(frozen=True, slots=True)
class TableRules:
    """How to read a table: its key, what is remembered of it (None at first), and types asked for.

    `types` are by column and win over what is found out or remembered.
    """

    key: tuple[str, ...]
    remembered: TableSchema | None
    types: Mapping[str, pa.DataType]

    def remembered_type(self, name: str) -> pa.DataType | None:
        """The type of a column in the backup before, if it had it."""
        if self.remembered is None or name not in self.remembered.names:
            return None
        return self.remembered.type_of(name)


def check_names(path: Path, names: Sequence[str], rules: TableRules) -> None:
    """Raises: SnapshotRefused for the first name that cannot be, is missing or comes twice."""
    for name in names:
        if name in (OP_COLUMN, SET_COLUMN):
            raise SnapshotRefused(f"{path}: column name {name!r} is reserved; rename the column")
        if names.count(name) > 1:
            raise SnapshotRefused(f"{path}: two columns are named {name!r}; rename one")
    for name in rules.key:
        if name not in names:
            raise SnapshotRefused(
                f"{path}: no column {name!r}, which is in the key (columns: {', '.join(names)})"
                f"{_delimiter_hint(names)}"
            )
    for name in rules.types:
        if name not in names:
            raise SnapshotRefused(
                f"{path}: no column {name!r}, for which a type was given (columns: "
                f"{', '.join(names)})"
            )


def _delimiter_hint(names: Sequence[str]) -> str:
    found = [mark for mark in OTHER_DELIMITERS if len(names) == 1 and mark in names[0]]
    if not found:
        return ""
    return f"; its columns seem to be separated by {found[0]!r} (expected ',', or tabs in a .tsv)"


def column_order(names: Sequence[str], rules: TableRules) -> list[str]:
    """Remembered columns keep their order, whatever the file's; new ones follow."""
    known = [] if rules.remembered is None else [n for n in rules.remembered.names if n in names]
    return known + [name for name in names if name not in known]


def checked_schema(path: Path, types: Mapping[str, pa.DataType], rules: TableRules) -> TableSchema:
    """Raises: SnapshotRefused when a key column has a type without one order."""
    for name in rules.key:
        if not is_key_type(types[name]):
            raise SnapshotRefused(
                f"{path}: key column {name!r} has type {types[name]} (expected integers, text, "
                "dates, times or other values with one order); give it another type with --type"
            )
    return TableSchema(tuple(Column(name, kind) for name, kind in types.items()), rules.key)
