"""Journals of real restores, however they were interrupted, before `increstore check`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pyarrow as pa
import pytest

from .builders import Depot, Table, a_varied_depot, assert_says, increstore_ends
from .commands import Command


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """A chain that is not at its end before a signal comes, on however busy a machine."""
    return a_varied_depot(tmp_path_factory.mktemp("long"), incrementals=15)


def _restores(depot: Depot, folder: Path, *options: str) -> Command:
    into = ["--into", folder / "target", "--journal", folder / "journal.jsonl"]
    return Command("restore", depot.path, *into, *options)


def _is_sound(depot: Depot, folder: Path) -> dict:
    """The journal breaks no law, and what it tells of is in the target."""
    told = increstore_ends(
        "check", folder / "journal.jsonl", "--against", depot.path,
        "--target", folder / "target", "--json",
    )  # fmt: skip
    assert told.code == 0, told.out + told.err
    found = [json.loads(line) for line in told.out.splitlines()]
    assert sum(line["event"] == "table.verified" for line in found) == len(depot.tables)
    assert sum(bool(line.get("times")) for line in found) > 40
    assert found[-1]["unknown"] == {}
    return found[-1]


@pytest.mark.parametrize("mode", ["memory", "tcp"])
def test_a_restore_that_nobody_disturbs_is_sound(varied: Depot, tmp_path: Path, mode: str):
    assert _restores(varied, tmp_path, "--on", mode, "--sources", "2").ends()[0] == 0
    assert _is_sound(varied, tmp_path)["runs"] == ["completed"]


@pytest.mark.parametrize("mode", ["memory", "tcp"])
@pytest.mark.parametrize(
    ("event", "facts"),
    [("scan.reported", {"incremental": 2}), ("target.sealed", {"incremental": 3})],
)
def test_one_that_is_killed_and_taken_up_again_is_sound(long, tmp_path, mode, event, facts):
    command = _restores(long, tmp_path, "--on", mode)
    command.until(event, **facts)
    command.send(signal.SIGKILL)
    command.ends()
    assert _restores(long, tmp_path, "--on", mode).ends()[0] == 0
    assert _is_sound(long, tmp_path)["runs"] == ["cut off", "completed"]


def test_one_that_is_interrupted_and_taken_up_again_is_sound(varied: Depot, tmp_path: Path):
    command = _restores(varied, tmp_path)
    command.until("incremental.completed", incremental=1)
    command.send(signal.SIGINT)
    assert command.ends()[0] == 7
    assert _restores(varied, tmp_path).ends()[0] == 0
    assert _is_sound(varied, tmp_path)["runs"] == ["interrupted", "completed"]


def test_a_restore_is_judged_by_the_chain_it_restored_and_not_by_a_newer_one(tmp_path: Path):
    depot = Depot(tmp_path / "shop")
    depot.tables = {"orders": Table(pa.schema([("id", pa.int64())]), ("id",))}
    orders = depot.tables["orders"]
    for number in range(20):
        orders.put({"id": number})
    depot.backup()
    assert _restores(depot, tmp_path).ends()[0] == 0

    orders.put({"id": 20})
    depot.backups.clear()
    assert depot.backup().endswith("_full")
    assert _is_sound(depot, tmp_path)["runs"] == ["completed"]

    other = Depot(tmp_path / "other")
    other.tables = depot.tables
    other.backup()
    told = increstore_ends("check", tmp_path / "journal.jsonl", "--against", other.path)
    assert told.code == 2
    assert_says(told.err, ["has no backup 2", "name the collection that was restored"])


def test_one_that_a_deadline_has_paused_is_sound(varied: Depot, tmp_path: Path):
    code, _ = _restores(varied, tmp_path, "--deadline", "0.001").ends()
    assert code == 6
    told = increstore_ends("check", tmp_path / "journal.jsonl")
    assert told.code == 0, told.out + told.err
    assert_says(told.out, ["1 run (paused)", "L5"])


def test_what_a_terminal_or_json_shows_has_no_details(varied: Depot, tmp_path: Path):
    command = _restores(varied, tmp_path)
    assert command.ends()[0] == 0
    shown = {event["event"] for event in command.events}
    assert "scan.reported" in shown
    assert not {"message.sent", "batch.applied", "page.read", "restore.planned"} & shown
    assert not any("evidence" in event or "streams" in event for event in command.events)
    kept = (tmp_path / "journal.jsonl").read_text(encoding="utf-8")
    assert '"event": "message.sent"' in kept


def test_a_doctored_journal_of_a_real_restore_is_found_out(varied: Depot, tmp_path: Path):
    assert _restores(varied, tmp_path, "--on", "tcp").ends()[0] == 0
    path = tmp_path / "journal.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    applied = [place for place, line in enumerate(lines) if '"event": "batch.applied"' in line]
    del lines[applied[len(applied) // 2]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = increstore_ends("check", path)
    assert told.code == 5
    assert_says(told.out, ["BROKEN in line", "the law:", "the events that led there:"])


def test_a_collection_that_holds_other_changes_is_found_out(damaged: Depot, tmp_path: Path):
    assert _restores(damaged, tmp_path).ends()[0] == 0

    def holds_one_more(manifest: dict) -> None:
        manifest["tables"]["one"]["files"][0]["rows"] += 1

    damaged.edit_manifest(0, holds_one_more)
    told = increstore_ends("check", tmp_path / "journal.jsonl", "--against", damaged.path)
    assert told.code == 5, told.out + told.err
    assert_says(told.out, ["T2", "changes of incremental 0 were reported; the chain has"])
