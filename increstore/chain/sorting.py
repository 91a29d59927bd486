"""Putting the rows of a whole table into key order, in memory, without a Python object per row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.keys import OrderFault, order_fault, show_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.chain.schema import TableSchema

BATCH_ROWS_MAX = 65_536
BATCH_BYTES_AIM = 64 << 20
# One Arrow text array holds less than this; beyond it the 64-bit layout is needed.
SMALL_LAYOUT_BYTES_MAX = 2**31 - 1


class KeyFault(Exception):
    """A key that is NULL, or that several rows have; `rows` are theirs, from 0, as given."""

    def __init__(self, fault: OrderFault, rows: tuple[int, ...]) -> None:
        self.rows = rows
        what = "is NULL" if fault.kind == "null" else "comes twice"
        super().__init__(f"{show_key(fault.key)} {what}")


def sorted_batches(
    columns: dict[str, pa.ChunkedArray], schema: TableSchema
) -> Iterator[pa.RecordBatch]:
    """The rows by ascending key, in batches of a bounded number of rows and, roughly, bytes.

    `columns`, by name in the order of `schema`, are used up: each is let go once it is in order.

    Memory: the rows once, one column twice, and the batch that is given.
    Raises: KeyFault before the first batch when a key is NULL or doubled.
    """
    order = _order_of({name: columns[name] for name in schema.key}, schema)
    rows = pa.table({name: _in_order(columns.pop(name), order) for name in tuple(columns)})
    step = _batch_rows(rows)
    for start in range(0, rows.num_rows, step):
        yield _one_batch(rows.slice(start, step)).cast(schema.arrow())


def _order_of(columns: dict[str, pa.ChunkedArray], schema: TableSchema) -> pa.Array | None:
    """The positions of the rows by ascending key; None when that is their order already."""
    keys = _one_batch(pa.table(columns))
    fault = order_fault(keys, schema.key, None)
    if fault is None:
        return None
    if fault.kind == "null":
        raise KeyFault(fault, (fault.row,))
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in schema.key])
    _refuse_doubled(keys, schema, order)
    return order


def _in_order(column: pa.ChunkedArray, order: pa.Array | None) -> pa.Array:
    """The whole column as one array; text too large for one takes the 64-bit layout."""
    whole = _one_batch(pa.table({"values": column})).column("values")
    return whole if order is None else whole.take(order)


def _refuse_doubled(keys: pa.RecordBatch, schema: TableSchema, order: pa.Array) -> None:
    fault = order_fault(keys.take(order), schema.key, None)
    if fault is not None:
        assert fault.kind == "duplicate", fault
        raise KeyFault(fault, (order[fault.row - 1].as_py(), order[fault.row].as_py()))


def _batch_rows(rows: pa.Table) -> int:
    row_bytes: int = max(1, rows.nbytes // max(1, rows.num_rows))
    return max(1, min(BATCH_ROWS_MAX, BATCH_BYTES_AIM // row_bytes))


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    """The rows as one contiguous batch; text too large for one array takes the 64-bit layout."""
    fields = [_wide_enough(rows.column(field.name), field) for field in rows.schema]
    table = rows.cast(pa.schema(fields)).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _wide_enough(column: pa.ChunkedArray, field: pa.Field) -> pa.Field:
    if column.nbytes <= SMALL_LAYOUT_BYTES_MAX:
        return field
    if pa.types.is_string(field.type):
        return field.with_type(pa.large_string())
    if pa.types.is_binary(field.type):
        return field.with_type(pa.large_binary())
    return field
