"""The folding of changes: several changes of one key become the one that says the same.

For each key, oldest to newest: anything then erase = erase; anything then reset = reset; erase or
reset, then upsert = reset, its columns the union; upsert then upsert = upsert, its columns the
union; where two touch the same column the later wins. An upsert that touches every column says
the same as a reset and is left as it is.

No Python object is made per row: rows are brought together by a sort, and columns are taken.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
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
    return _fold(parts, layout, keep_erases=True)


def fold_to_rows(parts: Sequence[pa.RecordBatch], layout: FoldLayout) -> pa.RecordBatch:
    """`to_rows(fold(parts))`, without copying what is erased."""
    return to_rows(_fold(parts, layout, keep_erases=False), layout)


def _fold(
    parts: Sequence[pa.RecordBatch], layout: FoldLayout, *, keep_erases: bool
) -> pa.RecordBatch:
    schema = layout.schema
    filled = [part for part in parts if part.num_rows]
    if not filled:
        return pa.RecordBatch.from_pylist([], schema=canonical_schema(schema, False, False))
    if len(filled) == 1:
        return filled[0]
    stack = _stacked(filled, schema)
    if _follow_each_other(filled, schema.key):
        return stack
    groups = group_by_key([stack.column(name) for name in schema.key])
    newest = groups.newest
    operations = operations_of(stack)[newest]
    if SET_COLUMN in stack.schema.names:
        unfinished = (operations == Op.UPSERT) & partial_of(stack)[newest] & (groups.sizes > 1)
        if unfinished.any():
            return _united(stack, groups, unfinished, schema)
    if not keep_erases:
        newest = newest[operations != Op.ERASE]
    return stack.take(pa.array(newest))


def _follow_each_other(parts: Sequence[pa.RecordBatch], names: Sequence[str]) -> bool:
    return all(
        key_of_row(before, names, before.num_rows - 1) < key_of_row(after, names, 0)
        for before, after in itertools.pairwise(parts)
    )


def _stacked(parts: Sequence[pa.RecordBatch], schema: TableSchema) -> pa.RecordBatch:
    """The parts one after the other, in the narrowest canonical form that holds them all."""
    has_op = any(OP_COLUMN in part.schema.names for part in parts)
    has_set = any(SET_COLUMN in part.schema.names for part in parts)
    wanted = canonical_schema(schema, has_op, has_set)
    return pa.concat_batches([_in_form(part, schema, wanted) for part in parts])


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


# --- Upserts of some columns over what is older.


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """The rows of the keys whose newest change leaves columns to older ones.

    All arrays but the last two run over these rows, by key and age; those run over the keys.
    `floor` is the oldest row that may still give a value: nothing below an erase or a reset does.
    """

    rows: Positions
    whole: Flags
    erased: Flags
    ends: Positions
    floor: Positions

    def newest_touching(self, flags: Flags) -> tuple[Positions, Flags]:
        """For each key, the position of the row that gives the column, and whether one does."""
        gives = (flags[self.rows] | self.whole) & ~self.erased
        giving = np.where(gives, np.arange(len(gives)), -1)
        newest = np.maximum.accumulate(giving)[self.ends]
        found = newest >= self.floor
        return self.rows[np.where(found, newest, self.ends)], found


def _united(
    stack: pa.RecordBatch, groups: KeyGroups, unfinished: Flags, schema: TableSchema
) -> pa.RecordBatch:
    """The fold when some keys take their columns from several changes."""
    newest, partial = groups.newest, partial_of(stack)
    operations = operations_of(stack)
    below, resets = _rows_of_unfinished(groups, unfinished, operations, partial)
    struct = stack.column(SET_COLUMN)
    columns = [stack.column(name).take(pa.array(newest)) for name in schema.key]
    columns_by_name = dict(zip(schema.key, columns, strict=True))
    whole = ~partial[newest]
    whole[unfinished] = True
    flags = []
    for name in schema.value_names:
        given = flags_of(struct.field(name))
        sources, found = below.newest_touching(given)
        columns_by_name[name] = _taken(stack.column(name), newest, unfinished, sources, found)
        touched = given[newest]
        touched[unfinished] = found
        whole[unfinished] &= found
        flags.append(touched)
    folded = operations[newest]
    folded[unfinished] = np.where(resets & ~whole[unfinished], Op.RESET, Op.UPSERT)
    arrays = [columns_by_name[name] for name in schema.names]
    arrays += [pa.array(folded), set_column(schema, flags, whole)]
    return pa.RecordBatch.from_arrays(arrays, schema=canonical_schema(schema, True, True))


def _rows_of_unfinished(
    groups: KeyGroups, unfinished: Flags, operations: np.ndarray, partial: Flags
) -> tuple[_Unfinished, Flags]:
    """These rows, and for each of their keys whether an erase or a reset is among them."""
    sizes = groups.sizes
    rows = groups.order[np.repeat(unfinished, sizes)]
    sizes = sizes[unfinished]
    ends = np.cumsum(sizes) - 1
    starts = ends - sizes + 1
    barriers = np.where(operations[rows] != Op.UPSERT, np.arange(len(rows)), -1)
    newest_barrier = np.maximum.accumulate(barriers)[ends]
    found = _Unfinished(
        rows=rows,
        whole=~partial[rows],
        erased=operations[rows] == Op.ERASE,
        ends=ends,
        floor=np.maximum(newest_barrier, starts),
    )
    return found, newest_barrier >= starts


def _taken(
    column: pa.Array, newest: Positions, unfinished: Flags, sources: Positions, found: Flags
) -> pa.Array:
    """The column of the folded changes; NULL where no change of an unfinished key touches it."""
    positions = newest.copy()
    positions[unfinished] = sources
    if found.all():
        return column.take(pa.array(positions))
    untouched = np.zeros(len(newest), dtype=bool)
    untouched[unfinished] = ~found
    return column.take(pa.array(positions, mask=untouched))
