"""What a restore that cannot begin, or cannot go on, tells the program that reads its JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from increstore.errors import ExitCode

from .builders import Depot, assert_says, increstore_ends, json_lines

FIELDS = {
    "event", "state", "reason", "problems", "exit_code", "restore", "upto", "seconds",
    "newer_backups", "tables", "resume",
}  # fmt: skip


def _summary(depot: Depot, target: Path, *options: str | Path):
    ended = increstore_ends("restore", depot.path, "--into", target, "--json", *options)
    [summary] = json_lines(ended.out)
    assert (summary["event"], summary["exit_code"]) == ("summary", ended.code)
    assert set(summary) == FIELDS
    assert (summary["restore"], summary["tables"], summary["resume"]) == (None, [], None)
    assert all(problem in ended.err for problem in summary["problems"])
    return summary


def test_every_problem_of_a_bad_chain_is_in_the_summary(damaged: Depot, tmp_path: Path):
    damaged.data_file(0, "people").write_bytes(b"")
    damaged.data_file(1, "shop/orders").unlink()
    summary = _summary(damaged, tmp_path / "target")
    assert (summary["state"], summary["exit_code"]) == ("refused", ExitCode.BAD_INPUT)
    assert len(summary["problems"]) == 2
    assert summary["reason"] == "\n".join(summary["problems"])


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_target_that_holds_something_else_is_refused_in_the_summary(varied, tmp_path, dry):
    (tmp_path / "mine.txt").write_text("keep")
    summary = _summary(varied, tmp_path, *dry)
    assert (summary["state"], summary["exit_code"]) == ("refused", ExitCode.RESTORE_FAILED)
    assert_says(summary["reason"], ["mine.txt", "another target"])


@pytest.mark.parametrize(
    ("options", "says", "code"),
    [
        (["--table", "nope"], "no table 'nope'", ExitCode.USAGE),
        (["--upto", "nope"], "no backup 'nope'", ExitCode.USAGE),
        (["--journal", "nowhere/x"], "journal", ExitCode.RESTORE_FAILED),
        (["--table", "nope", "--serve", "0"], "no table 'nope'", ExitCode.USAGE),
    ],
)
def test_what_is_not_there_is_told_in_the_summary(varied, tmp_path, options, says, code):
    summary = _summary(varied, tmp_path / "target", *options)
    assert (summary["state"], summary["exit_code"]) == ("refused", code)
    assert says in summary["reason"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--deadline", "nan"], "nan"),
        (["--deadline", "inf"], "no duration"),
        (["--stage-deadline", "1e300"], "no duration"),
        (["--journal", ""], "is empty"),
        (["--into", ""], "is empty"),
        (["--into", b"caf\xe9".decode(errors="surrogateescape")], "not UTF-8"),
    ],
)
def test_values_that_mean_nothing_are_usage_errors(varied: Depot, tmp_path: Path, options, says):
    ended = increstore_ends("restore", varied.path, "--into", tmp_path / "target", *options)
    assert (ended.code, "Traceback" in ended.err) == (ExitCode.USAGE, False), ended.err
    assert_says(ended.err, [options[0], says])
    assert not (tmp_path / "target").exists()
