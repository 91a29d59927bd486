"""The fold of many sorted runs in key order, in slices of bounded memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from increstore.chain.fold import FoldLayout, fold, fold_to_rows
from increstore.chain.keys import Key, cut, key_of_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SLICE_ROWS = 131072
SLICE_BYTES = 64 << 20
"""Where a slice ends; of long rows it has fewer."""


class SortedBatch(Protocol):
    """A canonical batch, sorted by key, that is read only when its turn comes."""

    @property
    def first(self) -> Key: ...

    @property
    def last(self) -> Key: ...

    @property
    def rows(self) -> int: ...

    def load(self) -> pa.RecordBatch: ...


_Piece = tuple[int, pa.RecordBatch]
"""Rows of one run that are loaded and not yet merged, with the age of the run (0 is the oldest)."""


def merge(
    runs: Sequence[Sequence[SortedBatch]],
    layout: FoldLayout,
    *,
    slice_rows: int = SLICE_ROWS,
    as_rows: bool,
) -> Iterator[pa.RecordBatch]:
    """The fold of all runs (oldest first) in key order; no slice is empty.

    With `as_rows` the slices are the rows that the changes make of an empty table; else they are
    canonical changes.

    Memory: that of `slices_by_key`, and the fold of one slice.
    """
    for parts in slices_by_key(runs, layout.schema.key, slice_rows=slice_rows):
        folded = (fold_to_rows if as_rows else fold)(parts, layout)
        if folded.num_rows:
            yield folded


def slices_by_key(
    runs: Sequence[Sequence[SortedBatch]],
    names: Sequence[str],
    *,
    slice_rows: int = SLICE_ROWS,
    slice_bytes: int = SLICE_BYTES,
) -> Iterator[list[pa.RecordBatch]]:
    """All runs (oldest first), cut at the same keys: the parts of each slice, oldest first.

    A run's batches ascend and do not overlap. Every row of one key (`names`) is in the same slice.

    Memory: each batch is loaded once, when a slice reaches its first key, and dropped when a
    slice has passed its last key. So no more is loaded than a slice (`slice_rows` or `slice_bytes`,
    whichever is full first) and one batch of each run; what is given is of at most 1.5 times both,
    unless a single row or a single key is larger.
    """
    assert slice_rows > 0
    waiting = deque(
        sorted(
            ((age, batch) for age, run in enumerate(runs) for batch in run if batch.rows),
            key=lambda entry: entry[1].first,
        )
    )
    loaded: list[_Piece] = []
    while waiting or loaded:
        bound = _load_a_slice(waiting, loaded, names, slice_rows, slice_bytes)
        below, loaded = _split_at(loaded, names, bound)
        yield from _slices(below, names, slice_rows, slice_bytes)


def _load_a_slice(
    waiting: deque[tuple[int, SortedBatch]],
    loaded: list[_Piece],
    names: Sequence[str],
    slice_rows: int,
    slice_bytes: int,
) -> Key | None:
    """Load until a slice lies below the first key still waiting; that key, or None."""
    while waiting:
        bound = waiting[0][1].first
        below, _ = _split_at(loaded, names, bound)
        rows = slice_rows - sum(piece.num_rows for _, piece in below)
        room = slice_bytes - _bytes_of(below, slice_bytes)
        if rows <= 0 or room <= 0:
            return bound
        while waiting and rows > 0 and room > 0:
            age, batch = waiting.popleft()
            piece = batch.load()
            loaded.append((age, piece))
            rows -= batch.rows
            room -= piece.nbytes
    return None


def _bytes_of(pieces: list[_Piece], limit: int) -> int:
    """The bytes of the pieces; as long as it is below `limit`, it may be too many.

    Those of whole buffers are known at once. How much of them a slice refers to pyarrow takes long
    to find out, and it matters only where there is little room: for long rows.
    """
    whole = sum(piece.get_total_buffer_size() for _, piece in pieces)
    return whole if whole < limit else sum(piece.nbytes for _, piece in pieces)


def _split_at(
    pieces: list[_Piece], names: Sequence[str], bound: Key | None
) -> tuple[list[_Piece], list[_Piece]]:
    """The rows below `bound` (None: all of them), and the others."""
    if bound is None:
        return pieces, []
    below, others = [], []
    for age, piece in pieces:
        rows = cut(piece, names, [bound])[0]
        if rows > 0:
            below.append((age, piece.slice(0, rows)))
        if rows < piece.num_rows:
            others.append((age, piece.slice(rows)))
    return below, others


def _slices(
    pieces: list[_Piece], names: Sequence[str], slice_rows: int, slice_bytes: int
) -> Iterator[list[pa.RecordBatch]]:
    """The pieces cut by key into slices of about that size, each piece oldest first."""
    rows = sum(piece.num_rows for _, piece in pieces)
    size = _bytes_of(pieces, slice_bytes * 3 // 2)
    longest = max((piece for _, piece in pieces), key=lambda piece: piece.num_rows)
    small = rows <= slice_rows * 3 // 2 and size <= slice_bytes * 3 // 2
    if small or longest.num_rows == 1:
        yield [piece for _, piece in sorted(pieces, key=lambda entry: entry[0])]
        return
    middle = key_of_row(longest, names, longest.num_rows // 2)
    for half in _split_at(pieces, names, middle):
        yield from _slices(half, names, slice_rows, slice_bytes)
