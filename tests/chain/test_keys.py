"""Keys compare as Arrow orders them, survive JSON, and find every fault of order."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain.keys import (
    OrderFault,
    cut,
    decode_key,
    encode_key,
    key_of_row,
    order_fault,
    show_key,
)
from increstore.chain.schema import Column, TableSchema

from .model import array_of
from .strategies import KEY_TYPES, keys, schema_of, values

COMPOSITE = schema_of("composite", ())


def one_column(kind: pa.DataType) -> TableSchema:
    return TableSchema((Column("k", kind),), ("k",))


def batch_of_keys(all_keys: list[tuple], schema: TableSchema) -> pa.RecordBatch:
    arrays = [
        array_of([key[n] for key in all_keys], column.type)
        for n, column in enumerate(schema.columns)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(schema.names))


@settings(max_examples=15, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", KEY_TYPES, ids=str)
def test_python_orders_keys_of_every_type_as_arrow_does(kind, data):
    some = data.draw(st.lists(values(kind), min_size=1, max_size=8))
    schema = one_column(kind)
    batch = batch_of_keys([(value,) for value in some], schema)

    by_arrow = batch.take(pc.sort_indices(batch.column("k")))
    in_order = [key_of_row(by_arrow, schema.key, row) for row in range(len(some))]

    assert in_order == sorted((value,) for value in some)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", KEY_TYPES, ids=str)
def test_a_key_of_every_type_survives_json_exactly(kind, data):
    key = (data.draw(values(kind)),)
    written = json.loads(json.dumps(encode_key(key, one_column(kind))))
    read = decode_key(written, one_column(kind))
    assert read == key
    assert [type(value) for value in read] == [type(value) for value in key]
    assert str(read) == str(key)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (pa.int64(), [True]),
        (pa.int64(), ["1"]),
        (pa.int64(), [1.0]),
        (pa.int64(), [None]),
        (pa.int64(), []),
        (pa.int64(), [1, 2]),
        (pa.int64(), "1"),
        (pa.bool_(), [1]),
        (pa.string(), [1]),
        (pa.binary(), ["no hex"]),
        (pa.decimal128(5, 2), ["one"]),
        (pa.decimal128(5, 2), ["NaN"]),
        (pa.timestamp("ns"), ["2024-01-01"]),
    ],
)
def test_a_key_of_another_shape_or_type_is_refused(kind, written):
    with pytest.raises(ValueError, match="expected"):
        decode_key(written, one_column(kind))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), key=st.sampled_from(["int", "text", "composite"]))
def test_a_cut_counts_the_rows_below_each_bound(data, key):
    schema = schema_of(key, ())
    some = sorted(data.draw(st.sets(keys(key), max_size=12)))
    bounds = sorted(data.draw(st.lists(keys(key), max_size=5)))
    batch = (
        batch_of_keys([*some[:1], *some], schema).slice(1) if some else batch_of_keys([], schema)
    )

    positions = cut(batch, schema.key, bounds)

    assert positions == [sum(one < bound for one in some) for bound in bounds]


@settings(max_examples=80, deadline=None)
@given(data=st.data(), key=st.sampled_from(["int", "text", "composite"]))
def test_the_first_fault_of_order_is_found(data, key):
    schema = schema_of(key, ())
    some = data.draw(st.lists(keys(key), max_size=8))
    if data.draw(st.booleans()):
        some = sorted(set(some))
    after = data.draw(st.none() | keys(key))

    fault = order_fault(batch_of_keys(some, schema), schema.key, after)

    assert fault == _first_fault(some, after)


def _first_fault(some: list[tuple], after: tuple | None) -> OrderFault | None:
    for row, key in enumerate(some):
        if after is not None and key <= after:
            return OrderFault(row, "duplicate" if key == after else "unsorted", key)
        after = key
    return None


def test_a_null_in_any_key_column_is_a_fault():
    batch = batch_of_keys([("a", 1), ("b", None), (None, 1)], COMPOSITE)
    assert order_fault(batch, COMPOSITE.key, None) == OrderFault(1, "null", ("b", None))
    assert order_fault(batch.slice(2), COMPOSITE.key, None) == OrderFault(0, "null", (None, 1))


def test_a_batch_without_rows_is_in_order():
    assert order_fault(batch_of_keys([], COMPOSITE), COMPOSITE.key, ("z", 9)) is None


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ((42,), "42"),
        (("oslo", 7), "('oslo', 7)"),
        ((None, b"\x01\xff"), "(NULL, 0x01ff)"),
        ((Decimal("1.50"),), "1.50"),
        (("x" * 100,), "'" + "x" * 40 + "'.."),
    ],
)
def test_a_key_is_shown_to_people_in_short(key, shown):
    assert show_key(key) == shown
