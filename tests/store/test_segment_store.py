"""The segment store on a real disk: crashes, full disks, compaction, final files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from increstore.errors import StorageFailed

from .builders import (
    A_CHAIN,
    SCHEMA,
    a_batch,
    a_disk_that_takes_files_up_to,
    a_layout,
    a_segment_store,
    batches_of,
    erase,
    evidence_of,
    final_rows,
    restore,
    truth_of,
    upsert,
)

FINAL = "staged/orders/part-00000.parquet"


def a_recovered_store(folder, layout=None, **options):
    store = a_segment_store(folder, layout, **options)
    store.recover()
    return store


def names_in(folder):
    return sorted(path.name for path in (folder / "shard").iterdir())


# --- Crashes.

APPENDS_FOR_EVER = """
import pathlib, sys
sys.path.insert(0, sys.argv[2])
from store.builders import a_batch, a_segment_store, upsert
store = a_segment_store(pathlib.Path(sys.argv[1]))
store.recover()
order = 0
while True:
    orders = range(order + 1, order + 4)
    group = [a_batch([upsert(o * 2), upsert(o * 2 + 1)], order=o) for o in orders]
    store.append(group)
    order += 3
    print(order, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 20, 77])
def test_everything_acknowledged_outlives_a_kill(tmp_path, lines):
    """D3: an order printed after its append had returned is there after kill -9."""
    tests = str(Path(__file__).parent.parent)
    with subprocess.Popen(
        [sys.executable, "-c", APPENDS_FOR_EVER, str(tmp_path), tests], stdout=subprocess.PIPE
    ) as process:
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        printed = [lines * 3, *(int(line) for line in process.stdout.read().split())]

    (stream,) = a_segment_store(tmp_path).recover().streams.values()
    assert stream.watermark >= max(printed)
    assert stream.rows == 2 * stream.watermark


