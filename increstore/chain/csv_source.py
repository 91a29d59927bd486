"""A CSV file as rows of one table, portion by portion: of which types, and as these.

Types are found out by all rows, so a file with columns of unknown type is read twice; one that is
small is kept as text meanwhile.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pyarrow as pa

from increstore.chain.csv_text import CsvText
from increstore.chain.pieces import portions
from increstore.chain.table_rules import (
    NEW_FULL,
    TableRules,
    check_names,
    checked_schema,
    column_order,
)
from increstore.chain.text_types import TypeGuess, Unfit, convert
from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from increstore.chain.spool import SpoolLimits


class CsvSource:
    """The rows of a snapshot, typed, in the order of the file; see `snapshot.Source`.

    Raises: SnapshotRefused when it is no CSV, or no such table can be stored; OSError.
    """

    def __init__(self, path: Path, rules: TableRules, limits: SpoolLimits) -> None:
        self._path = path
        self._limits = limits
        self._text = CsvText(path)
        self._kept: _KeptText | None = None
        check_names(path, self._text.names, rules)
        known = {name: _known_type(name, rules) for name in column_order(self._text.names, rules)}
        guesses = {
            name: TypeGuess(is_key=name in rules.key) for name, kind in known.items() if not kind
        }
        if guesses:
            self._watch(guesses)
        types = {name: kind or guesses[name].type for name, kind in known.items()}
        self.schema = checked_schema(path, types, rules)

    def _watch(self, guesses: Mapping[str, TypeGuess]) -> None:
        kept = _KeptText(self._limits.run_bytes)
        for text in portions(kept.watch(self._text.batches()), self._limits.portion_bytes):
            for name, guess in guesses.items():
                guess.watch(text.column(name))
        self._kept = kept if kept.is_whole else None

    def place(self, row: int) -> str:
        """Only who made a mistake waits for the file to be read once more."""
        return f"line {self._text.line_of(row):,}"

    def portions(self) -> Iterator[pa.Table]:
        """Raises: SnapshotRefused for a bad record, or a value not of its type; OSError."""
        batches = self._text.batches() if self._kept is None else self._kept.taken()
        self._kept = None
        row = 0
        for text in portions(batches, self._limits.portion_bytes):
            yield self._typed(text, row)
            row += text.num_rows

    def _typed(self, text: pa.Table, first_row: int) -> pa.Table:
        columns = [
            self._column(text.column(column.name), column.name, column.type, first_row)
            for column in self.schema.columns
        ]
        return pa.table(columns, names=self.schema.names)

    def _column(
        self, text: pa.ChunkedArray, name: str, kind: pa.DataType, first_row: int
    ) -> pa.ChunkedArray:
        try:
            return convert(text, kind)
        except Unfit as unfit:
            raise SnapshotRefused(
                f"{self._path}: {self.place(first_row + unfit.row)}, column {name!r}: "
                f"{unfit.value!r} is not of type {kind}; mend the value, {NEW_FULL}"
            ) from unfit


class _KeptText:
    """The batches that went by, unless they are more than so many bytes."""

    def __init__(self, bytes_max: int) -> None:
        self.is_whole = True
        self._room = bytes_max
        self._batches: deque[pa.RecordBatch] = deque()

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._room -= batch.nbytes
            self._batches.append(batch)
            if self._room < 0:
                self.is_whole = False
                self._batches.clear()
            yield batch

    def taken(self) -> Iterator[pa.RecordBatch]:
        """Each is let go when it is given."""
        while self._batches:
            yield self._batches.popleft()


def _known_type(name: str, rules: TableRules) -> pa.DataType | None:
    return rules.types.get(name) or rules.remembered_type(name)
