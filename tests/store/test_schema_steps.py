"""Chains whose schema changes, and keys of every kind, through both stores."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from increstore.chain.digest import payload_digest, rows_digest
from increstore.chain.keys import key_of_row
from increstore.chain.schema import Column, TableSchema
from increstore.protocol.messages import ScanId
from increstore.protocol.ready import ApplyBatch
from increstore.store.memory import MemoryStore
from increstore.store.seam import StoreLayout

from .builders import a_segment_store, evidence_of


@pytest.fixture(params=["memory", "segment", "compacted"])
def make_store(request, tmp_path):
    stores = []

    def make(layout):
        if request.param == "memory":
            stores.append(stores[0] if stores else MemoryStore(layout))
            return stores[0]
        options = {"runs_max": 2} if request.param == "compacted" else {}
        return a_segment_store(tmp_path, layout, **options)

    return make


def a_table(key, /, **columns):
    return TableSchema(tuple(Column(name, kind) for name, kind in columns.items()), key)


def send(store, rows, incremental):
    """Append one row a batch, then seal: so that recovery reads every key back from disk."""
    batches = []
    for order, at in enumerate(range(rows.num_rows), start=1):
        payload = rows.slice(at, 1).serialize().to_pybytes()
        scan = ScanId("r1", incremental, "orders/s0", 0)
        batches.append(ApplyBatch(scan, order, 1, payload_digest(payload), payload))
    if batches:
        store.append(batches)
    store.seal(incremental, evidence_of(batches))


def a_batch_of(schema, rows):
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def through(make_store, layout, chain):
    """The final rows of the chain, the store opened anew before each incremental."""
    for incremental, rows in enumerate(chain):
        store = make_store(layout)
        store.recover()
        send(store, rows, incremental)
    store = make_store(layout)
    store.recover()
    counted = store.finalize()
    table = pa.Table.from_batches(store.final_rows(), layout.final.arrow())
    for_digest = sum(rows_digest(batch, layout.final) for batch in table.to_batches()) % 2**64
    assert counted == (table.num_rows, for_digest)
    return table.to_pylist()


def a_layout_of(final, schemas, column_since):
    return StoreLayout(
        restore="r1",
        table="orders",
        shard="orders/t0",
        batch_schemas=dict(enumerate(schemas)),
        final=final,
        column_since={name: column_since.get(name, 0) for name in final.names},
        low=None,
        high=None,
    )


def test_columns_come_go_widen_and_come_back_as_new_ones(make_store):
    first = a_table(("id",), id=pa.int64(), a=pa.int32(), b=pa.string())
    second = a_table(("id",), id=pa.int64(), a=pa.int64(), c=pa.float64())
    third = a_table(("id",), id=pa.int64(), a=pa.int64(), c=pa.float64(), b=pa.string())
    schemas = [
        first.arrow(),
        second.change_arrow(has_op=True, has_set=True),
        third.change_arrow(has_op=False, has_set=True),
        third.change_arrow(has_op=True, has_set=False),
    ]
    chain = [
        a_batch_of(schemas[0], [{"id": n, "a": n, "b": f"old {n}"} for n in range(4)]),
        a_batch_of(
            schemas[1],
            [
                {"id": 1, "a": None, "c": 1.5, "__op": 0, "__set": {"a": False, "c": True}},
                {"id": 2, "a": None, "c": None, "__op": 1, "__set": {"a": False, "c": False}},
                {"id": 5, "a": 2**40, "c": None, "__op": 0, "__set": None},
            ],
        ),
        a_batch_of(
            schemas[2],
            [
                {"id": 0, "b": "new", "__set": {"a": False, "c": False, "b": True}},
                {"id": 1, "a": None, "__set": {"a": True, "c": False, "b": False}},
            ],
        ),
        a_batch_of(schemas[3], [{"id": 3, "__op": 2}]),
    ]

    assert through(make_store, a_layout_of(third, schemas, {"c": 1, "b": 2}), chain) == [
        {"id": 0, "a": 0, "c": None, "b": "new"},
        {"id": 1, "a": None, "c": 1.5, "b": None},
        {"id": 2, "a": None, "c": None, "b": None},
        {"id": 5, "a": 2**40, "c": None, "b": None},
    ]


KEYS = {
    "text": (pa.string(), ["", "Z", "a", "ä", "\U0001f600"]),
    "bytes": (pa.binary(), [b"", b"\x00", b"\x00\x01", b"\xff"]),
    "decimal": (pa.decimal128(20, 3), [Decimal("-1.500"), Decimal("0.000"), Decimal("9.125")]),
    "unsigned": (pa.uint64(), [0, 2**63, 2**64 - 1]),
    "bool": (pa.bool_(), [False, True]),
    "date": (pa.date32(), [datetime.date(1900, 1, 1), datetime.date(2026, 2, 28)]),
    "instant": (
        pa.timestamp("us", tz="Europe/Berlin"),
        [
            datetime.datetime(1969, 7, 20, 20, 17, tzinfo=datetime.UTC),
            datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        ],
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_every_kind_come_back_from_disk_as_they_were(make_store, name):
    kind, values = KEYS[name]
    table = a_table(("part", "key"), part=pa.int32(), key=kind, value=pa.int64())
    changes = table.change_arrow(has_op=True, has_set=False)
    base = [{"part": p, "key": value, "value": p} for p in (0, 1) for value in values]
    update = [{"part": 1, "key": value, "value": 7, "__op": 0} for value in values[:1]]
    erased = [{"part": 0, "key": values[-1], "__op": 2}]
    schemas = [table.arrow(), changes, changes]
    chain = [
        a_batch_of(schema, rows)
        for schema, rows in zip(schemas, (base, update, erased), strict=True)
    ]

    expected = [row for row in base if (row["part"], row["key"]) != (0, values[-1])]
    expected = [
        {**row, "value": 7} if (row["part"], row["key"]) == (1, values[0]) else row
        for row in expected
    ]
    assert through(make_store, a_layout_of(table, schemas, {}), chain) == expected


def test_a_range_of_composite_keys_is_the_shards_own(make_store):
    table = a_table(("part", "key"), part=pa.int32(), key=pa.string())
    rows = a_batch_of(table.arrow(), [{"part": 1, "key": "b"}, {"part": 1, "key": "c"}])
    layout = dataclasses.replace(
        a_layout_of(table, [table.arrow()], {}), low=key_of_row(rows, table.key, 0), high=(1, "ca")
    )
    assert through(make_store, layout, [rows]) == rows.to_pylist()
