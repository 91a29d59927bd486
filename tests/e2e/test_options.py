"""The options of `increstore restore`, as scripts and people use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from increstore.errors import ExitCode

from .builders import Depot, assert_says, increstore_ends, json_lines, visible_rows


def _restore(depot: Depot, target: Path, *options: str | Path):
    return increstore_ends("restore", depot.path, "--into", target, *options)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(varied: Depot, tmp_path: Path):
    ended = _restore(varied, tmp_path / "target", "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    assert_says(ended.out, [*varied.backups, "8 tables", "nothing was written"])
    assert not (tmp_path / "target").exists()


def test_a_dry_run_as_json_is_one_object_a_line(varied: Depot, tmp_path: Path):
    ended = _restore(varied, tmp_path / "target", "--dry-run", "--json", "--table", "people")
    *backups, plan = json_lines(ended.out)
    assert [line["backup"] for line in backups] == varied.backups
    assert backups[0]["rows"] == {"people": len(varied.expected[0]["people"])}
    assert plan["event"] == "plan"
    assert plan["rows"] == sum(sum(line["rows"].values()) for line in backups)
    assert plan["tables"] == [{"table": "people", "rows": len(varied.expected[-1]["people"])}]


def test_json_is_one_object_a_line_and_a_summary_at_the_end(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    ended = _restore(varied, target, "--json")
    *events, summary = json_lines(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert all({"t", "node", "event"} <= event.keys() for event in events)
    assert (summary["event"], summary["state"], summary["exit_code"]) == ("summary", "completed", 0)
    assert summary["resume"] is None
    assert summary["upto"] == varied.backups[-1]
    rows = {table["table"]: table["rows"] for table in summary["tables"]}
    assert rows == {table: len(found) for table, found in visible_rows(target).items()}


def test_plain_is_one_fact_a_line_without_colours(varied: Depot, tmp_path: Path):
    ended = _restore(varied, tmp_path / "target", "--plain")
    assert (ended.code, ended.out) == (0, "")
    assert "\x1b" not in ended.err
    lines = [line.split() for line in ended.err.splitlines()]
    told = [words[2:4] for words in lines if words[2:3] and words[2].endswith("/5")]
    assert told == [[f"{number}/5", name] for number, name in enumerate(varied.backups)]
    places = {line.index(" rows") for line in ended.err.splitlines() if "/5  " in line}
    assert len(places) == 1, "numbers of rows stand one under the other"


def test_a_journal_holds_every_event_and_grows_with_the_next_run(varied: Depot, tmp_path: Path):
    target, journal = tmp_path / "target", tmp_path / "run.journal"
    stopped = _restore(varied, target, "--journal", journal, "--deadline", "0.000001")
    assert stopped.code == ExitCode.DEADLINE
    assert_says(stopped.err, ["deadline", "go on with", "increstore restore"])
    assert _restore(varied, target, "--journal", journal, "--json").code == 0
    events = [line["event"] for line in json_lines(journal.read_text())]
    assert events.count("journal.opened") == 2
    assert events.count("incremental.completed") == len(varied.backups)
    assert events[-1] == "restore.completed"


@pytest.mark.parametrize("place", [".", "nowhere/run.journal"])
def test_a_journal_that_cannot_be_opened_stops_it_before_anything_is_written(
    varied: Depot, tmp_path: Path, place
):
    ended = _restore(varied, tmp_path / "target", "--journal", tmp_path / place)
    assert ended.code == ExitCode.RESTORE_FAILED
    assert_says(ended.err, ["journal", "--journal"])
    assert not (tmp_path / "target").exists()


def test_a_journal_is_not_appended_to_a_file_that_is_none(varied: Depot, tmp_path: Path):
    mine = tmp_path / "orders.csv"
    mine.write_bytes(b"id,total\n1,10\n")
    ended = _restore(varied, tmp_path / "target", "--journal", mine)
    assert ended.code == ExitCode.RESTORE_FAILED
    assert_says(ended.err, [str(mine), "no journal", "--journal"])
    assert mine.read_bytes() == b"id,total\n1,10\n"
    assert not (tmp_path / "target").exists()


def test_upto_takes_the_beginning_of_a_name_when_it_is_the_only_one(varied: Depot, tmp_path: Path):
    ended = _restore(varied, tmp_path / "target", "--upto", varied.backups[2][:-12], "--dry-run")
    assert ended.code == 0, ended.err
    assert varied.backups[2] in ended.out
    assert varied.backups[3] not in ended.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--upto", "2"), ["'2'", "several backups"]),
        (("--upto", "nope"), ["no backup 'nope'", "expected"]),
        (("--table", "people", "--table", "nope"), ["no table 'nope'", "shop/orders"]),
        (("--sources", "0"), ["--sources"]),
        (("--targets", "many"), ["--targets"]),
        (("--on", "carrier-pigeon"), ["--on", "memory", "tcp"]),
        (("--deadline", "-1"), ["--deadline"]),
        (("--json", "--plain"), ["--json", "--plain"]),
    ],
)
def test_a_wrong_call_is_a_usage_error_that_writes_nothing(varied, tmp_path, options, words):
    ended = _restore(varied, tmp_path / "target", *options)
    assert ended.code == ExitCode.USAGE, ended.err
    assert_says(ended.err, words)
    assert not (tmp_path / "target").exists()


def test_every_command_has_a_summary_that_fits_its_line():
    shown = increstore_ends("--help").out
    commands = shown.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(commands) == 10
    assert not [line for line in commands if line.endswith("...")]


def test_the_demo_restores_verifies_and_keeps_its_result(tmp_path: Path):
    ended = increstore_ends("demo", "--into", tmp_path / "demo", "--plain")
    assert ended.code == 0, ended.err
    assert_says(ended.out, ["equal: 1 table"])
    assert list((tmp_path / "demo" / "airports").glob("*.parquet"))


def test_the_documented_events_are_those_that_are_written(varied: Depot, tmp_path: Path):
    text = (Path(__file__).parents[2] / "docs" / "JSON.md").read_text()
    ended = _restore(varied, tmp_path / "target", "--json", "--on", "tcp")
    names = {json.loads(line)["event"] for line in ended.out.splitlines()}
    assert not [name for name in sorted(names) if f"`{name}`" not in text]
