"""A full disk stops a restore with clear words; with space again, the same command completes.

The disk is a small tmpfs, which only root may mount: elsewhere these tests are skipped.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from increstore.errors import ExitCode, StorageFailed
from increstore.journal import JournalEvent
from increstore.protocol.coordinator import RestoreState
from increstore.runtime.prepare import RestoreRequest
from increstore.verification.verify import verify

from .builders import (
    IMPATIENT,
    Depot,
    assert_says,
    increstore_ends,
    json_lines,
    restore_here,
    visible_rows,
)

ENOUGH = "64m"


class SmallDisk:
    """A mounted file system whose size can be changed."""

    def __init__(self, path: Path, size: str) -> None:
        self.path = path
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "increstore-test", str(path)]
        if subprocess.run(words, capture_output=True).returncode:
            pytest.skip("mounting a small disk is not permitted here")

    def resize(self, size: str) -> None:
        words = ["mount", "-o", f"remount,size={size}", str(self.path)]
        subprocess.run(words, check=True, capture_output=True)

    def leave_free(self, free: int) -> None:
        """Fill the disk up to `free` bytes, once, with a file beside the target."""
        space = os.statvfs(self.path)
        filling = self.path / "filling"
        if not filling.exists():
            # The restore takes space at the same time: who comes last gets the error.
            with contextlib.suppress(OSError):
                filling.write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - free)))

    def empty(self) -> None:
        (self.path / "filling").unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "disk"
    path.mkdir()
    disk = SmallDisk(path, ENOUGH)
    yield disk
    subprocess.run(["umount", str(path)], check=True)


def _stops(depot: Depot, request: RestoreRequest, on_event=None) -> str:
    """Restores until it stops for want of space; what it says then."""
    try:
        run = restore_here(request, IMPATIENT, on_event)
    except StorageFailed as error:
        told = str(error)
    else:
        assert run.outcome.state in (RestoreState.PAUSED, RestoreState.FAILED), run.outcome
        told = run.outcome.reason
    assert visible_rows(request.target) == {}
    return told


def _goes_on(depot: Depot, request: RestoreRequest) -> None:
    run = restore_here(request)
    assert run.outcome.state is RestoreState.COMPLETED
    assert visible_rows(request.target) == depot.expected[-1]
    assert verify(request.target, depot.path).is_equal


@pytest.mark.parametrize("size", ["64k", "256k", "384k", "512k", "768k"])
def test_a_disk_too_small_from_the_start_stops_it_and_more_space_lets_it_go_on(
    varied: Depot, disk: SmallDisk, size
):
    disk.resize(size)
    request = RestoreRequest(varied.path, disk.path / "target")
    told = _stops(varied, request)
    assert_says(told, [str(disk.path), "space"])
    disk.resize(ENOUGH)
    _goes_on(varied, request)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("incremental.started", {"incremental": 0}),
        ("incremental.completed", {"incremental": 2}),
        ("restore.finalizing", {}),
        ("rows.finalized", {}),
    ],
)
@pytest.mark.parametrize("free", [0, 20_000])
def test_a_disk_that_fills_up_at_any_stage_stops_it_and_free_space_lets_it_go_on(
    varied: Depot, disk: SmallDisk, name, facts, free
):
    def fill(event: JournalEvent) -> None:
        if event.name == name and facts.items() <= event.facts.items():
            disk.leave_free(free)

    request = RestoreRequest(varied.path, disk.path / "target")
    told = _stops(varied, request, fill)
    assert_says(told, [str(disk.path), "space"])
    disk.empty()
    _goes_on(varied, request)


def test_a_disk_that_fills_up_right_before_publication(varied: Depot, disk: SmallDisk):
    """The last target has its rows; what follows needs a little room for names and records."""
    finalized: list[str] = []

    def fill(event: JournalEvent) -> None:
        if event.name == "target.finalized":
            finalized.append(event.facts["target"])
            if len(finalized) == targets:
                disk.leave_free(0)

    request = RestoreRequest(varied.path, disk.path / "target", sources=1, targets=1)
    targets = len(varied.expected[-1])
    told = _stops(varied, request, fill)
    assert_says(told, ["space"])
    disk.empty()
    _goes_on(varied, request)


def test_the_command_says_what_is_full_and_what_to_do(varied: Depot, disk: SmallDisk):
    disk.resize("300k")
    target = disk.path / "target"
    ended = increstore_ends("restore", varied.path, "--into", target, "--on", "tcp")
    assert ended.code in (ExitCode.RESTORE_FAILED, ExitCode.PAUSED)
    assert_says(ended.err, [str(target), "free some space"])
    assert ended.err.count("this write may have happened in part") <= 2, "once, and as the reason"
    assert "Traceback" not in ended.err
    disk.resize(ENOUGH)
    again = increstore_ends("restore", varied.path, "--into", target, "--on", "tcp")
    assert again.code == 0, again.err
    assert visible_rows(target) == varied.expected[-1]


@pytest.mark.parametrize("size", ["120k", "200k", "300k"])
def test_json_ends_with_a_summary_whatever_could_not_be_written(varied, disk: SmallDisk, size):
    disk.resize(size)
    ended = increstore_ends("restore", varied.path, "--into", disk.path / "target", "--json")
    summary = json_lines(ended.out)[-1]
    assert (summary["event"], summary["exit_code"]) == ("summary", ended.code)
    assert summary["state"] in ("refused", "stopped", "paused", "failed")
    assert_says(" ".join(summary["problems"]), [str(disk.path), "free some space"])


def test_a_journal_on_a_full_disk_is_told_as_such(varied: Depot, disk: SmallDisk, tmp_path: Path):
    disk.resize("16k")
    journal, target = disk.path / "run.journal", tmp_path / "target"
    ended = increstore_ends("restore", varied.path, "--into", target, "--journal", journal)
    assert ended.code == ExitCode.RESTORE_FAILED
    assert_says(ended.err, [str(journal), "journal", "No space left", "--journal"])
    assert "Traceback" not in ended.err
    again = increstore_ends("restore", varied.path, "--into", target)
    assert again.code == 0, again.err
    assert visible_rows(target) == varied.expected[-1]
