"""The naive model of changes: one Python dict a row. Slow, plain, and what the fold must equal.

A state is a dict from key to {column: value}; a column that is NULL has None. Times and dates are
the integers that Arrow stores, and a NaN is the text "NaN", so that values compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from increstore.chain.changes import Op
from increstore.chain.schema import OP_COLUMN, SET_COLUMN, TableSchema

Key = tuple[Any, ...]
Row = dict[str, Any]
State = dict[Key, Row]


@dataclass(frozen=True)
class Change:
    """`values` has the touched columns only; an erase has none."""

    op: Op
    key: Key
    values: Row = field(default_factory=dict)


def upsert(*key: Any, **values: Any) -> Change:
    return Change(Op.UPSERT, key, values)


def reset(*key: Any, **values: Any) -> Change:
    return Change(Op.RESET, key, values)


def erase(*key: Any) -> Change:
    return Change(Op.ERASE, key)


def apply(state: State, change: Change, value_names: Sequence[str]) -> None:
    """One change, as a table would take it."""
    if change.op == Op.ERASE:
        state.pop(change.key, None)
        return
    if change.op == Op.RESET or change.key not in state:
        state[change.key] = dict.fromkeys(value_names)
    state[change.key].update(change.values)


def fold_two(old: Change, new: Change) -> Change:
    """The one change that says what two of the same key say one after the other."""
    if new.op in (Op.ERASE, Op.RESET):
        return new
    if old.op == Op.ERASE:
        return Change(Op.RESET, new.key, new.values)
    return Change(old.op, new.key, {**old.values, **new.values})


def fold_lists(parts: Iterable[Iterable[Change]]) -> list[Change]:
    """One change a key, by key."""
    folded: dict[Key, Change] = {}
    for part in parts:
        for change in part:
            before = folded.get(change.key)
            folded[change.key] = change if before is None else fold_two(before, change)
    return [folded[key] for key in sorted(folded)]


def plainest(changes: Iterable[Change], value_names: Sequence[str]) -> list[Change]:
    """A reset that touches all columns says the same as an upsert that does: the upsert."""
    return [
        Change(Op.UPSERT, change.key, change.values)
        if change.op == Op.RESET and set(change.values) == set(value_names)
        else change
        for change in changes
    ]


def step(state: State, old: TableSchema, new: TableSchema) -> None:
    """The state under the next schema: columns that go take their values with them."""
    gone = set(old.value_names) - set(new.value_names)
    for row in state.values():
        for name in gone:
            del row[name]
        for name in new.value_names:
            row.setdefault(name, None)


# --- To and from Arrow.


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_temporal(kind):
        integers = pa.int32() if kind.bit_width == 32 else pa.int64()
        return pa.array(values, integers).view(kind)
    if pa.types.is_floating(kind):
        values = [math.nan if value == "NaN" else value for value in values]
    return pa.array(values, kind)


def values_of(column: pa.Array) -> list[Any]:
    if pa.types.is_temporal(column.type):
        column = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
    values = column.to_pylist()
    if pa.types.is_floating(column.type):
        values = ["NaN" if value is not None and math.isnan(value) else value for value in values]
    return values


def batch_of_rows(state: State, schema: TableSchema) -> pa.RecordBatch:
    keys = sorted(state)
    rows = [dict(zip(schema.key, key, strict=True)) | state[key] for key in keys]
    arrays = [array_of([row[c.name] for row in rows], c.type) for c in schema.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema.arrow())


def rows_of_batch(batch: pa.RecordBatch, schema: TableSchema) -> list[tuple[Key, Row]]:
    """Keys and rows in the order of the batch."""
    assert batch.schema.names == list(schema.names)
    columns = {name: values_of(batch.column(name)) for name in schema.names}
    return [
        (
            tuple(columns[name][row] for name in schema.key),
            {name: columns[name][row] for name in schema.value_names},
        )
        for row in range(batch.num_rows)
    ]


def batch_of_changes(
    changes: Iterable[Change], schema: TableSchema, *, spell_out: bool = False
) -> pa.RecordBatch:
    """Sorted by key; `__op` and `__set` only when needed, or always when asked to `spell_out`."""
    ordered = sorted(changes, key=lambda change: change.key)
    whole = [c.op == Op.ERASE or set(c.values) == set(schema.value_names) for c in ordered]
    has_op = spell_out or any(change.op != Op.UPSERT for change in ordered)
    has_set = bool(schema.value_names) and (spell_out or not all(whole))
    rows = [dict(zip(schema.key, c.key, strict=True)) | c.values for c in ordered]
    arrays = [array_of([row.get(c.name) for row in rows], c.type) for c in schema.columns]
    if has_op:
        arrays.append(pa.array([int(change.op) for change in ordered], pa.uint8()))
    wanted = schema.change_arrow(has_op=has_op, has_set=has_set)
    if has_set:
        flags = [
            pa.array([name in change.values for change in ordered], pa.bool_())
            for name in schema.value_names
        ]
        hidden = pa.array([w and not spell_out for w in whole], pa.bool_())
        kind = wanted.field(SET_COLUMN).type
        arrays.append(pa.StructArray.from_arrays(flags, fields=list(kind), mask=hidden))
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)


def changes_of_batch(batch: pa.RecordBatch, schema: TableSchema) -> list[Change]:
    """In the order of the batch, which must be in one of the four forms."""
    names = batch.schema.names
    has_op, has_set = OP_COLUMN in names, SET_COLUMN in names
    assert batch.schema.equals(schema.change_arrow(has_op=has_op, has_set=has_set))
    columns = {name: values_of(batch.column(name)) for name in schema.names}
    rows = batch.num_rows
    ops = batch.column(OP_COLUMN).to_pylist() if has_op else [0] * rows
    sets = batch.column(SET_COLUMN).to_pylist() if has_set else [None] * rows
    changes = []
    for row in range(rows):
        touched = [name for name in schema.value_names if sets[row] is None or sets[row][name]]
        values = {name: columns[name][row] for name in touched} if ops[row] != Op.ERASE else {}
        key = tuple(columns[name][row] for name in schema.key)
        changes.append(Change(Op(ops[row]), key, values))
    return changes
