"""A snapshot of one table, from a CSV or Parquet file, as batches sorted by key.

With the first backup of a table types are found out (CSV) or taken over (Parquet) and remembered;
later snapshots are read by what is remembered. Columns that are new since then are added at the
end, columns that are gone are dropped.

Memory: bounded by `SpoolLimits`, however large the file. Its rows need not be sorted.
"""

from __future__ import annotations

import contextlib
import stat
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.csv_source import CsvSource
from increstore.chain.csv_text import COMPRESSIONS, delimiter_of
from increstore.chain.keys import show_key_of_row
from increstore.chain.parquet_source import PARQUET_SUFFIXES, ParquetSource
from increstore.chain.runs import RowSorter
from increstore.chain.sorting import DoubledKey
from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from increstore.chain.schema import TableSchema
    from increstore.chain.spool import Spool, SpoolLimits
    from increstore.chain.table_rules import TableRules


class Source(Protocol):
    """A file that may be read more than once."""

    schema: TableSchema

    def portions(self) -> Iterator[pa.Table]:
        """The rows with the columns of `schema` and their types, in the file's order.

        Memory: about `SpoolLimits.portion_bytes`, unless a row is larger.
        Raises: SnapshotRefused for what cannot be read; OSError.
        """

    def place(self, row: int) -> str:
        """Where row number `row` (from 0) is, for a message to people."""


class Snapshot:
    """The rows of one table at one moment."""

    def __init__(self, path: Path, source: Source, sorter: RowSorter) -> None:
        self._path = path
        self._source = source
        self._sorter = sorter

    @property
    def schema(self) -> TableSchema:
        return self._source.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows sorted by key, each key once; may be asked for once.

        Raises: SnapshotRefused for a key that comes twice, when its turn has come; StorageFailed.
        """
        with _told_as_refused(self._path, self._source):
            yield from self._sorter.batches()


def read_snapshot(path: Path, rules: TableRules, spool: Spool) -> Snapshot:
    """The snapshot in `path`: CSV, also compressed, Parquet, or a folder of Parquet files.

    Raises: SnapshotRefused naming the file, the place in it, what was expected and what to do;
    StorageFailed when `spool` has no room.
    """
    source = _opened(path, rules, spool.limits)
    sorter = RowSorter(source.schema, spool)
    with _told_as_refused(path, source):
        for rows in _without_null_keys(path, source):
            sorter.add(rows)
    return Snapshot(path, source, sorter)


def _opened(path: Path, rules: TableRules, limits: SpoolLimits) -> Source:
    with _told_as_unreadable(path):
        mode = path.stat().st_mode  # Says "No such file" plainly, and not in pyarrow's words.
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise SnapshotRefused(
                f"{path}: is no regular file (expected one that can be read more than once); write "
                "it to a file first"
            )
        if delimiter_of(path):
            return CsvSource(path, rules, limits)
        if path.is_dir() or path.suffix.lower() in PARQUET_SUFFIXES:
            return ParquetSource(path, rules, limits)
    raise SnapshotRefused(
        f"{path}: unknown kind of file (expected .csv or .tsv, also with "
        f"{', '.join(COMPRESSIONS)}; .parquet; or a folder of .parquet files)"
    )


@contextlib.contextmanager
def _told_as_unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SnapshotRefused(f"{path}: cannot be read: {error.strerror or error}") from error


# --- Keys that no table may have.


def _without_null_keys(path: Path, source: Source) -> Iterator[pa.Table]:
    """The portions of `source`. Raises: SnapshotRefused for the first key that is NULL."""
    names = source.schema.key
    row = 0
    with _told_as_unreadable(path):
        for rows in source.portions():
            nulls = [pc.index(pc.is_null(rows.column(name)), True).as_py() for name in names]
            found = [number for number in nulls if number >= 0]
            if found:
                [keys] = rows.slice(min(found), 1).select(names).combine_chunks().to_batches()
                raise _refused(path, source, [row + min(found)], keys, "is NULL")
            yield rows
            row += rows.num_rows


@contextlib.contextmanager
def _told_as_refused(path: Path, source: Source) -> Iterator[None]:
    """Turn a key that comes twice into a refusal that names both places."""
    try:
        yield
    except DoubledKey as doubled:
        with _told_as_unreadable(path):
            rows = list(islice(_rows_with(source, doubled.key), 2))
            if len(rows) < 2:
                raise SnapshotRefused(
                    f"{path}: changed while it was read; run the same command again when it is "
                    "complete"
                ) from doubled
            raise _refused(path, source, rows, doubled.key, "comes twice") from doubled


def _rows_with(source: Source, key: pa.RecordBatch) -> Iterator[int]:
    """The numbers (from 0) of the rows that have this key."""
    before = 0
    for rows in source.portions():
        same = reduce(
            pc.and_, (pc.equal(rows.column(name), key.column(name)[0]) for name in key.schema.names)
        )
        for row in np.flatnonzero(same.to_numpy()):
            yield before + int(row)
        before += rows.num_rows


def _refused(
    path: Path, source: Source, rows: list[int], keys: pa.RecordBatch, what: str
) -> SnapshotRefused:
    places = " and ".join(source.place(row) for row in rows)
    names = source.schema.key
    return SnapshotRefused(
        f"{path}: {places}: key ({', '.join(names)}) {show_key_of_row(keys, names, 0)} {what} "
        "(expected every key once, without NULL); mend the rows, or choose another key in a new "
        "full backup"
    )
