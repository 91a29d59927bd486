"""A snapshot of one table, from a CSV or Parquet file, as batches sorted by key.

With the first backup of a table types are found out (CSV) or taken over (Parquet) and remembered;
later snapshots are read by what is remembered. Columns that are new since then are added at the
end, columns that are gone are dropped.

Memory: a snapshot is held whole, at its peak two to four times its size as plain CSV. Its rows
need not be sorted.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from increstore.chain.csv_snapshot import line_of, read_csv_as_text
from increstore.chain.schema import (
    OP_COLUMN,
    SET_COLUMN,
    Column,
    TableSchema,
    is_key_type,
    is_widening,
    stored_type,
)
from increstore.chain.sorting import KeyFault, sorted_batches
from increstore.chain.text_types import Unfit, convert, guess_type
from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

CSV_SUFFIXES = (".csv", ".tsv")
COMPRESSED_SUFFIXES = (".zst", ".gz", ".bz2", ".lz4")
PARQUET_SUFFIXES = (".parquet", ".pq")
OTHER_DELIMITERS = (";", "\t", "|")
NEW_FULL = "or take a new full backup, which reads the types anew"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows of one table at one moment. `batches` are sorted by key, each key once."""

    path: Path
    schema: TableSchema
    batches: tuple[pa.RecordBatch, ...]

    @property
    def rows(self) -> int:
        return sum(batch.num_rows for batch in self.batches)


@dataclass(frozen=True, slots=True)
class TableRules:
    """How to read a table: its key, what is remembered of it (None at first), and types asked for.

    `types` are by column and win over what is found out or remembered.
    """

    key: tuple[str, ...]
    remembered: TableSchema | None
    types: Mapping[str, pa.DataType]


def read_snapshot(path: Path, rules: TableRules) -> Snapshot:
    """The snapshot in `path`: CSV, also compressed, Parquet, or a folder of Parquet files.

    Raises: SnapshotRefused naming the file, the place in it, what was expected and what to do.
    """
    try:
        mode = path.stat().st_mode  # Says "No such file" plainly, and not in pyarrow's words.
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise SnapshotRefused(
                f"{path}: is no regular file (expected one that can be read more than once); write "
                "it to a file first"
            )
        if _is_csv(path):
            return _read_csv(path, rules)
        if path.is_dir() or path.suffix.lower() in PARQUET_SUFFIXES:
            return _read_parquet(path, rules)
    except OSError as error:
        raise SnapshotRefused(f"{path}: cannot be read: {error.strerror or error}") from error
    raise SnapshotRefused(
        f"{path}: unknown kind of file (expected .csv or .tsv, also with "
        f"{', '.join(COMPRESSED_SUFFIXES)}; .parquet; or a folder of .parquet files)"
    )


def _is_csv(path: Path) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED_SUFFIXES:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in CSV_SUFFIXES


# --- CSV.


def _read_csv(path: Path, rules: TableRules) -> Snapshot:
    columns = _text_columns(path)
    _check_names(path, list(columns), rules)
    types = {
        name: _csv_type(columns[name], name, rules) for name in _column_order(list(columns), rules)
    }
    schema = _checked_schema(path, types, rules)

    def place(row: int) -> str:
        # The text is gone by now; only who made a mistake waits for it to be read once more.
        return f"line {line_of(read_csv_as_text(path), row):,}"

    typed = {}
    for name, kind in types.items():
        try:
            typed[name] = convert(columns.pop(name), kind)
        except Unfit as unfit:
            raise SnapshotRefused(
                f"{path}: {place(unfit.row)}, column {name!r}: {unfit.value!r} is not of type "
                f"{kind}; mend the value, {NEW_FULL}"
            ) from unfit
    return _sorted_snapshot(path, schema, typed, place)


def _text_columns(path: Path) -> dict[str, pa.ChunkedArray]:
    text = read_csv_as_text(path)
    return dict(zip(text.column_names, text.columns, strict=True))


def _csv_type(text: pa.ChunkedArray, name: str, rules: TableRules) -> pa.DataType:
    if name in rules.types:
        return rules.types[name]
    if rules.remembered is not None and name in rules.remembered.names:
        return rules.remembered.type_of(name)
    return guess_type(text, is_key=name in rules.key)


# --- Parquet.


def _read_parquet(path: Path, rules: TableRules) -> Snapshot:
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise SnapshotRefused(f"{path}: no .parquet file in this folder")
    try:
        tables = [_read_parquet_file(file) for file in files]
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise SnapshotRefused(f"{path}: not readable as Parquet: {error}") from error
    for file, table in zip(files, tables, strict=True):
        if not table.schema.equals(tables[0].schema):
            raise SnapshotRefused(f"{file}: its columns are not those of {files[0].name}")
    table = pa.concat_tables(tables)
    del tables
    _check_names(path, table.column_names, rules)
    types = {
        name: _parquet_type(path, table.schema.field(name), rules)
        for name in _column_order(table.column_names, rules)
    }
    schema = _checked_schema(path, types, rules)
    columns = {name: _cast(path, table.column(name), name, kind) for name, kind in types.items()}
    del table
    return _sorted_snapshot(path, schema, columns, lambda row: f"row {row + 1:,}")


def _read_parquet_file(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read()


def _parquet_type(path: Path, field: pa.Field, rules: TableRules) -> pa.DataType:
    """Of a remembered column the remembered type, or the file's when that is wider."""
    name = field.name
    if name in rules.types:
        return rules.types[name]
    remembered = None
    if rules.remembered is not None and name in rules.remembered.names:
        remembered = rules.remembered.type_of(name)
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
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_null(kind):
        return "null"
    if pa.types.is_timestamp(kind):
        return "moment" if kind.tz else "local time"
    if pa.types.is_date(kind):
        return "date"
    return str(stored_type(kind)).partition("[")[0].rstrip("3264")


# --- Both.


def _check_names(path: Path, names: Sequence[str], rules: TableRules) -> None:
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


def _column_order(names: Sequence[str], rules: TableRules) -> list[str]:
    """Remembered columns keep their order, whatever the file's; new ones follow."""
    known = [] if rules.remembered is None else [n for n in rules.remembered.names if n in names]
    return known + [name for name in names if name not in known]


def _checked_schema(path: Path, types: Mapping[str, pa.DataType], rules: TableRules) -> TableSchema:
    for name in rules.key:
        if not is_key_type(types[name]):
            raise SnapshotRefused(
                f"{path}: key column {name!r} has type {types[name]} (expected integers, text, "
                "dates, times or other values with one order); give it another type with --type"
            )
    return TableSchema(tuple(Column(name, kind) for name, kind in types.items()), rules.key)


def _sorted_snapshot(
    path: Path,
    schema: TableSchema,
    columns: dict[str, pa.ChunkedArray],
    place: Callable[[int], str],
) -> Snapshot:
    """Uses `columns` up."""
    try:
        return Snapshot(path, schema, tuple(sorted_batches(columns, schema)))
    except KeyFault as fault:
        places = " and ".join(place(row) for row in fault.rows)
        key = ", ".join(schema.key)
        raise SnapshotRefused(
            f"{path}: {places}: key ({key}) {fault} (expected every key once, without NULL); mend "
            "the rows, or choose another key in a new full backup"
        ) from fault
