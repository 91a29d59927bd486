"""Parquet files of both sides: opened, measured, and read key range by key range.

A *piece* is one row group with the smallest and greatest key that were really found in it.
Files hold their footer only; rows are in memory for one range at a time, plus what `Room` allows
to be kept of row groups that reach into the next range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from increstore.verification.ranges import (
    Key,
    KeyRange,
    at_or_after,
    greatest,
    is_complete,
    plain_keys,
    sample,
    smallest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from increstore.errors import IncrestoreError

BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file, its footer, and the error class and advice for when it cannot be read."""

    path: Path
    footer: Any
    schema: pa.Schema
    blame: type[IncrestoreError]
    advice: str

    @property
    def rows(self) -> int:
        return int(self.footer.num_rows)

    def row_bytes(self) -> float:
        """What a decoded row takes, by a look at the first ones (0 without rows)."""
        if not self.rows:
            return 0.0
        # The footer's sizes are those of encoded pages, which can be far smaller.
        batch = next(self.batches(0, self.schema.names, BATCH_ROWS // 64))
        return float(batch.nbytes / max(1, batch.num_rows))

    def batches(
        self, group: int, names: Sequence[str], rows_max: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """The named columns of one row group, in batches; every field may be NULL.

        Raises: `blame` when the bytes cannot be read.
        """
        try:
            with pq.ParquetFile(self.path, metadata=self.footer) as file:
                for batch in file.iter_batches(rows_max, row_groups=[group], columns=names):
                    columns = [batch.column(name) for name in names]
                    yield pa.RecordBatch.from_arrays(columns, list(names))
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.path, error, self.blame, self.advice) from error


def open_file(path: Path, blame: type[IncrestoreError], advice: str) -> DataFile:
    """Raises: `blame`, ending with `advice`, when the file is no readable Parquet file."""
    try:
        with pq.ParquetFile(path) as file:
            return DataFile(path, file.metadata, file.schema_arrow, blame, advice)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error, blame, advice) from error


def _unreadable(
    path: Path, error: Exception, blame: type[IncrestoreError], advice: str
) -> IncrestoreError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return blame(f"{path}: cannot be read as Parquet ({reason}); {advice}")


def as_read(schema: pa.Schema) -> pa.Schema:
    """`schema` as Parquet gives it back: it knows no whole seconds, for one."""
    buffer = BytesIO()
    pq.write_table(schema.empty_table(), buffer)
    buffer.seek(0)
    return pq.read_schema(buffer).remove_metadata()


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One row group; `first` and `last` are the extremes of its complete keys."""

    file: DataFile
    group: int
    first: Key
    last: Key
    has_null_keys: bool


@dataclass(slots=True)
class Measured:
    """What the key columns of one input hold; `null_key` is one of the rows without a whole key."""

    pieces: list[Piece] = field(default_factory=list)
    samples: list[tuple[Key, int]] = field(default_factory=list)
    null_keys: int = 0
    null_key: Key | None = None


def measure(files: Iterable[DataFile], key: Sequence[str]) -> Measured:
    """Read the key columns of the files, once: extremes, samples and NULLs per row group."""
    measured = Measured()
    for file in files:
        for group in range(file.footer.num_row_groups):
            _measure_group(file, group, key, measured)
    return measured


def _measure_group(file: DataFile, group: int, key: Sequence[str], measured: Measured) -> None:
    firsts, lasts, nulls_before = [], [], measured.null_keys
    for batch in file.batches(group, key):
        keys = plain_keys(batch, key)
        if any(column.null_count for column in keys):
            keys = _without_null_keys(keys, measured)
        if len(keys[0]):
            firsts.append(smallest(keys))
            lasts.append(greatest(keys))
            measured.samples.extend(sample(keys))
    if firsts:
        has_nulls = measured.null_keys > nulls_before
        measured.pieces.append(Piece(file, group, min(firsts), max(lasts), has_nulls))


def _without_null_keys(keys: list[Any], measured: Measured) -> list[Any]:
    complete = is_complete(keys)
    measured.null_keys += len(complete) - complete.true_count
    if measured.null_key is None:
        row = complete.index(False).as_py()
        measured.null_key = tuple(column[row].as_py() for column in keys)
    return [column.filter(complete) for column in keys]


@dataclass(slots=True)
class Room:
    """The bytes that all readers together may still keep for the ranges to come."""

    bytes_left: int


class RangeReader:
    """The rows of one input, range after range in ascending order.

    A row group that reaches beyond the range is decoded again for the next one, unless what is
    left of it fits into the room: then it is kept.
    """

    def __init__(
        self, pieces: Sequence[Piece], key: Sequence[str], schema: pa.Schema, room: Room
    ) -> None:
        self._pieces = list(pieces)
        self._key = tuple(key)
        self._schema = pa.schema([pa.field(field.name, field.type) for field in schema])
        self._room = room
        self._kept: dict[Piece, list[pa.RecordBatch]] = {}

    def read(self, part: KeyRange) -> pa.Table:
        """The rows whose key is complete and lies in `part`, in no particular order."""
        batches: list[pa.RecordBatch] = []
        for piece in self._pieces:
            if part.touches(piece.first, piece.last):
                batches += self._rows_of(piece, part)
        self._pieces = [p for p in self._pieces if part.high is not None and p.last >= part.high]
        return pa.Table.from_batches(batches, self._schema)

    def _rows_of(self, piece: Piece, part: KeyRange) -> Iterator[pa.RecordBatch]:
        whole = part.covers(piece.first, piece.last)
        reaches_beyond = part.high is not None and piece.last >= part.high
        rest: list[pa.RecordBatch] | None = [] if reaches_beyond else None
        for batch in self._batches(piece):
            if whole:
                yield batch
                continue
            inside, after = self._divide(batch, part)
            yield inside
            rest = self._add_to_rest(rest, after)
        if rest is not None:
            self._kept[piece] = rest

    def _batches(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """The piece's rows with complete keys, from the next bound on if they were kept."""
        kept = self._kept.pop(piece, None)
        if kept is not None:
            self._room.bytes_left += _bytes(kept)
            yield from kept
            return
        for batch in piece.file.batches(piece.group, self._schema.names):
            if piece.has_null_keys:
                yield batch.filter(is_complete(plain_keys(batch, self._key)))
            else:
                yield batch

    def _divide(
        self, batch: pa.RecordBatch, part: KeyRange
    ) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """The rows inside the range, copied so that they hold no others in memory; those after."""
        after = batch.slice(0, 0)
        if part.high is not None:
            batch, after = _split(batch, at_or_after(plain_keys(batch, self._key), part.high))
        if part.low is not None:
            _, batch = _split(batch, at_or_after(plain_keys(batch, self._key), part.low))
        return pa.concat_batches([batch, batch.slice(0, 0)]), after

    def _add_to_rest(
        self, rest: list[pa.RecordBatch] | None, after: pa.RecordBatch
    ) -> list[pa.RecordBatch] | None:
        """Keep the rows if the room allows it; otherwise nothing of the piece is kept."""
        if rest is None:
            return None
        rest.append(after)
        self._room.bytes_left -= after.get_total_buffer_size()
        if self._room.bytes_left < 0:
            self._room.bytes_left += _bytes(rest)
            return None
        return rest


def _split(batch: pa.RecordBatch, mask: pa.BooleanArray) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The rows where `mask` is false, and where it is true; without a copy when they are sorted."""
    rows = len(mask)
    first = rows - mask.true_count
    if mask.slice(first).true_count == rows - first:
        return batch.slice(0, first), batch.slice(first)
    return batch.filter(pc.invert(mask)), batch.filter(mask)


def _bytes(batches: Iterable[pa.RecordBatch]) -> int:
    """What the batches hold in memory; a slice holds the whole that it is a part of."""
    return sum(batch.get_total_buffer_size() for batch in batches)
