"""`increstore check` as a person and as a script meet it: words, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from increstore.cli.check import check
from increstore.errors import JournalUnreadable
from increstore.judging.catalogue import INVARIANTS, NOT_JUDGED
from increstore.judging.page import invariants_page
from tests.judging.journals import altered, lines_of, place_of, without_details


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(check, [str(word) for word in words])


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return written(tmp_path / "sound.jsonl", lines_of())


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A target acknowledges what it does not have."""
    lines = lines_of()
    place = place_of(lines, "message.sent", kind="ChangesApplied")
    return written(tmp_path / "broken.jsonl", altered(lines, place, watermark=99))


def written(path: Path, lines) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_sound_journal_ends_with_code_0_and_what_was_judged(sound):
    result = run(sound)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"{sound}: 1 run (completed), {len(lines_of()) - 1} events"
    assert any(line.startswith("  completion ") and "C1 C2 C3" in line for line in lines)
    assert any(line.startswith("  nothing to judge ") and "T1" in line for line in lines)
    assert lines[-1].startswith("sound: 50 invariants")
    assert lines[-1].endswith("none is broken")
    assert result.stderr == ""


def test_a_broken_one_ends_with_code_5_the_law_and_what_led_there(broken):
    result = run(broken)
    assert result.exit_code == 5
    number = place_of(lines_of(), "message.sent", kind="ChangesApplied") + 1
    text = result.stdout
    assert f"BROKEN in line {number}: D2 never-ahead-of-the-disk" in text
    assert "told that 99 batches of incremental 0" in text
    assert "the law: Progress that is told" in text
    last = text.splitlines()[-1]
    assert last.split()[:2] == ["line", str(number)]
    assert "watermark=99" in last


def test_json_has_an_object_for_each_law_and_one_for_the_whole(sound, broken):
    *laws, whole = map(json.loads, run(sound, "--json").stdout.splitlines())
    assert [law["id"] for law in laws] == [law.id for law in INVARIANTS]
    assert {law["event"] for law in laws} == {"invariant.judged"}
    assert sum(law["times"] for law in laws) > 500
    assert (whole["event"], whole["sound"], whole["runs"]) == (
        "check.completed", True, ["completed"],
    )  # fmt: skip

    *laws, whole = map(json.loads, run(broken, "--json").stdout.splitlines())
    assert [law["id"] for law in laws if law["broken"]] == ["D2"]
    assert (whole["sound"], whole["invariant"]) == (False, "D2 never-ahead-of-the-disk")
    assert whole["line"] == whole["led_there"][-1]
    assert "99 batches" in whole["says"]


def test_what_could_not_be_judged_is_said(tmp_path):
    result = run(written(tmp_path / "old.jsonl", without_details(lines_of())))
    assert result.exit_code == 0
    assert "note: run 1 has no details" in result.stderr
    assert "completion " in result.stdout


def test_a_journal_by_which_nothing_can_be_judged_is_not_called_sound(tmp_path):
    journal = written(tmp_path / "begun.jsonl", lines_of()[:1])

    result = run(journal)

    assert result.exit_code == 3
    assert "nothing could be judged" in result.stdout
    assert "sound" not in result.stdout
    assert json.loads(run(journal, "--json").stdout.splitlines()[-1])["sound"] is False


def test_half_a_line_and_unknown_events_are_said(tmp_path):
    newer = '{"t": 1, "node": "a", "event": "shard.split"}'
    result = run(written(tmp_path / "odd.jsonl", [*lines_of(), newer, '{"t": 1']))
    assert result.exit_code == 0
    assert f"note: line {len(lines_of()) + 2} is half a line" in result.stderr
    assert "left out: shard.split (1)" in result.stderr


def test_the_list_has_every_law_and_why_some_are_not_judged():
    text = run("--list").stdout
    assert [law.id for law in INVARIANTS if f"  {law.id:<3} {law.name}: " not in text] == []
    assert [left.id for left in NOT_JUDGED if f"  {left.id:<3} {left.name}: " not in text] == []
    assert max(map(len, text.splitlines())) <= 100

    objects = [json.loads(line) for line in run("--list", "--json").stdout.splitlines()]
    assert len(objects) == len(INVARIANTS) + len(NOT_JUDGED)
    assert all(found["why_not"] is None for found in objects[: len(INVARIANTS)])
    assert run("--list", "--markdown").stdout == invariants_page()


def test_a_wrong_call_is_told(sound):
    assert run().exit_code == 2
    assert "name a journal" in run().stderr
    result = run(sound, "--target", sound.parent)
    assert result.exit_code == 2
    assert "--against" in result.stderr
    assert "give --list, too" in run(sound, "--markdown").stderr
    assert "--list judges nothing" in run(sound, "--list").stderr


def test_a_file_that_is_no_journal_is_bad_input(tmp_path):
    result = run(written(tmp_path / "other.txt", ["hello"]))
    assert isinstance(result.exception, JournalUnreadable)
    assert result.exception.exit_code == 3
