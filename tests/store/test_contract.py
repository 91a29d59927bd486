"""The contract of the table store, held against every implementation."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain.digest import payload_digest
from increstore.errors import LocalProtocolError, StorageCorrupted
from increstore.protocol.messages import ScanId, StreamEvidence
from increstore.protocol.target_state import StreamState, TargetState
from increstore.store.faulty import FaultyStore
from increstore.store.seam import BatchInvalid

from .builders import (
    A_CHAIN,
    CHANGES,
    a_batch,
    a_layout,
    a_store,
    batches_of,
    digest_of,
    erase,
    evidence_of,
    final_rows,
    restore,
    rows_of,
    truth_of,
    upsert,
)


class NothingHappens:
    """A guard that bothers with no write."""

    def before(self, operation, records):
        return None

    def after(self, operation, records):
        pass


@pytest.fixture(params=["memory", "segment", "faulty segment"])
def make_store(request, tmp_path):
    """Opens the store, and opens it again as after a crash when it is called again."""
    behind_faults, _, kind = request.param.rpartition(" ")
    stores = []

    def make(layout=None):
        if kind == "segment" or not stores:
            store = a_store(kind, tmp_path, layout)
            stores.append(FaultyStore(store, NothingHappens()) if behind_faults else store)
        return stores[-1]

    return make


@pytest.fixture
def store(make_store):
    store = make_store()
    store.recover()
    return store


def test_a_new_store_holds_nothing(make_store):
    assert make_store().recover() == TargetState()


def test_the_watermark_counts_the_batches_appended(store, make_store):
    """E1, D3: rows and watermark are one write."""
    batches = batches_of([upsert(key) for key in range(8)], 0)
    store.append(batches[:2])
    store.append(batches[2:])

    (evidence,) = evidence_of(batches)
    expected = {batches[0].scan: StreamState(3, 8, evidence.digest)}
    assert make_store().recover() == TargetState(streams=expected)


def test_streams_of_several_sources_grow_side_by_side(store, make_store):
    low = batches_of([upsert(key) for key in range(5)], 0, source="orders/s0")
    high = batches_of([upsert(key) for key in range(50, 55)], 0, source="orders/s1")
    store.append([high[0], low[0]])
    store.append([low[1], high[1]])

    state = make_store().recover()
    assert {scan.source: s.watermark for scan, s in state.streams.items()} == {
        "orders/s0": 2,
        "orders/s1": 2,
    }


def test_a_higher_attempt_takes_the_place_of_the_one_before(store, make_store):
    """E3: what an earlier attempt left counts no more."""
    store.append(batches_of([upsert(1), upsert(2)], 0, size=1, attempt=0))
    again = batches_of([upsert(1, "again")], 0, attempt=1)
    store.append(again)

    state = make_store().recover()
    assert state.streams == {again[0].scan: StreamState(1, 1, evidence_of(again)[0].digest)}

    store = make_store()
    store.recover()
    store.seal(0, evidence_of(again))
    restore(store, [[], [], []], start=1)
    store.finalize()
    assert final_rows(store) == [(1, "again", 1)]


def test_an_order_that_is_not_the_next_is_a_misuse(store):
    """O5."""
    batches = batches_of([upsert(key) for key in range(9)], 0)
    store.append(batches[:1])
    for wrong in (batches[0], batches[2]):
        with pytest.raises(LocalProtocolError, match="expected 2"):
            store.append([wrong])
    store.append(batches[1:])


def test_a_batch_of_an_incremental_that_is_not_due_is_a_misuse(store):
    """O2."""
    with pytest.raises(LocalProtocolError, match="expected incremental 0"):
        store.append(batches_of([upsert(1)], 1))
    store.seal(0, ())
    with pytest.raises(LocalProtocolError, match="expected incremental 1"):
        store.append(batches_of([upsert(1)], 0))


def test_a_batch_of_another_restore_or_an_earlier_attempt_is_a_misuse(store):
    """S3."""
    store.append([a_batch([upsert(1)], attempt=2)])
    with pytest.raises(LocalProtocolError, match="attempt 2"):
        store.append([a_batch([upsert(1)], attempt=1)])
    with pytest.raises(LocalProtocolError, match="of restore r1"):
        store.append([a_batch([upsert(1)], scan=ScanId("r2", 0, "orders/s0", 0))])


def test_the_highest_generation_is_remembered(store, make_store):
    """S5."""
    for generation in (1, 7, 3):
        store.record_generation(generation)

    assert make_store().recover().generation == 7


def test_seals_and_what_they_name_are_remembered(store, make_store):
    batches = batches_of(A_CHAIN[0], 0)
    store.append(batches)
    store.seal(0, evidence_of(batches))
    store.seal(1, ())

    state = make_store().recover()
    assert state.sealed == {0: evidence_of(batches), 1: ()}
    assert state.streams == {}


def test_sealing_again_in_the_same_way_changes_nothing(store, make_store):
    batches = batches_of(A_CHAIN[0], 0)
    store.append(batches)
    store.seal(0, evidence_of(batches))
    store.seal(0, evidence_of(batches))
    with pytest.raises(LocalProtocolError, match="was to be sealed"):
        store.seal(0, ())

    assert make_store().recover().sealed == {0: evidence_of(batches)}


def test_a_seal_that_names_what_is_not_stored_is_a_misuse(store, make_store):
    """C1: evidence is compared once more where the rows are."""
    batches = batches_of(A_CHAIN[0], 0)
    store.append(batches[:-1])
    wrong = [
        evidence_of(batches),
        (StreamEvidence("orders/s9", 0, 1, 1, 1),),
        (StreamEvidence("orders/s0", 1, 18, 6, evidence_of(batches[:-1])[0].digest),),
    ]
    for named in wrong:
        with pytest.raises(LocalProtocolError, match="was to be sealed"):
            store.seal(0, named)
    with pytest.raises(LocalProtocolError, match="was to be sealed"):
        store.seal(1, ())

    assert make_store().recover().sealed == {}


def test_only_the_streams_a_seal_names_count(store):
    """E3: a source that was given up leaves nothing in the rows."""
    kept = batches_of([upsert(1), upsert(2)], 0, source="orders/s0")
    store.append(kept)
    store.append(batches_of([upsert(2, "ghost"), upsert(3, "ghost")], 0, source="orders/s1"))
    store.seal(0, evidence_of(kept))
    restore(store, [[], [], []], start=1)

    store.finalize()
    assert final_rows(store) == [(1, "n", 1), (2, "n", 1)]


def test_streams_need_not_come_in_key_order(store):
    """T4: source shards are numbered as they please."""
    high = batches_of([upsert(key) for key in range(50, 60)], 0, source="orders/s0")
    low = batches_of([upsert(key) for key in range(10)], 0, source="orders/s1")
    store.append([*high[:2], *low, *high[2:]])
    store.seal(0, evidence_of([*high, *low]))
    restore(store, [[erase(5), erase(55)], [], []], start=1)

    store.finalize()
    assert [row[0] for row in final_rows(store)] == [
        key for key in (*range(10), *range(50, 60)) if key not in (5, 55)
    ]


def test_streams_whose_keys_overlap_are_never_sealed_together(store):
    one = batches_of([upsert(1), upsert(5)], 0, source="orders/s0")
    other = batches_of([upsert(4), upsert(9)], 0, source="orders/s1")
    store.append([*one, *other])

    with pytest.raises(StorageCorrupted, match=r"incremental 0 brought key 4 after 5"):
        store.seal(0, evidence_of([*one, *other]))


def test_the_final_rows_are_the_fold_of_the_chain(store, make_store):
    """T1, T2."""
    restore(store, A_CHAIN)
    truth = truth_of(A_CHAIN)

    assert store.finalize() == (len(truth), digest_of(truth))
    assert final_rows(store) == truth
    assert make_store().recover().finalized == (len(truth), digest_of(truth))


def test_finalizing_again_gives_the_same(store, make_store):
    restore(store, A_CHAIN)
    first = store.finalize()

    again = make_store()
    again.recover()
    assert again.finalize() == first
    assert final_rows(again) == truth_of(A_CHAIN)


def test_final_rows_before_finalize_are_a_misuse(store):
    with pytest.raises(LocalProtocolError, match="no final rows before finalize"):
        store.final_rows()


def test_finalizing_before_the_last_seal_is_a_misuse(store):
    restore(store, A_CHAIN[:3])
    with pytest.raises(LocalProtocolError, match="before incremental 3 was sealed"):
        store.finalize()


def test_a_chain_without_rows_gives_no_rows(store):
    restore(store, [[], [], [], []])

    assert store.finalize() == (0, 0)
    assert final_rows(store) == []


def test_a_table_whose_rows_are_all_erased_gives_no_rows(store):
    restore(store, [[upsert(1), upsert(2)], [erase(1)], [erase(2)], []])

    assert store.finalize() == (0, 0)
    assert final_rows(store) == []


BAD = {
    "payload digest": a_batch([upsert(1)], digest=5),
    "announced, got 1": a_batch([upsert(1)], rows=2),
    "at least one row": a_batch([], rows=0),
    "is unsorted": a_batch([upsert(2), upsert(1)]),
    "is duplicate": a_batch([upsert(1), upsert(1)]),
    "not this shard's": a_batch([upsert(1), upsert(100)]),
    "not this shard's; expected -10": a_batch([upsert(-11)]),
}


@pytest.mark.parametrize("told", BAD)
def test_a_batch_that_can_never_be_applied_is_refused_with_its_group(make_store, told):
    store = make_store(a_layout(low=(-10,), high=(100,)))
    store.recover()
    good = a_batch([upsert(1)], source="orders/s1")

    with pytest.raises(BatchInvalid, match=told) as info:
        store.append([good, BAD[told]])

    assert info.value.batch is BAD[told]
    assert "batch 1 of orders/s0 for incremental 0" in str(info.value)
    assert make_store().recover() == TargetState()


def a_batch_of_bytes(payload, rows, incremental=0):
    facts = {"payload": payload, "digest": payload_digest(payload), "rows": rows}
    return a_batch([upsert(1)], incremental, **facts)


def test_bytes_that_are_no_batch_of_the_schema_are_refused(store):
    other = pa.RecordBatch.from_pydict({"id": [1], "name": [2]}).serialize().to_pybytes()
    for payload in (b"", b"garbage" * 9, a_batch([upsert(1)]).payload[:-40], other):
        with pytest.raises(BatchInvalid, match="expected an Arrow record batch"):
            store.append([a_batch_of_bytes(payload, 1)])


def test_a_null_key_and_an_unknown_op_are_refused(store):
    nullable = pa.schema([field.with_nullable(True) for field in CHANGES])
    columns = {"id": [None], "name": ["x"], "amount": [1], "__op": [0]}
    null_key = pa.RecordBatch.from_pydict(columns, schema=nullable).serialize().to_pybytes()
    columns = {"id": [1], "name": ["x"], "amount": [1], "__op": [3]}
    odd_op = pa.RecordBatch.from_pydict(columns, schema=nullable).serialize().to_pybytes()
    store.seal(0, ())

    with pytest.raises(BatchInvalid, match="'id': expected no NULL"):
        store.append([a_batch_of_bytes(null_key, 1, incremental=1)])
    with pytest.raises(BatchInvalid, match="expected 0, 1 or 2, got 3"):
        store.append([a_batch_of_bytes(odd_op, 1, incremental=1)])


def test_a_batch_that_does_not_follow_the_one_before_it_is_refused(store, make_store):
    """Also over a restart: the last key of the stream is remembered."""
    with pytest.raises(BatchInvalid, match="key 5 is duplicate"):
        store.append([a_batch([upsert(5)]), a_batch([upsert(5)], order=2)])
    store.append([a_batch([upsert(5)])])

    again = make_store()
    again.recover()
    with pytest.raises(BatchInvalid, match="key 4 is unsorted"):
        again.append([a_batch([upsert(4)], order=2)])
    again.append([a_batch([upsert(6)], order=2)])


def test_the_store_goes_on_after_a_refused_batch(store):
    with pytest.raises(BatchInvalid):
        store.append([a_batch([upsert(1)], digest=0)])

    restore(store, A_CHAIN)
    store.finalize()
    assert final_rows(store) == truth_of(A_CHAIN)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_a_payload_may_be_any_bytes_and_is_not_needed_after_the_append(store, wrap):
    batch = a_batch([upsert(1, "kept")])
    payload = bytearray(batch.payload)
    store.append([a_batch([upsert(1, "kept")], payload=wrap(payload))])
    payload[:] = bytes(len(payload))
    store.seal(0, evidence_of([batch]))
    restore(store, [[], [], []], start=1)

    store.finalize()
    assert final_rows(store) == [(1, "kept", 1)]


keys = st.integers(-5, 5)
changes = st.dictionaries(
    keys,
    st.one_of(st.none(), st.tuples(st.one_of(st.none(), st.text(max_size=3)), st.integers(0, 9))),
    max_size=6,
).map(
    lambda found: [
        erase(key) if values is None else upsert(key, *values)
        for key, values in sorted(found.items())
    ]
)


@settings(max_examples=30, deadline=None)
@given(
    base=changes.map(lambda found: [change for change in found if change[0] == 0]),
    others=st.lists(changes, min_size=3, max_size=3),
    restarts=st.sets(st.integers(0, 3)),
)
@pytest.mark.parametrize("kind", ["memory", "segment"])
def test_any_chain_with_restarts_gives_what_a_dict_gives(
    tmp_path_factory, kind, base, others, restarts
):
    folder = tmp_path_factory.mktemp("shard")
    chain = [base, *others]
    store = a_store(kind, folder)
    for incremental, part in enumerate(chain):
        if incremental in restarts and kind == "segment":
            store = a_store(kind, folder)
        store.recover()
        restore(store, [part], start=incremental)

    truth = truth_of(chain)
    assert store.finalize() == (len(truth), digest_of(truth))
    assert final_rows(store) == truth


def test_the_rows_helper_writes_what_it_is_told():
    """The judge is judged: a batch built here reads back as the changes it was built from."""
    rows = rows_of([upsert(1, None, 2), erase(3)], CHANGES)
    assert rows.to_pylist() == [
        {"id": 1, "name": None, "amount": 2, "__op": 0},
        {"id": 3, "name": None, "amount": None, "__op": 2},
    ]
