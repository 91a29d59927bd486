"""Small shards for the store's tests: batches as a source sends them, and a dict as the truth.

The table is (id int64, name text, amount int64), keyed by id. A change is (op, id, name, amount);
every upsert touches all columns, so the truth of a chain is a dict that changes are put into.
"""

from __future__ import annotations

import contextlib
import resource

import pyarrow as pa

from increstore.chain.changes import Op
from increstore.chain.digest import payload_digest, rows_digest
from increstore.chain.schema import Column, TableSchema
from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import ScanId, StreamEvidence
from increstore.protocol.ready import ApplyBatch
from increstore.store.memory import MemoryStore
from increstore.store.seam import StoreLayout
from increstore.store.segment_store import SegmentStore

SCHEMA = TableSchema(
    (Column("id", pa.int64()), Column("name", pa.string()), Column("amount", pa.int64())), ("id",)
)
FULL = SCHEMA.arrow()
CHANGES = SCHEMA.change_arrow(has_op=True, has_set=False)


def a_layout(incrementals=4, low=None, high=None, **changed):
    facts = {
        "restore": "r1",
        "table": "orders",
        "shard": "orders/t0",
        "batch_schemas": {n: FULL if n == 0 else CHANGES for n in range(incrementals)},
        "final": SCHEMA,
        "column_since": dict.fromkeys(SCHEMA.names, 0),
        "low": low,
        "high": high,
    }
    return StoreLayout(**{**facts, **changed})


def a_segment_store(folder, layout=None, **options):
    """A store under `folder`, as if opened by a process that has just started."""
    layout = layout or a_layout()
    final_file = folder / "staged" / "orders" / "part-00000.parquet"
    return SegmentStore(folder / "shard", layout, final_file, **options)


def a_store(kind, folder, layout=None):
    layout = layout or a_layout()
    return MemoryStore(layout) if kind == "memory" else a_segment_store(folder, layout)


def upsert(key, name="n", amount=1):
    return (Op.UPSERT, key, name, amount)


def erase(key):
    return (Op.ERASE, key, None, None)


def rows_of(changes, schema):
    columns = {
        "id": [key for _, key, _, _ in changes],
        "name": [name for _, _, name, _ in changes],
        "amount": [amount for _, _, _, amount in changes],
        "__op": [int(op) for op, _, _, _ in changes],
    }
    return pa.RecordBatch.from_pydict({n: columns[n] for n in schema.names}, schema=schema)


def a_batch(changes, incremental=0, order=1, source="orders/s0", attempt=0, **changed):
    """One batch as the source shard sends it."""
    rows = rows_of(changes, FULL if incremental == 0 else CHANGES)
    payload = rows.serialize().to_pybytes()
    facts = {
        "scan": ScanId("r1", incremental, source, attempt),
        "order": order,
        "rows": rows.num_rows,
        "digest": payload_digest(payload),
        "payload": payload,
    }
    return ApplyBatch(**{**facts, **changed})


def batches_of(changes, incremental, size=3, source="orders/s0", attempt=0):
    """All of one stream, at most `size` rows a batch."""
    parts = [changes[at : at + size] for at in range(0, len(changes), size)]
    return [
        a_batch(part, incremental, order, source, attempt)
        for order, part in enumerate(parts, start=1)
    ]


def evidence_of(batches):
    """What the sources of these batches would report, one evidence a source."""
    streams = {}
    for batch in batches:
        source, attempt = batch.scan.source, batch.scan.attempt
        rows, count, digest = streams.get((source, attempt), (0, 0, 0))
        digest = fold_batch_digest(digest, batch.order, batch.digest)
        streams[source, attempt] = (rows + batch.rows, count + 1, digest)
    return tuple(
        StreamEvidence(source, attempt, rows, count, digest)
        for (source, attempt), (rows, count, digest) in streams.items()
    )


def restore(store, chain, start=0):
    """Append and seal each list of changes of `chain` as incrementals `start`, `start` + 1 .."""
    for incremental, changes in enumerate(chain, start=start):
        batches = batches_of(changes, incremental)
        if batches:
            store.append(batches)
        store.seal(incremental, evidence_of(batches))


def truth_of(chain):
    """The rows after the chain, by a dict: [(id, name, amount), ..] in key order."""
    state = {}
    for changes in chain:
        for op, key, name, amount in changes:
            if op is Op.ERASE:
                state.pop(key, None)
            else:
                state[key] = (name, amount)
    return [(key, *values) for key, values in sorted(state.items())]


def final_rows(store):
    return [
        tuple(row[name] for name in SCHEMA.names)
        for batch in store.final_rows()
        for row in batch.to_pylist()
    ]


def digest_of(truth):
    rows = rows_of([(Op.UPSERT, *row) for row in truth], FULL)
    return rows_digest(rows, SCHEMA)


A_CHAIN = [
    [upsert(key, f"base {key}", key) for key in range(20)],
    [upsert(3, "three", 33), erase(4), upsert(25, None, None)],
    [],
    [upsert(-7, "", 0), upsert(4, "back", 44), erase(25), erase(99)],
]


@contextlib.contextmanager
def a_disk_that_takes_files_up_to(size):
    """A file size limit: the write fails half-way, as on a full disk, without a mount."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
