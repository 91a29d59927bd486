"""Key ranges: comparing keys in columns, and cutting the key space into parts of bounded size.

A key is a tuple of Python values, one a key column, in their *plain* form (times as integers), so
that tuples compare as the columns do. A range is `low <= key < high`; None is unbounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Key: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = Any
"""A pa.RecordBatch or a pa.Table."""

SAMPLE_STEP = 4096
"""One key in so many is sampled: what the size of a range may be wrong by, per input."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys `low <= key < high`; None is unbounded."""

    low: Key | None
    high: Key | None

    def touches(self, first: Key, last: Key) -> bool:
        """Whether a key from `first` to `last`, both included, may lie in the range."""
        return (self.low is None or last >= self.low) and (self.high is None or first < self.high)

    def covers(self, first: Key, last: Key) -> bool:
        """Whether all keys from `first` to `last`, both included, lie in the range."""
        return (self.low is None or first >= self.low) and (self.high is None or last < self.high)


def plain_keys(rows: Rows, names: Sequence[str]) -> list[Any]:
    """The key columns as types whose Python values compare exactly: times become integers."""
    return [_plain(rows.column(name)) for name in names]


def _plain(column: Any) -> Any:
    if pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    if pa.types.is_temporal(column.type):
        return column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    return column


def is_complete(keys: Sequence[Any]) -> Any:
    """Per row, whether no part of its key is NULL."""
    mask = pc.is_valid(keys[0])
    for column in keys[1:]:
        mask = pc.and_(mask, pc.is_valid(column))
    return mask


def at_or_after(keys: Sequence[Any], bound: Key) -> Any:
    """Per row, whether its key is `bound` or greater, compared column by column."""
    mask = None
    for column, value in reversed(list(zip(keys, bound, strict=True))):
        scalar = pa.scalar(value, column.type)
        if mask is None:
            mask = pc.greater_equal(column, scalar)
        else:
            tied = pc.and_(pc.equal(column, scalar), mask)
            mask = pc.or_(pc.greater(column, scalar), tied)
    return mask


def smallest(keys: Sequence[Any]) -> Key:
    """The smallest key; there is at least one row."""
    return _extreme(keys, pc.min)


def greatest(keys: Sequence[Any]) -> Key:
    """The greatest key; there is at least one row."""
    return _extreme(keys, pc.max)


def _extreme(keys: Sequence[Any], pick: Any) -> Key:
    left, values = list(keys), []
    while left:
        value = pick(left[0])
        values.append(value.as_py())
        ties = pc.equal(left[0], value) if len(left) > 1 else None
        left = [column.filter(ties) for column in left[1:]]
    return tuple(values)


def sample(keys: Sequence[Any], step: int = SAMPLE_STEP) -> list[tuple[Key, int]]:
    """Every step-th key with the rows that it stands for."""
    rows = len(keys[0])
    places = pa.array(range(0, rows, step), pa.int64())
    values = zip(*(column.take(places).to_pylist() for column in keys), strict=True)
    return [(key, min(step, rows - step * n)) for n, key in enumerate(values)]


def cut(samples: Iterable[tuple[Key, int]], rows_max: int) -> list[KeyRange]:
    """Ranges that cover every key, in order, each of about `rows_max` sampled rows at most."""
    bounds: list[Key | None] = [None]
    held = 0
    for key, rows in sorted(samples):
        if held and held + rows > rows_max and key != bounds[-1]:
            bounds.append(key)
            held = 0
        held += rows
    return [KeyRange(low, high) for low, high in pairwise([*bounds, None])]
