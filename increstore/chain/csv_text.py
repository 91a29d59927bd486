"""Reading a CSV file as text, so that nothing is lost before a column's type is known.

Fields follow RFC 4180: quotes double, quoted text may span lines. An empty field is NULL; a quoted
empty field is the empty text in text columns and NULL in others.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from increstore.chain.csv_blocks import EndsInQuotes, RowTooLong, blocks_of_rows
from increstore.chain.table_writer import ROW_BYTES_MAX
from increstore.errors import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER_BYTES_MAX = 1 << 20
DELIMITERS = {".csv": ",", ".tsv": "\t"}
COMPRESSIONS = {".zst": "zstd", ".gz": "gzip", ".bz2": "bz2", ".lz4": "lz4"}
"""By what a file's name ends with, and pyarrow's words for them."""


class CsvText:
    """A CSV file of which every field is text. It may be read more than once.

    Raises: SnapshotRefused when it has no header, or one that names a column twice; OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        delimiter = delimiter_of(path) or ","
        self.names = _header_of(path, delimiter)
        # Made once: with thousands of columns they take long.
        self._parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        self._convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(self.names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in the file's order; no batch is empty.

        Memory: a few blocks of the file, and what their rows take.
        Raises: SnapshotRefused when the file is no CSV, with the first bad record; OSError.
        """
        rows = -1  # Not even the header.
        try:
            for table in self._tables():
                rows = max(rows, 0) + table.num_rows
                yield from table.to_batches()
        except EndsInQuotes as error:
            opening = f"the row on line {self.line_of(rows):,}" if rows >= 0 else "its header"
            raise SnapshotRefused(
                f"{self.path}: ends inside quotes, which {opening} opens; the file was cut, or a "
                "quote is missing: mend it and run the same command again"
            ) from error
        except RowTooLong as error:
            raise SnapshotRefused(
                f"{self.path}: a row takes at most {ROW_BYTES_MAX >> 20} MiB; one is longer, or "
                "has a quote that is never closed; mend the file and run the same command again"
            ) from error

    def line_of(self, row: int) -> int:
        """The line (from 1) on which row number `row` (from 0) begins, if no line is blank."""
        line = row + 2 + sum(name.count("\n") for name in self.names)
        for table in self._tables():
            for column in table.columns:
                breaks = pc.sum(pc.count_substring(column.slice(0, max(row, 0)), "\n"))
                line += int(breaks.as_py() or 0)
            row -= table.num_rows
            if row <= 0:
                break
        return line

    def _tables(self) -> Iterator[pa.Table]:
        """The rows of each block of the file.

        Raises: SnapshotRefused for a bad record; EndsInQuotes; RowTooLong; OSError.
        """
        rows = 0
        try:
            with _stream(self.path) as stream:
                for block in blocks_of_rows(stream, self._parse.delimiter):
                    table = self._parsed(block, has_header=not rows)
                    yield table
                    rows += table.num_rows + (0 if rows else 1)
        except pa.ArrowInvalid as error:
            raise self._refused(_counted_from(rows, str(error))) from error

    def _parsed(self, block: pa.Buffer, *, has_header: bool) -> pa.Table:
        """Raises: SnapshotRefused; pa.ArrowInvalid, where the first row has the number 1."""
        # One thread: only then does the parser know the number of a bad record.
        read = pacsv.ReadOptions(
            block_size=block.size,
            use_threads=False,
            column_names=None if has_header else self.names,
        )
        table = pacsv.read_csv(pa.BufferReader(block), read, self._parse, self._convert)
        if table.schema.names != self.names:
            raise SnapshotRefused(
                f"{self.path}: its header row may be read as {table.schema.names} or "
                f"as {self.names}; put each name in double quotes, or none"
            )
        return table

    def _refused(self, error: str) -> SnapshotRefused:
        return SnapshotRefused(
            f"{self.path}: {error} (the header is row 1; expected UTF-8 text, every row with "
            f"{len(self.names)} fields, quotes doubled inside quotes); mend the file and run the "
            "same command again"
        )


def _counted_from(rows: int, error: str) -> str:
    """The parser's words about a block that comes after so many rows, the header among them."""
    return re.sub(r"Row #(\d+)", lambda row: f"Row #{rows + int(row[1])}", error, count=1)


def delimiter_of(path: Path) -> str | None:
    """What separates the columns of a CSV file; None when its name is not of one."""
    plain = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    return DELIMITERS.get(plain.suffix.lower())


def _stream(path: Path) -> pa.NativeFile:
    """The file, uncompressed. Raises: pa.ArrowInvalid, here or later; OSError."""
    return pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower()))


def _header_of(path: Path, delimiter: str) -> list[str]:
    """The column names. Raises: SnapshotRefused when there are none, or one comes twice."""
    try:
        with _stream(path) as stream:
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
    names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    if not names:
        raise SnapshotRefused(f"{path}: is empty (expected a header row with the column names)")
    for number, name in enumerate(names, start=1):
        if not name:
            raise SnapshotRefused(f"{path}: column {number} has no name in the header row")
        if name in names[: number - 1]:
            raise SnapshotRefused(f"{path}: the header row names column {name!r} twice")
    return names
