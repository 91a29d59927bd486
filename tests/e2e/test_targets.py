"""Which targets a restore takes, and what it says of the others."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from increstore.errors import ExitCode, TargetRefused, UsageError
from increstore.protocol.coordinator import CoordinatorConfig, RestoreState
from increstore.runtime.prepare import RestoreRequest, prepare

from .builders import (
    Depot,
    a_varied_depot,
    assert_says,
    increstore,
    increstore_ends,
    restore_here,
    visible_rows,
)
from .commands import Command

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24


def test_a_second_restore_into_the_same_target_is_refused_and_the_first_unharmed(varied, tmp_path):
    target = tmp_path / "target"
    first = Command("restore", varied.path, "--into", target)
    first.until("incremental.completed", incremental=0)
    first.send(signal.SIGSTOP)  # So that it still runs, however slow the second is.
    try:
        second = increstore_ends("restore", varied.path, "--into", target)
    finally:
        first.send(signal.SIGCONT)
    assert second.code == ExitCode.RESTORE_FAILED
    assert_says(second.err, [str(target), "another restore works", str(first.process.pid), "wait"])
    assert first.ends()[0] == 0
    assert visible_rows(target) == varied.expected[-1]


def _begun(depot: Depot, target: Path, **request) -> None:
    """A restore that was stopped by its deadline before it did much."""
    soon = CoordinatorConfig(overall_deadline_ns=1)
    run = restore_here(RestoreRequest(depot.path, target, **request), soon)
    assert run.outcome.state is RestoreState.PAUSED


def test_a_target_of_another_collection_is_refused(varied: Depot, tmp_path: Path):
    target, other = tmp_path / "target", a_varied_depot(tmp_path / "other", rows=10)
    _begun(varied, target)
    before = sorted(target.rglob("*"))
    with pytest.raises(TargetRefused, match="belongs to collection") as refusal:
        restore_here(RestoreRequest(other.path, target, sources=7))
    assert_says(str(refusal.value), [str(target), str(other.path), "another target"])
    assert sorted(target.rglob("*")) == before


@pytest.mark.parametrize(
    ("begun", "asked", "option"),
    [
        ({"sources": 2}, {"sources": 3}, "--sources"),
        ({"targets": 2}, {"targets": 1}, "--targets"),
        ({"tables": ("people",)}, {"tables": ("still",)}, "--table"),
        ({}, {"tables": ("still",)}, "--table"),
    ],
)
def test_other_options_than_those_it_began_with_are_refused(varied, tmp_path, begun, asked, option):
    target = tmp_path / "target"
    _begun(varied, target, **begun)
    with pytest.raises(UsageError, match=f"began with {option}") as refusal:
        restore_here(RestoreRequest(varied.path, target, **asked))
    assert_says(str(refusal.value), [str(target), "leave the option out"])


def test_another_upto_than_it_began_with_is_refused(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    _begun(varied, target, upto=varied.backups[2])
    with pytest.raises(UsageError, match=f"began with --upto {varied.backups[2]}"):
        restore_here(RestoreRequest(varied.path, target, upto=varied.backups[3]))


def test_the_same_options_in_another_order_or_none_go_on(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    _begun(varied, target, tables=("still", "people"), sources=3)
    _begun(varied, target, tables=("people", "still", "people"))
    run = restore_here(RestoreRequest(varied.path, target))
    assert run.outcome.state is RestoreState.COMPLETED
    assert sorted(visible_rows(target)) == ["people", "still"]


def test_a_resumed_restore_keeps_the_backup_it_began_with_when_newer_ones_come(tmp_path: Path):
    depot, target = a_varied_depot(tmp_path / "depot", rows=60, incrementals=2), tmp_path / "target"
    _begun(depot, target)
    depot.tables["one"].put({"id": 2, "a": 7, "b": "new"})
    depot.backup()
    ended = increstore_ends("restore", depot.path, "--into", target)
    assert ended.code == 0
    assert_says(ended.err, [depot.backups[2], "1 newer backup"])
    assert visible_rows(target) == depot.expected[2]


def test_a_changed_chain_is_not_mixed_with_what_was_restored(damaged: Depot, tmp_path: Path):
    target = tmp_path / "target"
    _begun(damaged, target)
    # As if the collection had been taken back to a copy and backed up again from there.
    child = damaged.manifest(5).read_text()
    damaged.edit_manifest(5, lambda manifest: manifest.update(id="0" * 32))
    with pytest.raises(TargetRefused, match="not the one this restore began with"):
        restore_here(RestoreRequest(damaged.path, target))
    damaged.manifest(5).write_text(child)
    assert restore_here(RestoreRequest(damaged.path, target)).outcome.state.value == "completed"


def test_the_same_command_after_the_end_does_nothing_and_says_so(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    restore_here(RestoreRequest(varied.path, target))
    files = {file: file.stat().st_mtime_ns for file in target.rglob("*.parquet")}
    ended = increstore_ends("restore", varied.path, "--into", target)
    assert ended.code == 0
    assert_says(ended.err, ["already restored", varied.backups[-1], "nothing was done"])
    assert {file: file.stat().st_mtime_ns for file in target.rglob("*.parquet")} == files


@pytest.mark.parametrize("harm", ["gone", "damaged", "shorter"])
def test_a_complete_target_that_was_harmed_is_not_called_restored(varied, tmp_path, harm):
    """What `verify` finds and `restore` denies would leave a person without a way out."""
    target = tmp_path / "target"
    restore_here(RestoreRequest(varied.path, target))
    folder = target / "people"
    if harm == "gone":
        shutil.rmtree(folder)
    elif harm == "damaged":
        (folder / "part-00000.parquet").write_bytes(b"PAR1 not")
    else:
        (folder / "part-00000.parquet").unlink()
    ended = increstore_ends("restore", varied.path, "--into", target)
    assert ended.code == ExitCode.RESTORE_FAILED
    assert_says(ended.err, [str(folder), "no longer as it was", "another target"])
    assert "Traceback" not in ended.err


def _loses_a_shard(work: Path) -> Path:
    folder = work / "shards" / "shop%2Forders%2Ft0"
    shutil.rmtree(folder)
    return folder


def _loses_its_history(work: Path) -> Path:
    for file in work.glob("coordinator.db*"):
        file.unlink()
    return work / "coordinator.db"


@pytest.mark.parametrize("loses", [_loses_a_shard, _loses_its_history])
def test_a_target_that_lost_what_was_durable_is_told_at_once_to_begin_anew(varied, tmp_path, loses):
    """It was tried six times, in half a minute, and then told to try the same command again."""
    target = tmp_path / "target"
    command = Command("restore", varied.path, "--into", target)
    command.until("incremental.completed", incremental=1)
    command.send(signal.SIGKILL)
    command.ends()
    lost = loses(target / ".increstore")
    told = increstore_ends("restore", varied.path, "--into", target)
    assert told.code == ExitCode.RESTORE_FAILED
    assert_says(told.err, [str(lost), "remove the target and start the restore again"])
    assert "go on with" not in told.err


def test_a_link_to_nowhere_is_no_target(varied: Depot, tmp_path: Path):
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(TargetRefused, match="link to gone, which does not exist"):
        prepare(RestoreRequest(varied.path, tmp_path / "link"))


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(varied, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(TargetRefused, match="precious") as refusal:
        prepare(RestoreRequest(varied.path, tmp_path))
    assert_says(str(refusal.value), [str(tmp_path), "expected", "another target"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("inside", ["restored", "a/b", "../{name}/restored"])
def test_a_target_inside_the_collection_is_refused(damaged: Depot, inside):
    request = RestoreRequest(damaged.path, damaged.path / inside.format(name=damaged.path.name))
    with pytest.raises(TargetRefused, match="inside the collection"):
        prepare(request)
    assert sorted(child.name for child in damaged.path.iterdir()) == [".lock", *damaged.backups]


def test_a_file_is_no_target(varied: Depot, tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(TargetRefused, match="expected a directory"):
        prepare(RestoreRequest(varied.path, file))
    assert file.read_text() == "mine"


def test_missing_parents_are_made(varied: Depot, tmp_path: Path):
    target = tmp_path / "new" / "and deeper"
    restore_here(RestoreRequest(varied.path, target, tables=("one",)))
    assert visible_rows(target) == {"one": varied.expected[-1]["one"]}


def test_a_target_inside_a_file_is_refused(varied: Depot, tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    ended = increstore_ends("restore", varied.path, "--into", tmp_path / "file" / "target")
    assert ended.code == ExitCode.RESTORE_FAILED
    assert_says(ended.err, ["file", "target"])
    assert "Traceback" not in ended.err


def _give_up_privileges() -> None:
    """Let permissions count for root too: drop what overrides them from what exec may grant."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def _unprivileged(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user whom permissions bind."""
    return subprocess.run(
        increstore(*words),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=_give_up_privileges,
    )


