"""The coordinator's history: acknowledged records stay, as they were."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.errors import StorageCorrupted, StorageFailed
from increstore.protocol.messages import Evidence, ScanId, Status, StreamEvidence
from increstore.protocol.records import (
    GenerationStarted,
    IncrementalStarted,
    RestoreAccepted,
    ScanReported,
    TargetFinalized,
    TargetSealed,
)
from increstore.store.coordinator_log import CoordinatorLog

RECORDS = [
    RestoreAccepted("r1", "plan", 1_700_000_000_000_000_000),
    GenerationStarted(1, 5),
    ScanReported(
        ScanId("r1", 0, "orders/s0", 2),
        Status.TRANSIENT,
        7,
        (Evidence("orders/t0", 7, 1, 2**64 - 1),),
        "the disk said “no”\n\x00",
        9,
    ),
    TargetSealed(0, "orders/t0", (StreamEvidence("orders/s0", 2, 7, 1, 2**63),)),
    TargetFinalized("orders/t0", 7, 2**64 - 1),
]


@pytest.fixture
def log(tmp_path):
    log = CoordinatorLog(tmp_path / "log.db")
    yield log
    log.close()


def test_what_was_appended_is_replayed_in_order(log):
    log.append(RECORDS[:2])
    log.append(RECORDS[2:])

    assert log.replay() == RECORDS


def test_a_new_log_replays_nothing_and_an_empty_append_adds_nothing(log):
    log.append([])

    assert log.replay() == []


def test_records_outlive_the_object_that_wrote_them(tmp_path):
    first = CoordinatorLog(tmp_path / "deep" / "er" / "log.db")
    first.append(RECORDS)
    first.close()

    second = CoordinatorLog(tmp_path / "deep" / "er" / "log.db")
    second.append([GenerationStarted(2, 11)])
    assert second.replay() == [*RECORDS, GenerationStarted(2, 11)]
    second.close()


def test_records_outlive_a_process_killed_right_after_the_append(tmp_path):
    """D1: what was acknowledged is durable, closed or not."""
    code = (
        "import os, pathlib, sys\n"
        "from increstore.store.coordinator_log import CoordinatorLog\n"
        "from increstore.protocol.records import GenerationStarted\n"
        "log = CoordinatorLog(pathlib.Path(sys.argv[1]))\n"
        "for n in range(1, 6): log.append([GenerationStarted(n, n)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    process = subprocess.run([sys.executable, "-c", code, tmp_path / "log.db"], check=False)
    assert process.returncode == -9

    log = CoordinatorLog(tmp_path / "log.db")
    assert log.replay() == [GenerationStarted(n, n) for n in range(1, 6)]
    log.close()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.builds(IncrementalStarted, st.integers(0, 2**62), st.integers(0, 2**80))),
        max_size=5,
    )
)
def test_any_groups_are_replayed_as_one_list(tmp_path_factory, groups):
    log = CoordinatorLog(tmp_path_factory.mktemp("log") / "log.db")
    for group in groups:
        log.append(group)

    assert log.replay() == [record for group in groups for record in group]
    log.close()


def a_filled_log(path):
    log = CoordinatorLog(path)
    log.append(RECORDS)
    log.close()
    return path


def rewrite(path, statement):
    database = sqlite3.connect(path)
    database.execute(statement)
    database.commit()
    database.close()


def test_a_record_that_is_no_longer_what_was_written_is_refused(tmp_path):
    """D5: SQLite does not notice a changed value; the checksum does."""
    path = a_filled_log(tmp_path / "log.db")
    rewrite(path, "UPDATE record SET json = replace(json, 'plan', 'plot') WHERE sequence = 1")

    log = CoordinatorLog(path)
    with pytest.raises(StorageCorrupted, match=r"log\.db: record 1: expected checksum"):
        log.replay()
    log.close()


def test_a_missing_record_is_refused(tmp_path):
    path = a_filled_log(tmp_path / "log.db")
    rewrite(path, "DELETE FROM record WHERE sequence = 3")

    log = CoordinatorLog(path)
    with pytest.raises(StorageCorrupted, match=r"record 3 is missing"):
        log.replay()
    log.close()


def test_a_kind_of_record_nobody_knows_is_refused(tmp_path):
    path = a_filled_log(tmp_path / "log.db")
    text = '["TimeTravelled",3]'
    checksum = xxhash.xxh3_64_hexdigest(text.encode())
    rewrite(
        path,
        f"UPDATE record SET json = '{text}', checksum = '{checksum}' WHERE sequence = 2",
    )

    log = CoordinatorLog(path)
    with pytest.raises(StorageCorrupted, match="TimeTravelled"):
        log.replay()
    log.close()


def test_a_newer_format_is_refused_with_both_numbers(tmp_path):
    path = a_filled_log(tmp_path / "log.db")
    rewrite(path, "PRAGMA user_version = 7")

    with pytest.raises(StorageFailed, match=r"format 7 .*expected 1.*upgrade"):
        CoordinatorLog(path)


def test_another_sqlite_file_is_not_taken_for_a_log(tmp_path):
    rewrite(tmp_path / "other.db", "CREATE TABLE mine (a)")

    with pytest.raises(StorageCorrupted, match="another SQLite file"):
        CoordinatorLog(tmp_path / "other.db")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "log.db"
    path.write_bytes(b"not a database, but long enough to be read as one" * 40)

    with pytest.raises(StorageCorrupted, match=r"log\.db"):
        CoordinatorLog(path)


def test_a_locked_log_is_a_typed_error_and_nothing_is_written(tmp_path):
    path = a_filled_log(tmp_path / "log.db")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    log = CoordinatorLog(path, busy_timeout_s=0.01)

    with pytest.raises(StorageFailed, match="another process"):
        log.append([GenerationStarted(2, 3)])
    holder.execute("ROLLBACK")
    holder.close()
    log.close()

    again = CoordinatorLog(path)
    assert again.replay() == RECORDS
    again.close()


def test_after_a_failed_append_the_log_refuses_to_write(tmp_path):
    """D6: the failed write may have happened; only a replay tells."""
    path = a_filled_log(tmp_path / "log.db")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    log = CoordinatorLog(path, busy_timeout_s=0.01)
    with pytest.raises(StorageFailed):
        log.append([GenerationStarted(2, 3)])
    holder.execute("ROLLBACK")
    holder.close()

    with pytest.raises(StorageFailed, match="open the log again"):
        log.append([GenerationStarted(2, 3)])
    log.close()


def said_with_files_up_to(limit, path, statements):
    """What `statements` print about the log at `path` when no file may outgrow `limit` bytes.

    The file size limit stands for the full disk: the same code path, no mount needed.
    """
    code = (
        "import pathlib, resource, signal, sys\n"
        "from increstore.errors import StorageFailed\n"
        "from increstore.store.coordinator_log import CoordinatorLog\n"
        "from increstore.protocol.records import RestoreFailed\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "path, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])\n"
        "def no_more_room(): resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        f"{statements}"
        "except StorageFailed as error: print(error)\n"
        "else: sys.exit('no error')\n"
    )
    command = [sys.executable, "-c", code, path, str(limit)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_full_disk_is_a_typed_error_and_the_log_stays_whole(tmp_path):
    path = a_filled_log(tmp_path / "log.db")
    said = said_with_files_up_to(
        65536,
        path,
        "log = CoordinatorLog(path)\n"
        "no_more_room()\n"
        "try: log.append([RestoreFailed('x' * 1_000_000, 1)])\n",
    )
    assert "log.db: appending to the coordinator log failed" in said

    log = CoordinatorLog(path)
    assert log.replay() == RECORDS
    log.close()


def test_a_log_that_has_no_room_to_be_opened_asks_for_room_and_not_for_a_new_disk(tmp_path):
    """SQLite calls it an I/O error when the file that readers and writers share cannot grow."""
    path = a_filled_log(tmp_path / "log.db")
    said = said_with_files_up_to(16384, path, "no_more_room()\ntry: CoordinatorLog(path)\n")
    assert "log.db: opening the coordinator log failed: disk I/O error; free " in said


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StorageFailed, match="opening the coordinator log"):
        CoordinatorLog(tmp_path / "file" / "log.db")


def test_a_log_that_another_coordinator_has_written_to_is_not_written_to_any_more(tmp_path):
    """Where the target's lock has not kept two apart, the log does: history never forks."""
    older = CoordinatorLog(tmp_path / "log.db")
    older.append([GenerationStarted(1, 5)])
    newer = CoordinatorLog(tmp_path / "log.db")
    newer.replay()
    newer.append([GenerationStarted(2, 6)])

    with pytest.raises(StorageFailed, match=r"another coordinator has taken over .*nothing was"):
        older.append([IncrementalStarted(0, 7)])
    newer.append([IncrementalStarted(0, 8)])

    assert newer.replay() == [
        GenerationStarted(1, 5), GenerationStarted(2, 6), IncrementalStarted(0, 8)
    ]  # fmt: skip
    with pytest.raises(StorageFailed):
        older.append([IncrementalStarted(0, 9)])
    older.close()
    newer.close()
