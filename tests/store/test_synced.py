"""What is acknowledged was synced before, and names change only to what is synced already.

Killing a process proves nothing of this: the kernel keeps what it was given. So the calls are
watched, and their order is compared with the one that a power cut at any moment allows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from increstore.chain.digest import payload_digest
from increstore.store.coordinator_log import CoordinatorLog
from increstore.store.files import WRITE_BACK_BYTES, write_atomically
from increstore.store.publish import publish, staged_file
from increstore.store.segment_file import Entry, SegmentFile
from increstore.store.segment_format import file_header
from increstore.store.segment_store import SegmentStore

from .builders import A_CHAIN, a_layout, a_segment_store, batches_of, evidence_of, restore
from .system_calls import watched

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="the system does not tell which file is open"
)

CHANGES = "shard/000000.changes"
BATCHES = batches_of(A_CHAIN[0], 0)


@pytest.fixture
def store(tmp_path):
    store = a_segment_store(tmp_path)
    store.recover()
    return store


def test_a_group_is_synced_and_a_new_file_with_its_folder(store, tmp_path):
    with watched(tmp_path) as calls:
        store.append(BATCHES[:2])
    assert calls == [("write", CHANGES), ("sync", CHANGES), ("sync", "shard/")]

    with watched(tmp_path) as calls:
        store.append(BATCHES[2:])
    assert calls == [("write", CHANGES), ("sync", CHANGES)]


def test_the_disk_begins_with_a_large_group_while_the_rest_is_copied(tmp_path):
    file = SegmentFile(tmp_path / "changes", file_header({}))
    payloads = [b"1" * WRITE_BACK_BYTES, b"2" * WRITE_BACK_BYTES, b"3" * 64]
    with watched(tmp_path) as calls:
        records = file.append([Entry({}, data, payload_digest(data)) for data in payloads])
    begun = [("write", "changes"), ("begin", "changes")]
    assert calls == [*begun, *begun, ("write", "changes"), ("sync", "changes"), ("sync", "/")]
    written = (tmp_path / "changes").read_bytes()
    assert [written[r.payload_offset : r.end] for r in records] == payloads
    assert len(written) == file.length


def test_a_seal_is_synced(store, tmp_path):
    store.append(BATCHES)
    with watched(tmp_path) as calls:
        store.seal(0, evidence_of(BATCHES))
    assert calls == [("write", CHANGES), ("sync", CHANGES)]


def test_the_generation_that_is_obeyed_is_synced(store, tmp_path):
    with watched(tmp_path) as calls:
        store.record_generation(1)
    control = "shard/control"
    assert calls == [("write", control), ("sync", control), ("sync", "shard/")]


def test_final_rows_are_synced_before_they_have_their_name_and_named_before_recorded(
    store, tmp_path
):
    restore(store, A_CHAIN)
    store.record_generation(1)
    with watched(tmp_path) as calls:
        store.finalize()
    made = calls[calls.index(("sync", "staged/")) + 1 :]
    assert made == [
        ("begin", "staged/orders/part-00000.parquet.tmp"),
        ("sync", "staged/orders/part-00000.parquet.tmp"),
        ("rename", "staged/orders/part-00000.parquet"),
        ("sync", "staged/orders/"),
        ("write", "shard/control"),
        ("sync", "shard/control"),
    ]


def test_a_fold_is_durable_under_its_name_before_what_it_replaces_is_removed(tmp_path):
    layout = a_layout(incrementals=4)
    store: SegmentStore = a_segment_store(tmp_path, layout, runs_max=3)
    store.recover()
    restore(store, A_CHAIN[:3])
    batches = batches_of(A_CHAIN[3], 3)
    store.append(batches)
    with watched(tmp_path) as calls:
        store.seal(3, evidence_of(batches))
    run = "shard/000001-000003.run"
    replaced = [("remove", f"shard/{n:06d}.changes") for n in (1, 2, 3)]
    assert calls[-7:] == [
        ("sync", f"{run}.tmp"),
        ("rename", run),
        ("sync", "shard/"),
        *replaced,
        ("sync", "shard/"),
    ]
    assert calls[-8] == ("write", f"{run}.tmp"), "the sync is of everything written"


def test_a_cut_tail_is_synced_before_anything_is_written_behind_it(store, tmp_path):
    store.append(BATCHES)
    with (tmp_path / CHANGES).open("ab") as file:
        file.write(b"half a record")
    with watched(tmp_path) as calls:
        a_segment_store(tmp_path).recover()
    assert calls == [("cut", CHANGES), ("sync", CHANGES)]


def test_a_file_that_others_read_is_synced_before_it_has_its_name(tmp_path):
    with watched(tmp_path) as calls:
        write_atomically(tmp_path / "identity.json", b"{}")
    assert calls == [("sync", "identity.json.tmp"), ("rename", "identity.json"), ("sync", "/")]


def test_publication_is_written_down_before_the_first_rename_and_each_is_synced(tmp_path):
    for table in ("orders", "shop/lines"):
        file = staged_file(tmp_path, table, 0)
        file.parent.mkdir(parents=True)
        file.write_text(table)
    with watched(tmp_path) as calls:
        publish(tmp_path, ["orders", "shop/lines"])
    work = ".increstore/"
    assert calls == [
        ("sync", f"{work}publication.json.tmp"),
        ("rename", f"{work}publication.json"),
        ("sync", work),
        ("rename", "orders"),
        ("sync", "/"),
        ("sync", f"{work}staged/"),
        ("sync", "/"),  # The new folder that a table of this name lies in.
        ("rename", "shop/lines"),
        ("sync", "shop/"),
        ("sync", f"{work}staged/"),
    ]


def test_the_coordinators_log_asks_for_a_sync_with_every_commit(tmp_path):
    """SQLite calls the system by itself, so what it was told is looked at."""
    log = CoordinatorLog(tmp_path / "coordinator.db")
    try:
        (synchronous,) = log._database.execute("PRAGMA synchronous").fetchone()
    finally:
        log.close()
    assert synchronous == 2, "FULL: also the write-ahead log is synced at every commit"
