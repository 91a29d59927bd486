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

from increstore.chain.csv_input import LAST_ROW, PacedInput, WithLastRow
from increstore.chain.table_writer import ROW_BYTES_MAX
from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES = 4 << 20
BLOCK_BYTES_MAX = 72 << 20  # A row of 32 MiB of which every character is a quote, doubled.
_BLOCKS = (BLOCK_BYTES, 16 << 20, BLOCK_BYTES_MAX)
"""The next is tried from the row on that is longer than a block, or two, of the one before."""

HEADER_BYTES_MAX = 1 << 20


class CsvText:
    """A CSV file of which every field is text. It may be read more than once.

    Raises: SnapshotRefused when it has no header, or one that names a column twice; OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = _header_of(path)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in the file's order; no batch is empty.

        Memory: a few blocks of the file, and what their rows take.
        Raises: SnapshotRefused when the file is no CSV, with the first bad record; OSError.
        """
        rows = 0
        held: pa.RecordBatch | None = None
        for batch in self._batches_with_last_row():
            if held is not None:
                yield held
                rows += held.num_rows
            held = batch
        if held is None or held.column(0)[-1].as_py() != LAST_ROW:
            row = rows - 1 + (0 if held is None else held.num_rows)
            raise self._cut(f"the row on line {self.line_of(row):,}" if row >= 0 else "its header")
        if held.num_rows > 1:
            yield held.slice(0, held.num_rows - 1)

    def line_of(self, row: int) -> int:
        """The line (from 1) on which row number `row` (from 0) begins, if no line is blank."""
        line = row + 2 + sum(name.count("\n") for name in self.names)
        for batch in self._batches_with_last_row():
            for column in batch.columns:
                breaks = pc.sum(pc.count_substring(column.slice(0, max(row, 0)), "\n"))
                line += int(breaks.as_py() or 0)
            row -= batch.num_rows
            if row <= 0:
                break
        return line

    def _batches_with_last_row(self) -> Iterator[pa.RecordBatch]:
        rows = 0
        for block_bytes in _BLOCKS:
            try:
                for batch in _rows_from(rows, self._parsed(block_bytes)):
                    yield batch
                    rows += batch.num_rows
            except pa.ArrowInvalid as error:
                if not _is_about_blocks(error):
                    raise self._refused(error) from error
            else:
                return
        raise SnapshotRefused(
            f"{self.path}: a row takes at most {ROW_BYTES_MAX >> 20} MiB; one is longer, or has a "
            "quote that is never closed; mend the file and run the same command again"
        )

    def _parsed(self, block_bytes: int) -> Iterator[pa.RecordBatch]:
        """Raises: pa.ArrowInvalid."""
        delimiter = _delimiter(self.path)
        with pa.input_stream(str(self.path), compression="detect") as stream:
            rows = WithLastRow(stream, len(self.names), delimiter)
            with PacedInput(rows, block_bytes) as paced:
                # One thread: only then does the parser know the number of a bad record.
                reader = pacsv.open_csv(
                    paced,
                    read_options=pacsv.ReadOptions(block_size=block_bytes, use_threads=False),
                    parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                    convert_options=self._convert_options(),
                )
                paced.keep(reader)
                if reader.schema.names != self.names:
                    raise SnapshotRefused(
                        f"{self.path}: its header row may be read as {reader.schema.names} or "
                        f"as {self.names}; put each name in double quotes, or none"
                    )
                yield from paced.batches(reader)

    def _convert_options(self) -> pacsv.ConvertOptions:
        return pacsv.ConvertOptions(
            column_types=dict.fromkeys(self.names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def _refused(self, error: pa.ArrowInvalid) -> SnapshotRefused:
        return SnapshotRefused(
            f"{self.path}: {error} (the header is row 1; expected UTF-8 text, every row with "
            f"{len(self.names)} fields, quotes doubled inside quotes); mend the file and run the "
            "same command again"
        )

    def _cut(self, what: str) -> SnapshotRefused:
        return SnapshotRefused(
            f"{self.path}: ends inside quotes, which {what} opens; the file was cut, or a quote is "
            "missing: mend it and run the same command again"
        )


def _rows_from(row: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Without the rows that come before number `row`."""
    for batch in batches:
        if row < batch.num_rows:
            yield batch.slice(row)
        row = max(0, row - batch.num_rows)


def _is_about_blocks(error: pa.ArrowInvalid) -> bool:
    return "straddl" in str(error)


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
