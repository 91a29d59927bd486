"""Reading a CSV file as text, so that nothing is lost before a column's type is known.

Fields follow RFC 4180: quotes double, quoted text may span lines. An empty field is NULL; a quoted
empty field is the empty text in text columns and NULL in others.
"""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 4 << 20
HEADER_BYTES_MAX = 1 << 20


def read_csv_as_text(path: Path) -> pa.Table:
    """Every column of the file as text, in the file's order.

    Raises: SnapshotRefused when the file is no CSV, with the first bad record; OSError.
    """
    names = _header_of(path)
    try:
        return _read(path, names, threads=True)
    except pa.ArrowInvalid:
        pass
    try:
        # Once more on one thread: only then does the parser know the number of the record.
        return _read(path, names, threads=False)
    except pa.ArrowInvalid as error:
        raise SnapshotRefused(
            f"{path}: {error} (the header is row 1; expected UTF-8 text, every row with "
            f"{len(names)} fields, quotes doubled inside quotes); mend the file and run the same "
            "command again"
        ) from error


def line_of(text: pa.Table, row: int) -> int:
    """The line (from 1) on which row number `row` (from 0) begins, if no line is blank."""
    inside = 0
    for column in text.columns:
        breaks = pc.sum(pc.count_substring(column.slice(0, row), "\n"))
        inside += int(breaks.as_py() or 0)
    in_header: int = sum(name.count("\n") for name in text.column_names)
    return row + 2 + inside + in_header


def _delimiter(path: Path) -> str:
    return "\t" if ".tsv" in path.suffixes else ","


def _header_of(path: Path) -> list[str]:
    """The column names. Raises: SnapshotRefused when there are none, or one comes twice."""
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            start = stream.read(HEADER_BYTES_MAX)
    except pa.ArrowInvalid as error:
        raise SnapshotRefused(f"{path}: cannot be uncompressed: {error}") from error
    # Incremental, since the cut may fall inside a character.
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        text = decoder.decode(start)
    except UnicodeDecodeError as error:
        raise SnapshotRefused(
            f"{path}: byte {error.start:,} is not UTF-8; convert the file to UTF-8 first"
        ) from error
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path)), [])
    if not names:
        raise SnapshotRefused(f"{path}: is empty (expected a header row with the column names)")
    for number, name in enumerate(names, start=1):
        if not name:
            raise SnapshotRefused(f"{path}: column {number} has no name in the header row")
        if name in names[: number - 1]:
            raise SnapshotRefused(f"{path}: the header row names column {name!r} twice")
    return names


def _read(path: Path, names: list[str], *, threads: bool) -> pa.Table:
    with pa.input_stream(str(path), compression="detect") as stream:
        table = pacsv.read_csv(
            stream,
            read_options=pacsv.ReadOptions(block_size=BLOCK_BYTES, use_threads=threads),
            parse_options=pacsv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    assert table.column_names == names, (table.column_names, names)
    return table
