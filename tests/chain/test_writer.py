"""A backup appears whole or not at all, one at a time, in files of bounded row groups."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from increstore.chain.digest import rows_digest
from increstore.chain.schema import Column, TableSchema
from increstore.chain.staging import LOCK_NAME
from increstore.chain.table_writer import FileLimits, TableWriter
from increstore.chain.validate import require_valid
from increstore.chain.writer import BackupWriter, State, TableChanges, write_backup
from increstore.errors import LocalProtocolError, SnapshotRefused, StorageFailed

from .builder import Shop, a_shop_with_three_incrementals, integers

SCHEMA = TableSchema((Column("id", pa.int64()), Column("v", pa.string())), ("id",))


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK_NAME)


def test_rows_come_back_as_written_with_the_promised_sums(tmp_path):
    batches = [integers(30_000), integers(70_000, 30_000), integers(5, 100_000)]
    manifest = write_backup(tmp_path / "c", "full", {"t": TableChanges("full", SCHEMA, batches)})

    entry = manifest.tables["t"]
    (file,) = entry.files
    path = tmp_path / "c" / manifest.name / "t" / file.path
    table = pa.Table.from_batches(batches)
    assert pq.read_table(path).equals(table.cast(SCHEMA.arrow()))
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.bytes == path.stat().st_size
    assert [(g.rows, g.first_key) for g in file.row_groups] == [(65_536, [0]), (34_469, [65_536])]
    assert (file.first_key, file.last_key) == ([0], [100_004])
    assert entry.rows == file.rows == 100_005
    assert int(entry.digest, 16) == rows_digest(table.combine_chunks().to_batches()[0], SCHEMA)


def test_files_roll_and_row_groups_end_at_their_limits(tmp_path):
    limits = FileLimits(group_rows_max=100, file_bytes_aim=2000)
    writer = TableWriter(tmp_path / "t", SCHEMA, limits=limits)
    with writer:
        for start in range(0, 1000, 70):
            writer.write(integers(min(70, 1000 - start), start))

    assert len(writer.files) > 2
    assert [file.path for file in writer.files] == visible(tmp_path / "t")
    groups = [group.rows for file in writer.files for group in file.row_groups]
    assert groups == [100] * 10
    tables = [pq.read_table(tmp_path / "t" / file.path) for file in writer.files]
    assert pa.concat_tables(tables)["id"].to_pylist() == list(range(1000))


def test_row_groups_of_long_rows_are_bounded_in_bytes(tmp_path):
    values = ["x" * 10_000] * 64
    batch = pa.record_batch({"id": pa.array(range(64), pa.int64()), "v": values})
    writer = TableWriter(tmp_path / "t", SCHEMA, limits=FileLimits(group_bytes_aim=100_000))
    with writer:
        writer.write(batch)

    groups = [group.rows for group in writer.files[0].row_groups]
    assert sum(groups) == 64
    assert max(groups) * 10_000 <= 125_000 + 10_000


def test_a_row_larger_than_the_limit_is_refused_by_its_key(tmp_path):
    huge = pa.record_batch({"id": pa.array([7], pa.int64()), "v": ["x" * (33 << 20)]})
    writer = TableWriter(tmp_path / "t", SCHEMA)
    with pytest.raises(SnapshotRefused, match="row with key 7 takes 35 MB"), writer:
        writer.write(huge)


@pytest.mark.parametrize(
    ("ids", "kind"), [([2, 1], "unsorted"), ([1, 1], "duplicate"), ([1, None], "null")]
)
def test_keys_out_of_order_are_refused(tmp_path, ids, kind):
    batch = pa.record_batch({"id": pa.array(ids, pa.int64()), "v": ["a", "b"]})
    with pytest.raises(LocalProtocolError, match=kind), TableWriter(tmp_path, SCHEMA) as writer:
        writer.write(batch)


def test_keys_must_ascend_from_one_batch_to_the_next(tmp_path):
    with TableWriter(tmp_path, SCHEMA) as writer:
        writer.write(integers(10))
        with pytest.raises(LocalProtocolError, match="duplicate in row 0"):
            writer.write(integers(10, 9))


@pytest.mark.parametrize(
    ("batch", "complaint"),
    [
        (pa.record_batch({"id": pa.array([1], pa.int64())}), "lacks column 'v'"),
        (pa.record_batch({"id": pa.array([1], pa.int32()), "v": ["a"]}), "type int32"),
        (integers(1).append_column("w", pa.array([1])), r"\['w'\]"),
        (integers(1).append_column("__op", pa.array([2], pa.uint8())), "__op"),
    ],
)
def test_a_batch_of_another_form_is_refused(tmp_path, batch, complaint):
    with pytest.raises(LocalProtocolError, match=complaint), TableWriter(tmp_path, SCHEMA) as w:
        w.write(batch)


def test_batches_without_op_and_set_are_upserts_of_all_columns(tmp_path):
    erases = integers(3, 10).append_column("__op", pa.array([2, 1, 0], pa.uint8()))
    writer = TableWriter(tmp_path / "t", SCHEMA, has_op=True, has_set=True)
    with writer:
        writer.write(integers(2))
        writer.write(erases)

    table = pq.read_table(tmp_path / "t" / "part-00000.parquet")
    assert table.schema.equals(SCHEMA.change_arrow(has_op=True, has_set=True))
    assert table["__op"].to_pylist() == [0, 0, 2, 1, 0]
    assert table["__set"].to_pylist() == [None] * 5
    assert (writer.upserts, writer.resets, writer.erases) == (3, 1, 1)


def test_an_empty_table_is_a_backup_without_files(tmp_path):
    manifest = write_backup(tmp_path / "c", "full", {"t": TableChanges("full", SCHEMA, [])})
    assert (manifest.tables["t"].files, manifest.tables["t"].rows) == ([], 0)


def test_the_state_after_an_incremental_has_to_be_given(tmp_path):
    write_backup(tmp_path, "full", {"t": TableChanges("full", SCHEMA, [integers(3)])})
    changes = TableChanges("changes", SCHEMA, [integers(1, 9)])
    with pytest.raises(LocalProtocolError, match="state after an incremental"):
        write_backup(tmp_path, "incremental", {"t": changes})


def test_tables_an_incremental_does_not_name_are_unchanged(tmp_path):
    tables = {name: TableChanges("full", SCHEMA, [integers(3)]) for name in ("a", "b")}
    full = write_backup(tmp_path, "full", tables)
    changes = TableChanges("changes", SCHEMA, [integers(1, 9)], State(4, 0))
    manifest = write_backup(tmp_path, "incremental", {"a": changes})

    assert manifest.parent == full.id
    assert manifest.collection == full.collection
    assert manifest.tables["b"].change == "unchanged"
    assert manifest.tables["b"].digest == full.tables["b"].digest


# --- Whole or not at all.


def test_a_backup_that_fails_half_way_leaves_nothing_to_see(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    before = visible(shop.path)
    out_of_order = TableChanges("full", SCHEMA, [integers(10, 5), integers(10)])
    with pytest.raises(LocalProtocolError):
        write_backup(shop.path, "full", {"t": TableChanges("full", SCHEMA, []), "u": out_of_order})
    assert visible(shop.path) == before


def test_nobody_sees_a_backup_that_is_being_made(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    with BackupWriter(shop.path, "full") as writer:
        writer.add("t", TableChanges("full", SCHEMA, [integers(10)]))
        assert len(shop.collection().backups) == 4
        assert shop.collection().incomplete == ()
    assert len(shop.collection().backups) == 5


def test_a_second_backup_at_the_same_time_is_refused(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    with BackupWriter(shop.path, "full") as writer:
        with pytest.raises(StorageFailed, match=f"another backup .*process {os.getpid()}"):
            shop.incremental("id,v\n1,a\n")
        writer.add("t", TableChanges("full", SCHEMA, [integers(10)]))
    shop.full()
    assert len(shop.collection().backups) == 6


KILLED_HALF_WAY = """
import sys
from chain.builder import integers
from chain.test_writer import SCHEMA
from increstore.chain.writer import BackupWriter, TableChanges
with BackupWriter(sys.argv[1], "full") as writer:
    writer.add("t", TableChanges("full", SCHEMA, [integers(10)]))
    print("half way", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_backup_left_is_ignored_and_then_removed(tmp_path):
    shop = a_shop_with_three_incrementals(tmp_path)
    before = visible(shop.path)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_HALF_WAY, str(shop.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with process:
        assert process.stdout.readline() == b"half way\n"
        process.send_signal(signal.SIGKILL)
    assert len(visible(shop.path)) == 5

    require_valid(shop.collection().chain())
    assert shop.collection().incomplete == ()
    name = shop.full().name
    assert visible(shop.path) == sorted([*before, name])


FULL_DISK = """
import resource, signal, sys
from chain.builder import integers
from chain.test_writer import SCHEMA
from increstore.chain.writer import TableChanges, write_backup
from increstore.errors import StorageFailed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_backup(sys.argv[1], "full", {"t": TableChanges("full", SCHEMA, [integers(300_000)])})
except StorageFailed as error:
    print(error)
"""


def test_a_full_disk_ends_a_backup_with_a_clear_error_and_nothing_added(tmp_path):
    shop = Shop(tmp_path)
    shop.full()
    before = visible(shop.path)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK, str(shop.path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert "part-00000.parquet: writing failed: File too large" in result.stdout
    assert "no backup was added" in result.stdout
    assert result.stderr == ""
    assert visible(shop.path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_collection_that_cannot_be_written_is_told(tmp_path):
    shop = Shop(tmp_path)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageFailed, match="Permission denied"):
            write_backup(shop.path, "full", {"t": TableChanges("full", SCHEMA, [integers(3)])})
    finally:
        tmp_path.chmod(0o700)
