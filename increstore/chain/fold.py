"""The folding of changes: several changes of one key become the one that says the same.

For each key, oldest to newest: anything then erase = erase; anything then reset = reset; erase or
reset, then upsert = reset, its columns the union; upsert then upsert = upsert, its columns the
union; where two touch the same column the later wins. An upsert that touches every column says
the same as a reset and is left as it is.

No Python object is made per row: rows are brought together by a sort, and columns are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from increstore.chain.changes import Op
from increstore.chain.difference import diff
from increstore.chain.key_groups import KeyGroups, Positions, group_by_key
from increstore.chain.keys import key_of_row
from increstore.chain.layout import (
    Flags,
    FoldLayout,
    align,
    canonical_schema,
    flags_of,
    operations_of,
    partial_of,
    set_column,
    to_rows,
)
from increstore.chain.schema import OP_COLUMN, SET_COLUMN, TableSchema

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FoldLayout", "align", "diff", "fold", "fold_to_rows", "to_rows"]


def fold(parts: Sequence[pa.RecordBatch], layout: FoldLayout) -> pa.RecordBatch:
    """One canonical change a key, sorted, that says what `parts` say one after the other.

    The parts are canonical, oldest first, each sorted by key with no key twice. Parts that follow
    each other in the key order may be of one age.
    """
    schema = layout.schema
    stack, is_folded = _stacked(parts, schema)
    if is_folded:
        return stack
    groups = group_by_key([stack.column(name) for name in schema.key])
    newest = groups.newest
    if SET_COLUMN in stack.schema.names:
        leaves_columns = partial_of(stack)[newest] & (operations_of(stack)[newest] == Op.UPSERT)
        unfinished = leaves_columns & (groups.sizes > 1)
        if unfinished.any():
            return _united_changes(stack, groups, unfinished, schema)
    return stack.take(pa.array(newest))


def fold_to_rows(parts: Sequence[pa.RecordBatch], layout: FoldLayout) -> pa.RecordBatch:
    """`to_rows(fold(parts))`, without making what only changes need."""
    schema = layout.schema
    stack, is_folded = _stacked(parts, schema)
    if is_folded:
        return to_rows(stack, layout)
    groups = group_by_key([stack.column(name) for name in schema.key])
    kept = operations_of(stack)[groups.newest] != Op.ERASE
    newest = groups.newest[kept]
    if SET_COLUMN in stack.schema.names:
        unfinished = partial_of(stack)[groups.newest] & kept
        if unfinished.any():
            below = _Unfinished.of(stack, groups, unfinished)
            at = np.flatnonzero(unfinished[kept])
            columns = _united_columns(stack, newest, at, below, schema)
            return pa.RecordBatch.from_arrays(columns, schema=schema.arrow())
    return to_rows(stack.select(schema.names).take(pa.array(newest)), layout)


def _stacked(parts: Sequence[pa.RecordBatch], schema: TableSchema) -> tuple[pa.RecordBatch, bool]:
    """The parts one after the other, and whether that is their fold already.

    In the narrowest canonical form that holds them all.
    """
    parts = [part for part in parts if part.num_rows]
    if not parts:
        return pa.RecordBatch.from_pylist([], schema=canonical_schema(schema, False, False)), True
    if len(parts) == 1:
        return parts[0], True
    has_op = any(OP_COLUMN in part.schema.names for part in parts)
    has_set = any(SET_COLUMN in part.schema.names for part in parts)
    wanted = canonical_schema(schema, has_op, has_set)
    stack = pa.concat_batches([_in_form(part, schema, wanted) for part in parts])
    return stack, _follow_each_other(parts, schema.key)


def _follow_each_other(parts: Sequence[pa.RecordBatch], names: Sequence[str]) -> bool:
    return all(
        key_of_row(before, names, before.num_rows - 1) < key_of_row(after, names, 0)
        for before, after in pairwise(parts)
    )


def _in_form(part: pa.RecordBatch, schema: TableSchema, wanted: pa.Schema) -> pa.RecordBatch:
    names = part.schema.names
    if len(names) == len(wanted.names):
        return part
    columns = part.columns[: len(schema.columns)]
    if OP_COLUMN in wanted.names:
        columns.append(pa.array(operations_of(part)))
    if SET_COLUMN in names:
        columns.append(part.column(SET_COLUMN))
    elif SET_COLUMN in wanted.names:
        whole = np.ones(part.num_rows, dtype=bool)
        columns.append(set_column(schema, [whole] * len(schema.value_names), whole))
    return pa.RecordBatch.from_arrays(columns, schema=wanted)


# --- Changes of some columns over what is older.


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """The rows of the keys whose newest change may leave columns to older ones.

    `rows` (positions), `whole` and `erased` run over these rows, by key and age; `ends` (where in
    `rows` a key has its last), `floor` and `is_reset` run over the keys. `floor` is the oldest row
    that may give a value: nothing below an erase or a reset does.
    """

    rows: Positions
    whole: Flags
    erased: Flags
    ends: Positions
    floor: Positions
    is_reset: Flags

    @classmethod
    def of(cls, stack: pa.RecordBatch, groups: KeyGroups, unfinished: Flags) -> _Unfinished:
        sizes = groups.sizes
        rows = groups.order[np.repeat(unfinished, sizes)]
        sizes = sizes[unfinished]
        ends = np.cumsum(sizes) - 1
        starts = ends - sizes + 1
        operations = operations_of(stack)[rows]
        barriers = np.where(operations != Op.UPSERT, np.arange(len(rows)), -1)
        newest_barrier = np.maximum.accumulate(barriers)[ends]
        return cls(
            rows=rows,
            whole=~partial_of(stack)[rows],
            erased=operations == Op.ERASE,
            ends=ends,
            floor=np.maximum(newest_barrier, starts),
            is_reset=newest_barrier >= starts,
        )

    def newest_touching(self, flags: Flags) -> tuple[Positions, Flags]:
        """For each key, the position of the row that gives the column, and whether one does."""
        gives = (flags[self.rows] | self.whole) & ~self.erased
        giving = np.where(gives, np.arange(len(gives)), -1)
        newest = np.maximum.accumulate(giving)[self.ends]
        found = newest >= self.floor
        return self.rows[np.where(found, newest, self.ends)], found


def _united_columns(
    stack: pa.RecordBatch,
    newest: Positions,
    at: Positions,
    below: _Unfinished,
    schema: TableSchema,
) -> list[pa.Array]:
    """Every column of the keys whose newest rows are `newest`; those `at` are the unfinished."""
    columns = []
    for name in schema.names:
        positions, missing = newest, None
        if name not in schema.key:
            sources, found = below.newest_touching(_flags(stack, name))
            positions = newest.copy()
            positions[at] = sources
            if not found.all():
                missing = np.zeros(len(newest), dtype=bool)
                missing[at] = ~found
        columns.append(stack.column(name).take(pa.array(positions, mask=missing)))
    return columns


def _united_changes(
    stack: pa.RecordBatch, groups: KeyGroups, unfinished: Flags, schema: TableSchema
) -> pa.RecordBatch:
    """The fold when some keys take their columns from several changes."""
    newest = groups.newest
    at = np.flatnonzero(unfinished)
    below = _Unfinished.of(stack, groups, unfinished)
    columns = _united_columns(stack, newest, at, below, schema)
    flags = []
    whole = np.ones(len(at), dtype=bool)
    for name in schema.value_names:
        given = _flags(stack, name)
        _, found = below.newest_touching(given)
        touched = given[newest]
        touched[at] = found
        whole &= found
        flags.append(touched)
    touches_all = ~partial_of(stack)[newest]
    touches_all[at] = whole
    operations = operations_of(stack)[newest]
    operations[at] = np.where(below.is_reset & ~whole, Op.RESET, Op.UPSERT)
    columns += [pa.array(operations), set_column(schema, flags, touches_all)]
    return pa.RecordBatch.from_arrays(columns, schema=canonical_schema(schema, True, True))


def _flags(stack: pa.RecordBatch, name: str) -> Flags:
    return flags_of(stack.column(SET_COLUMN).field(name))
