"""A Parquet file, or a folder of them, as rows of one table, portion by portion."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from increstore.chain.pieces import first_refused, portions
from increstore.chain.schema import is_widening, stored_type
from increstore.chain.table_rules import (
    NEW_FULL,
    TableRules,
    check_names,
    checked_schema,
    column_order,
)
from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from increstore.chain.spool import SpoolLimits

PARQUET_SUFFIXES = (".parquet", ".pq")
BATCH_ROWS_MAX = 16_384
BATCH_BYTES_AIM = 4 << 20
READ_BYTES = 1 << 20
"""Read of a column at a time, which would else be a whole row group of it."""


class ParquetSource:
    """The rows of a snapshot, typed, in the order of its files; see `snapshot.Source`.

    Raises: SnapshotRefused when the files are not alike, or no such table can be stored; OSError.
    """

    def __init__(self, path: Path, rules: TableRules, limits: SpoolLimits) -> None:
        self._path = path
        self._limits = limits
        self._files = _files_of(path)
        found = self._found_schema()
        check_names(path, found.names, rules)
        types = {
            name: _parquet_type(path, found.field(name), rules)
            for name in column_order(found.names, rules)
        }
        self.schema = checked_schema(path, types, rules)
        self._typed(found.empty_table())  # Types that no value has are refused also without rows.

    def place(self, row: int) -> str:
        return f"row {row + 1:,}"

    def portions(self) -> Iterator[pa.Table]:
        """Raises: SnapshotRefused for a damaged file, or a value that does not fit; OSError."""
        row = 0
        for portion in portions(self._batches(), self._limits.portion_bytes):
            rows = self._typed(portion)
            self._refuse_invalid(rows, row)
            yield rows
            row += rows.num_rows

    def _found_schema(self) -> pa.Schema:
        first: pa.Schema | None = None
        for path in self._files:
            with self._told(), _opened(path) as file:
                found = file.schema_arrow
            if first is not None and not found.equals(first):
                raise SnapshotRefused(f"{path}: its columns are not those of {self._files[0].name}")
            first = found
        return first

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for path in self._files:
            with self._told(), _opened(path) as file:
                yield from file.iter_batches(batch_size=_batch_rows(file.metadata))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise SnapshotRefused(f"{self._path}: not readable as Parquet: {error}") from error

    def _refuse_invalid(self, rows: pa.Table, first_row: int) -> None:
        """A file may say that its bytes are text when they are not; a restore looks at each.

        Raises: SnapshotRefused for the first value that is none of its type.
        """
        for name, column in zip(rows.column_names, rows.columns, strict=True):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid as error:
                row = first_row + first_refused(column, lambda part: part.validate(full=True))
                raise SnapshotRefused(
                    f"{self._path}: {self.place(row)}, column {name!r}: is no value of type "
                    f"{column.type} ({error}); mend the value, or store the column as another type"
                ) from error

    def _typed(self, rows: pa.Table) -> pa.Table:
        columns = [
            _cast(self._path, rows.column(column.name), column.name, column.type)
            for column in self.schema.columns
        ]
        return pa.table(columns, names=self.schema.names)


def _files_of(path: Path) -> list[Path]:
    """The file itself, or all of the folder by name. Raises: SnapshotRefused; OSError."""
    if not path.is_dir():
        return [path]
    named_so = (one for one in path.rglob("*") if one.suffix.lower() in PARQUET_SUFFIXES)
    found = sorted(one for one in named_so if not one.is_dir())
    for file in found:
        if file.parent != path:
            raise SnapshotRefused(
                f"{file}: lies in a folder within {path.name} (expected all files of a table in "
                "one folder: columns that folders name would be lost); write them into one"
            )
    if not found:
        raise SnapshotRefused(f"{path}: no .parquet file in this folder")
    return found


def _opened(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, buffer_size=READ_BYTES, pre_buffer=False)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Rows that take about `BATCH_BYTES_AIM`, by what the file says of its size."""
    size = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
    row_bytes: int = max(1, size // max(1, metadata.num_rows))
    return max(1, min(BATCH_ROWS_MAX, BATCH_BYTES_AIM // row_bytes))


def _parquet_type(path: Path, field: pa.Field, rules: TableRules) -> pa.DataType:
    """Of a remembered column the remembered type, or the file's when that is wider."""
    name = field.name
    if name in rules.types:
        return rules.types[name]
    remembered = rules.remembered_type(name)
    if pa.types.is_null(field.type):
        return remembered or pa.string()
    try:
        found = stored_type(field.type)
    except ValueError as error:
        raise SnapshotRefused(
            f"{path}: column {name!r} has type {field.type}, which cannot be stored (expected "
            "numbers, text, bytes, booleans, dates or times); drop or convert it"
        ) from error
    if remembered is None or (is_widening(remembered, found) and name not in rules.key):
        return found
    return remembered


def _cast(path: Path, column: pa.ChunkedArray, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """Raises: SnapshotRefused unless every value is exactly a value of `kind`."""
    try:
        if _family(column.type) not in ("null", _family(kind)):
            raise pa.ArrowInvalid(f"{column.type} is another kind of value")
        return pc.cast(column, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SnapshotRefused(
            f"{path}: column {name!r} has type {column.type} (expected {kind}): {error}; convert "
            f"the column, {NEW_FULL}"
        ) from error


def _family(kind: pa.DataType) -> str:
    """Kinds of values between which a cast means the same: 1 and 1.0, but not 1 and "1"."""
    if pa.types.is_dictionary(kind):
        return _family(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return _family(kind.storage_type)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_null(kind):
        return "null"
    if pa.types.is_timestamp(kind):
        return "moment" if kind.tz else "local time"
    if pa.types.is_date(kind):
        return "date"
    return str(stored_type(kind)).partition("[")[0].rstrip("3264")