def test_no_file_stays_open(tmp_path):
    store = a_recovered_store(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    restore(store, A_CHAIN)
    store.finalize()
    assert final_rows(store)

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# --- Full disks.


def test_a_full_disk_loses_nothing_acknowledged_and_the_restore_goes_on(tmp_path):
    """D6: the failed write is indeterminate, so the store writes nothing before it recovers."""
    batches = batches_of([upsert(key) for key in range(40)], 0, size=4)
    store = a_recovered_store(tmp_path, a_layout(incrementals=1))
    store.append(batches[:2])
    size = (tmp_path / "shard" / "000000.changes").stat().st_size
    with a_disk_that_takes_files_up_to(size + 1500):
        with pytest.raises(StorageFailed, match=r"000000\.changes: writing failed: .*ulimit"):
            store.append(batches[2:])
        with pytest.raises(StorageFailed, match="recover first"):
            store.append(batches[2:])

    with pytest.raises(StorageFailed, match="recover first"):
        store.seal(0, evidence_of(batches[:2]))
    (stream,) = store.recover().streams.values()
    assert 2 <= stream.watermark < len(batches)
    store.append(batches[stream.watermark :])
    store.seal(0, evidence_of(batches))
    store.finalize()
    assert len(final_rows(store)) == 40


def test_a_full_disk_while_finalizing_leaves_nothing_half_written(tmp_path):
    chain = [[upsert(key, f"{key * 7919:060d}", key) for key in range(2000)], [], [], []]
    store = a_recovered_store(tmp_path)
    for incremental, changes in enumerate(chain):
        batches = batches_of(changes, incremental, size=500)
        if batches:
            store.append(batches)
        store.seal(incremental, evidence_of(batches))
    with (
        a_disk_that_takes_files_up_to(4096),
        pytest.raises(StorageFailed, match=r"part-00000\.parquet: writing the final rows failed"),
    ):
        store.finalize()
    assert list((tmp_path / "staged" / "orders").iterdir()) == []

    store.finalize()
    assert final_rows(store) == truth_of(chain)


def test_a_full_disk_while_compacting_keeps_the_seal_and_every_row(tmp_path):
    chain = [
        [upsert(key, "base") for key in range(30)],
        [upsert(key, "x" * 200) for key in range(30)],
        [upsert(key, "y" * 200) for key in range(30, 60)],
        [erase(7)],
    ]
    store = a_recovered_store(tmp_path, runs_max=3)
    restore(store, chain[:3])
    # Enough for the last incremental and its seal, not for the fold of the three.
    with a_disk_that_takes_files_up_to(8192), pytest.raises(StorageFailed, match=r"\.run\.tmp"):
        restore(store, chain[3:], start=3)

    state = store.recover()
    assert sorted(state.sealed) == [0, 1, 2, 3]
    assert not [name for name in names_in(tmp_path) if name.endswith(".tmp")]
    store.finalize()
    assert final_rows(store) == truth_of(chain)


def test_a_directory_that_cannot_be_made_is_told_with_its_path(tmp_path):
    (tmp_path / "shard").write_text("in the way")

    with pytest.raises(StorageFailed, match="shard: opening the shard's directory failed"):
        a_segment_store(tmp_path).recover()


def test_a_store_not_yet_recovered_or_closed_writes_nothing(tmp_path):
    store = a_segment_store(tmp_path)
    with pytest.raises(StorageFailed, match="recover first"):
        store.append([a_batch([upsert(1)])])
    store.recover()
    store.close()
    with pytest.raises(StorageFailed, match="recover first"):
        store.record_generation(1)
    assert names_in(tmp_path) == []


def test_finalizing_begins_with_what_is_durable_when_an_earlier_try_failed(tmp_path):
    store = a_recovered_store(tmp_path)
    restore(store, A_CHAIN)
    store.close()

    assert store.finalize() == a_recovered_store(tmp_path).finalize()
    assert a_segment_store(tmp_path).finalize() == store.finalize()


# --- Compaction.


def a_long_chain(length):
    """A base of 50 rows, then incrementals that upsert, erase and bring back."""
    chain = [[upsert(key, "base", key) for key in range(0, 100, 2)]]
    for n in range(1, length):
        keys = sorted({(n * 7 + step * 13) % 100 for step in range(n % 9)})
        chain.append(
            [erase(key) if (key + n) % 3 == 0 else upsert(key, f"i{n}", n) for key in keys]
        )
    return chain


@pytest.mark.parametrize("runs_max", [2, 3, 16, 100])
def test_a_long_chain_gives_the_same_rows_however_often_it_is_compacted(tmp_path, runs_max):
    chain = a_long_chain(41)
    layout = a_layout(incrementals=41)
    seals = {}
    for incremental, changes in enumerate(chain):
        store = a_segment_store(tmp_path, layout, runs_max=runs_max)
        assert store.recover().sealed == seals
        restore(store, [changes], start=incremental)
        seals[incremental] = evidence_of(batches_of(changes, incremental))

    assert a_recovered_store(tmp_path, layout).finalize()[0] == len(truth_of(chain))
    assert final_rows(a_recovered_store(tmp_path, layout)) == truth_of(chain)


def test_compaction_bounds_the_files_of_a_long_chain(tmp_path):
    """Base, and at most runs_max - 1 of each level: 40 = 1111 in base 3."""
    store = a_recovered_store(tmp_path, a_layout(incrementals=41), runs_max=3)
    base = None
    for incremental, changes in enumerate(a_long_chain(41)):
        restore(store, [changes], start=incremental)
        assert len(names_in(tmp_path)) <= 1 + 2 * 4
        base = base or (tmp_path / "shard" / "000000.changes").read_bytes()

    assert names_in(tmp_path) == [
        "000000.changes",
        "000001-000027.run",
        "000028-000036.run",
        "000037-000039.run",
        "000040.changes",
    ]
    assert (tmp_path / "shard" / "000000.changes").read_bytes() == base


@pytest.mark.parametrize("removed", range(4))
def test_a_crash_at_any_step_of_a_compaction_changes_nothing(tmp_path, removed):
    """After the rename, before and between the removals of what the new file replaces."""
    chain = a_long_chain(5)
    layout = a_layout(incrementals=5)
    apart = a_recovered_store(tmp_path / "apart", layout)
    restore(apart, chain)
    folded = a_recovered_store(tmp_path / "folded", layout, runs_max=3)
    restore(folded, chain)
    shutil.copy(tmp_path / "folded" / "shard" / "000001-000003.run", tmp_path / "apart" / "shard")
    for n in range(1, 1 + removed):
        (tmp_path / "apart" / "shard" / f"{n:06d}.changes").unlink()

    store = a_segment_store(tmp_path / "apart", layout)
    assert store.recover() == folded.recover()
    assert names_in(tmp_path / "apart") == names_in(tmp_path / "folded")
    store.finalize()
    assert final_rows(store) == truth_of(chain)


def test_a_run_that_a_wider_one_replaces_is_removed(tmp_path):
    chain = a_long_chain(5)
    layout = a_layout(incrementals=5)
    narrow = a_recovered_store(tmp_path / "narrow", layout, runs_max=2)
    restore(narrow, chain[:3])
    wide = a_recovered_store(tmp_path / "wide", layout, runs_max=2)
    restore(wide, chain)
    assert "000001-000004.run" in names_in(tmp_path / "wide")
    shutil.copy(tmp_path / "narrow" / "shard" / "000001-000002.run", tmp_path / "wide" / "shard")

    store = a_recovered_store(tmp_path / "wide", layout)
    assert "000001-000002.run" not in names_in(tmp_path / "wide")
    store.finalize()
    assert final_rows(store) == truth_of(chain)


def test_a_part_of_a_compaction_is_removed_and_made_again(tmp_path):
    chain = a_long_chain(4)
    layout = a_layout(incrementals=4)
    store = a_recovered_store(tmp_path, layout, runs_max=3)
    restore(store, chain[:3])
    (tmp_path / "shard" / "000001-000003.run.tmp").write_bytes(b"half a file")

    store = a_recovered_store(tmp_path, layout, runs_max=3)
    assert not [name for name in names_in(tmp_path) if name.endswith(".tmp")]
    (tmp_path / "shard" / "000001-000003.run.tmp").write_bytes(b"half a file" * 9000)
    restore(store, chain[3:], start=3)
    assert names_in(tmp_path) == ["000000.changes", "000001-000003.run"]
    store.finalize()
    assert final_rows(store) == truth_of(chain)


# --- Final files.


def test_the_final_file_is_plain_parquet_of_the_tables_schema(tmp_path):
    store = a_recovered_store(tmp_path)
    restore(store, A_CHAIN)
    store.finalize()

    table = pq.read_table(tmp_path / FINAL)
    assert table.schema.equals(SCHEMA.arrow())
    assert [tuple(row.values()) for row in table.to_pylist()] == truth_of(A_CHAIN)


def test_an_empty_table_leaves_a_readable_file_in_the_first_shard_only(tmp_path):
    for name, low in (("first", None), ("second", (100,))):
        store = a_recovered_store(tmp_path / name, a_layout(low=low))
        restore(store, [[], [], [], []])
        assert store.finalize() == (0, 0)
        assert final_rows(store) == []

    assert pq.read_table(tmp_path / "first" / FINAL).num_rows == 0
    assert not (tmp_path / "second" / "staged").exists()


def test_final_rows_that_vanished_are_made_again(tmp_path):
    store = a_recovered_store(tmp_path)
    restore(store, A_CHAIN)
    first = store.finalize()
    (tmp_path / FINAL).write_bytes(b"cut")

    store = a_segment_store(tmp_path)
    assert store.recover().finalized is None
    assert store.finalize() == first
    assert final_rows(store) == truth_of(A_CHAIN)


def test_final_rows_that_were_published_need_not_be_made_again(tmp_path):
    """D4: a crash between publication and its record does not undo what was finalized."""
    store = a_recovered_store(tmp_path)
    restore(store, A_CHAIN)
    first = store.finalize()
    (tmp_path / "staged" / "orders").rename(tmp_path / "orders")

    assert a_segment_store(tmp_path).recover().finalized == first


def test_a_crash_before_the_final_rows_were_recorded_makes_them_again(tmp_path):
    store = a_recovered_store(tmp_path)
    restore(store, A_CHAIN)
    first = store.finalize()
    (tmp_path / "shard" / "control").unlink()
    (tmp_path / (FINAL + ".tmp")).write_bytes(b"half a file")

    store = a_segment_store(tmp_path)
    assert store.recover().finalized is None
    assert store.finalize() == first
    assert [path.name for path in (tmp_path / "staged" / "orders").iterdir()] == [
        "part-00000.parquet"
    ]


def test_a_crash_before_any_file_operation_is_resumed_to_the_same_rows(quick_folder):
    """Crash everywhere, recovery included: appends, seals, compactions, final rows, publication."""
    folder = str(quick_folder)
    process = subprocess.run(
        # Newer versions of Python warn of a fork beside the threads that pyarrow has.
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-m",
            "store.crash_everywhere",
            folder,
        ],
        cwd=Path(__file__).parent.parent,
        check=False,
        capture_output=True,
        text=True,
    )

    assert process.stderr == ""
    assert int(process.stdout) > 50
