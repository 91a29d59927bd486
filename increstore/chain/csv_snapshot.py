"""Reading a CSV file as text, so that nothing is lost before a column's type is known.

Fields follow RFC 4180: quotes double, quoted text may span lines. An empty field is NULL; a quoted
empty field is the empty text in text columns and NULL in others.

A file that was cut within quoted text would be read without complaint. So each is read with one row
more, which comes out by itself only when the file does not end inside quotes.
"""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from increstore.chain.table_writer import ROW_BYTES_MAX
from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from pathlib import Path

BLOCK_BYTES = 4 << 20
LONG_BLOCK_BYTES = 72 << 20  # A row of 32 MiB of which every character is a quote, doubled.
HEADER_BYTES_MAX = 1 << 20
LAST_ROW = "the end (increstore added it)"


def read_csv_as_text(path: Path) -> pa.Table:
    """Every column of the file as text, in the file's order.

    Raises: SnapshotRefused when the file is no CSV, with the first bad record; OSError.
    """
    names = _header_of(path)
    try:
        return _without_last_row(path, _read(path, names, BLOCK_BYTES, threads=True))
    except pa.ArrowInvalid as error:
        block_bytes = LONG_BLOCK_BYTES if _is_about_blocks(error) else BLOCK_BYTES
    try:
        # Once more on one thread: only then does the parser know the number of the record.
        return _without_last_row(path, _read(path, names, block_bytes, threads=False))
    except pa.ArrowInvalid as error:
        if _is_about_blocks(error):
            raise SnapshotRefused(
                f"{path}: a row takes at most {ROW_BYTES_MAX >> 20} MiB; one is longer, or has a "
                "quote that is never closed; mend the file and run the same command again"
            ) from error
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


class _WithLastRow:
    """The bytes of a stream, and then one row more, on a line of its own."""

    closed = False

    def __init__(self, stream: pa.NativeFile, columns: int, delimiter: str) -> None:
        self._stream = stream
        self._last = f"\n{LAST_ROW}{delimiter * (columns - 1)}\n".encode()

    def read(self, size: int) -> bytes:
        """As many bytes, unless it ends: without a line break the parser takes no short block."""
        parts: list[bytes] = []
        while size > 0 and (part := self._next(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _next(self, size: int) -> bytes:
        found: bytes = self._stream.read(size)
        if not found:
            found, self._last = self._last[:size], self._last[size:]
        return found


def _without_last_row(path: Path, table: pa.Table) -> pa.Table:
    """Raises: SnapshotRefused when the last row is not the one that was added."""
    rows = len(table) - 1
    if rows < 0 or table.column(0)[rows].as_py() != LAST_ROW:
        line = "the header row" if rows < 0 else f"the row on line {line_of(table, rows):,}"
        raise SnapshotRefused(
            f"{path}: ends inside quotes, which {line} opens; the file was cut, or a quote is "
            "missing: mend it and run the same command again"
        )
    return table.slice(0, rows)


def _is_about_blocks(error: pa.ArrowInvalid) -> bool:
    return "straddl" in str(error)


def _read(path: Path, names: list[str], block_bytes: int, *, threads: bool) -> pa.Table:
    delimiter = _delimiter(path)
    with pa.input_stream(str(path), compression="detect") as stream:
        table = pacsv.read_csv(
            _WithLastRow(stream, len(names), delimiter),
            read_options=pacsv.ReadOptions(block_size=block_bytes, use_threads=threads),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    assert table.column_names == names, (table.column_names, names)
    return table
