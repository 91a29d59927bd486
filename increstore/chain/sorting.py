"""Putting rows into key order, without a Python object per row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from increstore.chain.key_groups import Positions, group_by_key
from increstore.chain.keys import adjacent_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.chain.schema import TableSchema


class DoubledKey(Exception):
    """Several rows have one key: `key` is that of the first of them in key order, as one row."""

    def __init__(self, key: pa.RecordBatch) -> None:
        self.key = key
        super().__init__("a key comes twice")


def sorted_rows(portions: list[pa.Table], schema: TableSchema) -> pa.RecordBatch:
    """All rows by ascending key. `portions`, of the columns of `schema`, are used up.

    At least one row; no key is NULL. Memory: the rows once, and one column twice.
    Raises: DoubledKey.
    """
    table = pa.concat_tables(portions)
    portions.clear()
    columns = dict(zip(table.column_names, table.columns, strict=True))
    del table
    order = _order_of([columns[name].combine_chunks() for name in schema.key], schema)
    arrays = []
    for name in schema.names:
        whole = columns.pop(name).combine_chunks()
        arrays.append(whole if order is None else whole.take(order))
    return pa.RecordBatch.from_arrays(arrays, schema=schema.arrow())


def united(parts: Sequence[pa.RecordBatch], schema: TableSchema) -> pa.RecordBatch:
    """The rows of `parts`, each of them sorted, by ascending key. Raises: DoubledKey."""
    if len(parts) == 1:
        return parts[0]
    rows = pa.concat_batches(parts)
    order = _order_of([rows.column(name) for name in schema.key], schema)
    return rows if order is None else rows.take(order)


def _order_of(keys: list[pa.Array], schema: TableSchema) -> pa.Array | None:
    """The positions of the rows by ascending key; None when that is their order already."""
    rises, _ = adjacent_order(pa.RecordBatch.from_arrays(keys, names=list(schema.key)), schema.key)
    if rises.all():
        return None
    groups = group_by_key(keys)
    if len(groups.ends) < len(groups.order):
        raise DoubledKey(_key_at(keys, _first_doubled(groups.order, groups.sizes), schema))
    return pa.array(groups.order)


def _first_doubled(order: Positions, sizes: Positions) -> int:
    """The position of a row of the first key that has several."""
    # Before it every key has one row, so it is as many rows into the order as it is keys.
    return int(order[np.argmax(sizes > 1)])


def _key_at(keys: list[pa.Array], row: int, schema: TableSchema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([key.slice(row, 1) for key in keys], names=list(schema.key))
