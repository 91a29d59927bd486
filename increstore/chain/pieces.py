"""Large batches cut into small ones, by what they take in memory, and small ones put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


FEW_ROWS = 4096
"""In batches of fewer, the calls for each column of each batch take longer than a copy."""


def pieces(batch: pa.RecordBatch, bytes_max: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The batch in parts of at most `bytes_max`, or of one row; and the bytes of each.

    The bytes are given because pyarrow takes long to tell them of many columns.
    """
    size: int = batch.nbytes
    if batch.num_rows <= 1 or size <= bytes_max:
        yield batch, size
        return
    step = max(1, batch.num_rows // (size // bytes_max + 1))
    for start in range(0, batch.num_rows, step):
        yield from pieces(batch.slice(start, step), bytes_max)


def portions(batches: Iterable[pa.RecordBatch], bytes_aim: int) -> Iterator[pa.Table]:
    """The same rows in tables of less than `2 * bytes_aim`, or with a longer row."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for piece, piece_bytes in (found for batch in batches for found in pieces(batch, bytes_aim)):
        waiting.append(piece)
        size += piece_bytes
        if size >= bytes_aim:
            yield _one_table(waiting)
            waiting, size = [], 0
    if waiting:
        yield _one_table(waiting)


def first_refused(column: pa.ChunkedArray, check: Callable[[pa.ChunkedArray], object]) -> int:
    """The first row for which `check` raises pa.ArrowInvalid; there is one."""
    low, high = 0, len(column)
    while high - low > 1:  # Some row before `high` is refused, none before `low` is.
        middle = (low + high) // 2
        try:
            check(column.slice(low, middle - low))
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def _one_table(batches: list[pa.RecordBatch]) -> pa.Table:
    table = pa.Table.from_batches(batches)
    return table.combine_chunks() if table.num_rows < FEW_ROWS * len(batches) else table
