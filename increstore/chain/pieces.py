"""Large batches cut into small ones, and small ones put together, by what they take in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def pieces(batch: pa.RecordBatch, bytes_max: int) -> Iterator[pa.RecordBatch]:
    """The batch in halves of halves until each takes at most `bytes_max`, or is one row."""
    if batch.num_rows <= 1 or batch.nbytes <= bytes_max:
        yield batch
        return
    half = batch.num_rows // 2
    yield from pieces(batch.slice(0, half), bytes_max)
    yield from pieces(batch.slice(half), bytes_max)


def portions(batches: Iterable[pa.RecordBatch], bytes_aim: int) -> Iterator[pa.Table]:
    """The same rows, not copied, in tables of less than `2 * bytes_aim`, or with a longer row."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for piece in (piece for batch in batches for piece in pieces(batch, bytes_aim)):
        waiting.append(piece)
        size += piece.nbytes
        if size >= bytes_aim:
            yield pa.Table.from_batches(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)
