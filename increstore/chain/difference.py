"""The changes that turn one state of a table into another: what an incremental backup holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.changes import Op
from increstore.chain.key_groups import Positions, group_by_key
from increstore.chain.layout import Flags, FoldLayout, canonical_schema, set_column

if TYPE_CHECKING:
    from increstore.chain.schema import TableSchema


def diff(
    old: pa.RecordBatch, new: pa.RecordBatch, layout: FoldLayout | TableSchema
) -> pa.RecordBatch:
    """The fewest changes, canonical and sorted, that turn the rows `old` into the rows `new`.

    Both are sorted by key with no key twice; `new` has the schema of `layout`, and `old` that
    schema or an earlier one. An inserted row touches all columns, an updated one those that
    differ (a NaN equals a NaN, and -0.0 equals 0.0); a deleted row is an erase. A column that
    `old` does not have counts as NULL there.
    """
    schema = layout.schema if isinstance(layout, FoldLayout) else layout
    before, after = _in_schema(old, schema), _in_schema(new, schema)
    pairs = _paired(before, after, schema)
    flags = [_differs(before.column(n), after.column(n), pairs) for n in schema.value_names]
    changed = ~pairs.in_both
    for column in flags:
        changed[pairs.in_both] |= column
    return _changes(before, after, pairs, flags, changed, schema)


class _Pairs:
    """For every key of either state, ascending: its row in each, or -1."""

    def __init__(self, old_rows: Positions, new_rows: Positions) -> None:
        self.old_rows = old_rows
        self.new_rows = new_rows
        self.in_both: Flags = (old_rows >= 0) & (new_rows >= 0)


def _in_schema(rows: pa.RecordBatch, schema: TableSchema) -> pa.RecordBatch:
    names = rows.schema.names
    columns = [
        rows.column(column.name).cast(column.type)
        if column.name in names
        else pa.nulls(rows.num_rows, column.type)
        for column in schema.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema.arrow())


def _paired(old: pa.RecordBatch, new: pa.RecordBatch, schema: TableSchema) -> _Pairs:
    if old.num_rows + new.num_rows == 0:
        nothing = np.empty(0, dtype=np.int64)
        return _Pairs(nothing, nothing)
    keys = [pa.concat_arrays([old.column(name), new.column(name)]) for name in schema.key]
    groups = group_by_key(keys)
    newest = groups.newest
    oldest = groups.order[groups.ends - groups.sizes + 1]
    return _Pairs(
        np.where(oldest < old.num_rows, oldest, -1),
        np.where(newest >= old.num_rows, newest - old.num_rows, -1),
    )


def _differs(old: pa.Array, new: pa.Array, pairs: _Pairs) -> Flags:
    """For every key in both states, whether this column differs."""
    before = _taken(old, pairs.old_rows[pairs.in_both])
    after = _taken(new, pairs.new_rows[pairs.in_both])
    same = pc.fill_null(pc.equal(before, after), False)
    if before.null_count and after.null_count:
        same = pc.or_(same, pc.and_(pc.is_null(before), pc.is_null(after)))
    if pa.types.is_floating(old.type):
        both_nan = pc.and_(pc.is_nan(before), pc.is_nan(after))
        same = pc.or_(same, pc.fill_null(both_nan, False))
    differs: Flags = ~np.asarray(same.to_numpy(zero_copy_only=False), dtype=bool)
    return differs


def _taken(column: pa.Array, rows: Positions) -> pa.Array:
    """`rows` ascend: when there are as many as the column has, they are all of it."""
    return column if len(rows) == len(column) else column.take(pa.array(rows))


def _changes(
    old: pa.RecordBatch,
    new: pa.RecordBatch,
    pairs: _Pairs,
    flags: list[Flags],
    changed: Flags,
    schema: TableSchema,
) -> pa.RecordBatch:
    old_rows, new_rows = pairs.old_rows[changed], pairs.new_rows[changed]
    erased = new_rows < 0
    updated = pairs.in_both[changed]
    changed_pairs = changed[pairs.in_both]
    touched = []
    for column in flags:
        touches = np.ones(len(new_rows), dtype=bool)
        touches[updated] = column[changed_pairs]
        touched.append(touches)
    whole = np.logical_and.reduce(touched) if touched else np.ones(len(new_rows), dtype=bool)
    arrays = _columns(
        old, new, old_rows, new_rows, dict(zip(schema.value_names, touched, strict=False)), schema
    )
    has_op, has_set = bool(erased.any()), not whole.all()
    if has_op:
        arrays.append(pa.array(np.where(erased, Op.ERASE, Op.UPSERT).astype(np.uint8)))
    if has_set:
        arrays.append(set_column(schema, touched, whole))
    return pa.RecordBatch.from_arrays(arrays, schema=canonical_schema(schema, has_op, has_set))


def _columns(
    old: pa.RecordBatch,
    new: pa.RecordBatch,
    old_rows: Positions,
    new_rows: Positions,
    touched: dict[str, Flags],
    schema: TableSchema,
) -> list[pa.Array]:
    """Keys of all changes; values where touched, and NULL elsewhere."""
    erased = new_rows < 0
    source = np.where(erased, old_rows, new_rows + old.num_rows)
    arrays = []
    for name in schema.names:
        if name in schema.key:
            keys = pa.concat_arrays([old.column(name), new.column(name)])
            arrays.append(keys.take(pa.array(source)))
        else:
            missing = erased | ~touched[name]
            arrays.append(new.column(name).take(pa.array(new_rows, mask=missing)))
    return arrays
