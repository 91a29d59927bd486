"""The final rows of one target shard: the fold of its runs, written once as Parquet."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from increstore.chain.digest import DIGEST_MASK, rows_digest
from increstore.chain.files import make_directories, sync_directory
from increstore.chain.merge import merge
from increstore.store.files import TEMPORARY_SUFFIX, begin_write_back, told_as_storage_failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from increstore.chain.fold import FoldLayout
    from increstore.chain.merge import SortedBatch

ROW_GROUP_ROWS = 131_072
_SLICE_ROWS = 65_536  # A twice larger slice is no faster and holds 20 MB more a shard.
_READ_ROWS = 65_536
_SAMPLE_BYTES = 65_536
_SHRUNK_AT_MOST = 0.4
_WRITE_ROWS = 65_536  # Values encoded in one go; the usual 1024 cost a tenth more time.


class FinalFile:
    """Writes final rows under a temporary name; what was written before stays until `finish`.

    Memory: the rows of one row group, before and after encoding.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
        # Opened here and not by the writer: one that fails keeps its file, and the space that a
        # removed file takes, until the garbage collector comes.
        self._sink: pa.OSFile | None = None
        self._writer: pq.ParquetWriter | None = None
        self._bytes_sent = 0
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Rows behind those added before. Raises: StorageFailed."""
        self._pending.append(rows)
        self._pending_rows += rows.num_rows
        if self._pending_rows >= ROW_GROUP_ROWS:
            self._flush()

    def finish(self) -> int:
        """Make the file durable under its name; its length in bytes. Raises: StorageFailed."""
        self._flush()
        with told_as_storage_failed(self._path, "writing the final rows"):
            assert self._writer is not None
            assert self._sink is not None
            self._writer.close()
            handle = self._sink.fileno()
            os.fsync(handle)
            size = os.fstat(handle).st_size
            self._sink.close()
            self._temporary.replace(self._path)
            sync_directory(self._path.parent)
        return size

    def discard(self) -> None:
        """Give up: remove what was written under the temporary name."""
        # Closing writes the end of the file: there may be no room for that, and nobody needs it.
        with contextlib.suppress(OSError):
            if self._writer is not None:
                self._writer.close()
        with contextlib.suppress(OSError):
            if self._sink is not None:
                self._sink.close()
        with told_as_storage_failed(self._temporary, "removing a part of the final rows"):
            self._temporary.unlink(missing_ok=True)

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._pending, self._schema)
        self._pending, self._pending_rows = [], 0
        with told_as_storage_failed(self._path, "writing the final rows"):
            if self._writer is None:
                make_directories(self._path.parent)
                deltas = _delta_columns(self._schema)
                self._sink = pa.OSFile(str(self._temporary), mode="wb")
                self._writer = pq.ParquetWriter(
                    self._sink,
                    self._schema,
                    compression=_compression_of(table, deltas),
                    column_encoding=dict.fromkeys(deltas, "DELTA_BINARY_PACKED"),
                    use_dictionary=False,  # Building dictionaries makes writing four times slower.
                    write_batch_size=_WRITE_ROWS,
                )
            if table.num_rows:
                assert self._sink is not None
                self._writer.write_table(table, row_group_size=table.num_rows)
                self._bytes_sent = begin_write_back(self._sink.fileno(), self._bytes_sent)


def _delta_columns(schema: pa.Schema) -> list[str]:
    """The columns of integers, dates and times: stored as the bits in which neighbours differ.

    Written as fast as plain values, read faster than compressed ones, and smaller than those:
    a sorted key takes a byte a row or less.
    """
    return [
        field.name
        for field in schema
        if pa.types.is_integer(field.type) or pa.types.is_temporal(field.type)
    ]


def _compression_of(table: pa.Table, deltas: Sequence[str]) -> dict[str, str]:
    """Per column: Snappy, which every reader knows, where the first rows shrink to two fifths.

    Short of that it costs more than it saves: compressing the text of the benchmark's rows, to a
    half, takes as long as everything else about writing them.
    """
    return {
        name: "snappy" if name not in deltas and _shrinks(table.column(name)) else "none"
        for name in table.schema.names
    }


def _shrinks(column: pa.ChunkedArray) -> bool:
    for chunk in column.chunks[:1]:
        values = chunk.buffers()[-1]
        if values is not None:
            sample = values.slice(0, min(values.size, _SAMPLE_BYTES))
            packed = pa.compress(sample, codec="snappy")
            return bool(packed.size <= _SHRUNK_AT_MOST * sample.size)
    return False


def write_final_rows(
    runs: Sequence[Sequence[SortedBatch]], layout: FoldLayout, path: Path, *, even_if_empty: bool
) -> tuple[int, int, int]:
    """Fold `runs` (oldest first) into `path`: (rows, state digest, bytes), durable.

    Zero bytes say that there were no rows and that no file was made.
    Memory: what `merge` holds, and one row group. Raises: StorageCorrupted, StorageFailed.
    """
    rows, digest = 0, 0
    file = FinalFile(path, layout.schema.arrow())
    try:
        for batch in merge(runs, layout, slice_rows=_SLICE_ROWS, as_rows=True):
            if batch.num_rows:
                file.add(batch)
                rows += batch.num_rows
                digest = (digest + rows_digest(batch, layout.schema)) & DIGEST_MASK
        if rows or even_if_empty:
            return rows, digest, file.finish()
        file.discard()
        with told_as_storage_failed(path, "removing an earlier file of final rows"):
            path.unlink(missing_ok=True)
        return rows, digest, 0
    except BaseException:
        file.discard()
        raise


def read_final_rows(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows in key order, in bounded batches. Raises: StorageFailed."""
    with told_as_storage_failed(path, "reading the final rows"), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_READ_ROWS):
            yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