def test_a_read_only_target_is_refused(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    target.mkdir(mode=0o555)
    ended = _unprivileged("restore", varied.path, "--into", target)
    assert ended.returncode == ExitCode.RESTORE_FAILED, ended.stderr
    assert_says(ended.stderr, [str(target), "Permission denied", "another target"])
    assert list(target.iterdir()) == []


def test_a_target_that_cannot_be_made_is_refused(varied: Depot, tmp_path: Path):
    (tmp_path / "locked").mkdir(mode=0o555)
    target = tmp_path / "locked" / "target"
    ended = _unprivileged("restore", varied.path, "--into", target)
    assert ended.returncode == ExitCode.RESTORE_FAILED, ended.stderr
    assert_says(ended.stderr, [str(target), "Permission denied"])


def test_a_target_that_becomes_read_only_can_go_on_once_it_is_writable(varied, tmp_path):
    target = tmp_path / "target"
    _begun(varied, target)
    work = target / ".increstore"
    work.chmod(0o555)
    ended = _unprivileged("restore", varied.path, "--into", target)
    work.chmod(0o755)
    assert ended.returncode == ExitCode.RESTORE_FAILED, ended.stderr
    assert "Traceback" not in ended.stderr
    assert restore_here(RestoreRequest(varied.path, target)).outcome.state.value == "completed"


def test_an_unreadable_collection_is_refused(damaged: Depot, tmp_path: Path):
    damaged.path.chmod(0o000)
    ended = _unprivileged("restore", damaged.path, "--into", tmp_path / "target")
    damaged.path.chmod(0o755)
    assert ended.returncode in (ExitCode.USAGE, ExitCode.BAD_INPUT), ended.stderr
    assert_says(ended.stderr, [str(damaged.path), "not readable"])
    assert "Traceback" not in ended.stderr


def test_an_unreadable_data_file_is_named(damaged: Depot, tmp_path: Path):
    file = damaged.data_file(1, "people")
    file.chmod(0o000)
    ended = _unprivileged("restore", damaged.path, "--into", tmp_path / "target")
    assert ended.returncode == ExitCode.BAD_INPUT, ended.stderr
    assert_says(ended.stderr, [str(file), "Permission denied"])
