"""Generated chains: what they hold, how they are cut, and that only the description counts."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import pairwise, product

import msgpack
import pytest
import xxhash
from hypothesis import given, settings

from increstore.protocol.topology import table_of
from increstore.scenario.model import WorkloadSpec
from increstore.scenario.nodes import table_names
from increstore.simulation.digest import state_digest
from increstore.simulation.history import generate
from increstore.simulation.model import ERASE, RESET, UPSERT
from increstore.simulation.workload import build

from .builders import CHAINS, any_spec, shards

HARD = WorkloadSpec(
    seed=11, tables=3, incrementals=6, rows=60, changes=40, resets=40_000, keys="composite"
)


# --- What is in it.


def changes_of(spec):
    return [
        change
        for history in generate(spec)
        for changes in history.changes[1:]
        for change in changes or ()
    ]


def test_every_kind_of_change_of_every_column_occurs():
    seen = {UPSERT: set(), RESET: set(), ERASE: set()}
    for change in changes_of(HARD):
        states = (
            "untouched" if name not in change.values
            else "null" if change.values[name] is None else "value"
            for name in ("amount", "note")
        )  # fmt: skip
        seen[change.op].add(tuple(states))
    states = set(product(("untouched", "null", "value"), repeat=2))
    assert seen == {UPSERT: states, RESET: states, ERASE: {("untouched", "untouched")}}


def test_changes_meet_keys_that_are_there_and_keys_that_are_not():
    seen = set()
    model = build(HARD, 2, 2).model
    for history in generate(HARD):
        for incremental in range(1, HARD.incrementals + 1):
            there = model.rows_after(incremental - 1)[history.table]
            seen |= {(c.op, c.key in there) for c in history.changes[incremental]}
    assert seen == {(op, there) for op in (UPSERT, RESET, ERASE) for there in (True, False)}


def test_keys_change_again_and_again():
    history = generate(HARD)[0]
    touched = [{change.key for change in changes} for changes in history.changes[1:]]
    again = [key for key in touched[0] if sum(key in keys for keys in touched) >= 4]
    assert len(again) >= 3
    gone_and_back = [
        change.key
        for before, after in pairwise(history.changes[1:])
        for change in after
        if change.op == UPSERT and any(b.key == change.key and b.op == ERASE for b in before)
    ]
    assert gone_and_back


def test_the_shares_of_deletes_resets_and_partial_upserts_are_those_described():
    """Of 100 changes 20 are deletes; of the rest a tenth are resets, three tenths partial."""
    (history,) = generate(WorkloadSpec(changes=100, incrementals=1))
    changes = history.changes[1]
    upserts = [change for change in changes if change.op == UPSERT]
    ops = [change.op for change in changes]
    partial = [change for change in upserts if len(change.values) < len(history.columns)]
    assert (ops.count(ERASE), ops.count(RESET), len(partial)) == (20, 8, 24)


@pytest.mark.parametrize("seed", range(1, 6))
def test_even_a_short_chain_has_of_everything(seed):
    spec = WorkloadSpec(seed=seed)
    whole = {(change.op, len(change.values) == 3) for change in changes_of(spec)}
    assert whole >= {(UPSERT, True), (UPSERT, False), (RESET, False), (ERASE, False)}


def test_tables_have_their_names_and_rows_of_their_own():
    assert table_names(5) == ("orders", "people", "shop/lines", "table4", "table5")
    rows = build(HARD, 2, 2).model.rows_after(0)
    assert list(rows) == ["orders", "people", "shop/lines"]
    assert rows["orders"].keys() != rows["people"].keys() != rows["shop/lines"].keys()


@given(spec=any_spec())
def test_every_backup_has_as_many_changes_as_described_one_a_key_by_key(spec):
    model = build(spec, 1, 1).model
    last = table_names(spec.tables)[-1]
    for history in generate(spec):
        assert len(history.changes) == spec.incrementals + 1
        for incremental, changes in enumerate(history.changes):
            wanted = spec.changes if incremental else spec.rows
            if incremental in spec.empty:
                wanted = 0
            elif incremental in spec.unchanged and history.table == last:
                wanted = None
            assert (None if changes is None else len(changes)) == wanted
            assert model.changes(history.table, incremental) == (wanted or 0)
            keys = [change.key for change in changes or ()]
            assert all(one < other for one, other in pairwise(keys))
            if incremental in spec.delete_only:
                assert all(change.op == ERASE for change in changes or ())


def test_another_seed_is_another_chain_and_the_same_description_is_made_once():
    spec = WorkloadSpec(seed=1)
    assert generate(spec) != generate(WorkloadSpec(seed=2))
    assert build(spec, 2, 2) is build(WorkloadSpec(), 2, 2)


# --- How it is cut.


def newest_first(batches):
    """Rows by key, each column from the newest change that says anything of it: no row is kept."""
    rows, settled = {}, set()
    for columns, key, op, values in reversed(batches):
        if key in settled:
            continue
        if op == ERASE:
            settled.add(key)
            continue
        row = rows.setdefault(key, {})
        for name in columns:
            if name in values:
                row.setdefault(name, values[name])
        if op == RESET:
            settled.add(key)
    return {key: {name: row.get(name) for name in columns} for key, row in rows.items()}


def delivered(workload, table, upto):
    """Per target of a table: (columns, key, op, values) of all batches, as a restore sends them."""
    found = {target: [] for target in table.targets}
    columns = workload.model.columns(table.table)
    for incremental in (n for n in table.incrementals if n <= upto):
        for source in table.sources:
            for page in workload.pages(source, incremental):
                for batch in page:
                    changes = workload.decode(batch.payload)
                    assert len(changes) == batch.rows
                    found[batch.target] += [(columns, *change) for change in changes]
    return found


@given(spec=any_spec(), sources=shards, targets=shards)
@settings(deadline=None)
def test_the_pages_folded_target_by_target_are_the_model(spec, sources, targets):
    """T1, T4: after every backup, and a range of keys for each target: no key at two."""
    workload = build(spec, sources, targets)
    for incremental in range(spec.incrementals + 1):
        expected = workload.model.rows_after(incremental)
        for table in workload.topology.tables:
            parts = delivered(workload, table, incremental)
            folded = {}
            owned = []
            for batches in parts.values():
                owned += sorted({key for _, key, *_ in batches})
                folded |= newest_first(batches)
            assert owned == sorted(set(owned))
            assert folded == expected[table.table]


@given(spec=any_spec(), sources=shards, targets=shards)
def test_pages_are_in_order_of_keys_and_no_larger_than_described(spec, sources, targets):
    workload = build(spec, sources, targets)
    for table in workload.topology.tables:
        for incremental in table.incrementals:
            pages = [p for source in table.sources for p in workload.pages(source, incremental)]
            assert all(0 < sum(batch.rows for batch in page) <= spec.page_rows for page in pages)
            batches = [batch for page in pages for batch in page]
            keys = [change.key for b in batches for change in workload.decode(b.payload)]
            assert keys == sorted(set(keys))
            assert len(keys) == workload.model.changes(table.table, incremental)
            assert all(b.digest == xxhash.xxh3_64_intdigest(b.payload) for b in batches)


@given(spec=any_spec(), sources=shards, targets=shards)
def test_the_topology_knows_what_must_come_out(spec, sources, targets):
    topology = build(spec, sources, targets).topology
    final = build(spec, sources, targets).model.rows_after(spec.incrementals)
    assert topology.last_incremental == spec.incrementals
    for table in topology.tables:
        assert (len(table.sources), len(table.targets)) == (sources, targets)
        assert {table_of(name) for name in (*table.sources, *table.targets)} == {table.table}
        assert table.rows == len(final[table.table])
        assert table.digest == state_digest(final[table.table])


def test_an_empty_incremental_is_scanned_and_an_unchanged_table_is_not():
    workload = build(CHAINS["nothing, no change and only deletes"], 2, 2)
    orders, people, lines = workload.topology.tables
    assert orders.incrementals == people.incrementals == (0, 1, 2, 3, 4)
    assert lines.incrementals == (0, 1, 3, 4)
    assert [workload.pages(source, 1) for source in orders.sources] == [(), ()]
    with pytest.raises(KeyError):
        workload.pages(lines.sources[0], 2)


@pytest.mark.parametrize(
    "name", ["an empty full backup", "no row at all", "fewer rows than shards"]
)
def test_shards_without_a_row_still_take_part(name):
    workload = build(CHAINS[name], 3, 3)
    table = workload.topology.tables[0]
    assert table.targets == ("orders/t0", "orders/t1", "orders/t2")
    assert all(workload.pages(source, 0) is not None for source in table.sources)


def test_rows_are_shared_out_evenly():
    workload = build(WorkloadSpec(rows=400), 2, 4)
    batches = [b for s in ("orders/s0", "orders/s1") for p in workload.pages(s, 0) for b in p]
    rows = [sum(b.rows for b in batches if b.target == f"orders/t{n}") for n in range(4)]
    assert rows == [100, 100, 100, 100]
    assert [len(workload.pages(s, 0)) for s in ("orders/s0", "orders/s1")] == [25, 25]


# --- Payloads.


def test_a_payload_is_msgpack_of_key_operation_and_touched_columns():
    batch = build(WorkloadSpec(), 2, 2).pages("orders/s0", 1)[0][0]
    changes = build(WorkloadSpec(), 2, 2).decode(memoryview(batch.payload))
    assert msgpack.unpackb(batch.payload) == [[list(k), op, dict(v)] for k, op, v in changes]


def test_bytes_that_are_no_batch_of_the_chain_are_refused():
    workload = build(WorkloadSpec(), 2, 2)
    payload = bytearray(workload.pages("orders/s0", 1)[0][0].payload)
    payload[-1] ^= 1
    with pytest.raises(ValueError, match=f"a payload of {len(payload)} bytes .* expected one of"):
        workload.decode(payload)


# --- Nothing but the description counts.


def fingerprint():
    """Of every page and state of a few chains, in the order in which a program would read them."""
    digest = hashlib.sha256()
    for spec in (*CHAINS.values(), HARD):
        workload = build(spec, 2, 3)
        digest.update(repr(workload.topology).encode())
        for source, incremental in workload._pages:
            digest.update(repr((source, incremental)).encode())
            for page in workload.pages(source, incremental):
                for batch in page:
                    digest.update(repr((batch.target, batch.rows, batch.digest)).encode())
                    digest.update(batch.payload)
        for incremental in range(spec.incrementals + 1):
            digest.update(repr(workload.model.rows_after(incremental)).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_another_process_makes_the_same_bytes(hash_seed):
    program = "from tests.simulation.test_workload import fingerprint; print(fingerprint())"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == fingerprint(), done.stderr
