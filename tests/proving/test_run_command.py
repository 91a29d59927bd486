"""`increstore run` and `replay` as a user types them."""

from __future__ import annotations

import json
from xml.etree import ElementTree as Xml

import pytest
from click.testing import CliRunner

from increstore.cli.replay import replay
from increstore.cli.run import run
from tests.proving.builders import a_scenario_file

STALLS = """
[[fault]]
kind = "crash"
node = "t1"
at = "5ms"
permanent = true
[heal]
at = "1s"
[expect]
within = "10s"
"""


def typed(command, *words):
    return CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)


def test_green_files_say_so_and_exit_0(tmp_path):
    path = a_scenario_file(tmp_path)

    done = typed(run, path, "--seeds", "0..4")

    assert done.exit_code == 0
    assert f"ok    {path} on simulation: 5 runs" in done.stderr
    assert "all green" in done.stderr.splitlines()[-1]


def test_a_red_run_names_what_broke_explains_the_wait_and_ends_with_the_replay_command(tmp_path):
    path = a_scenario_file(tmp_path, STALLS)

    done = typed(run, path, "--seed", 3)

    assert done.exit_code == 6
    assert "what led there:" in done.stderr
    assert "the coordinator: incremental" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == f"increstore run {path} --on simulation --seed 3"


def test_every_failed_seed_is_counted_and_the_first_ones_are_told_in_full(tmp_path):
    path = a_scenario_file(tmp_path, STALLS)

    done = typed(run, path, "--seeds", "0..9")

    assert "10 runs, 10 failed" in done.stderr
    assert done.stderr.count("what led there:") == 3
    assert ".. and 7 more" in done.stderr


def test_json_has_one_object_a_run_and_a_summary(tmp_path):
    path = a_scenario_file(tmp_path)

    done = typed(run, path, "--seeds", "0..2", "--json")

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["verdict"] * 3 + ["summary"]
    assert [line["seed"] for line in lines[:3]] == [0, 1, 2]
    assert lines[-1] == {**lines[-1], "runs": 3, "failed": 0, "exit_code": 0, "not_alike": []}


def test_a_junit_file_has_the_failures_by_name(tmp_path):
    path, report = a_scenario_file(tmp_path, STALLS), tmp_path / "junit.xml"

    typed(run, path, "--junit", report)

    suite = Xml.parse(report).getroot()[0]
    assert suite.get("failures") == "1"
    assert "--seed 0" in suite.find("testcase/failure").text


def test_crash_everywhere_prints_how_many_points_there_are(tmp_path):
    path = a_scenario_file(tmp_path, "[workload]\nincrementals = 0\nrows = 4\n")

    done = typed(run, path, "--crash-everywhere")

    assert done.exit_code == 0
    assert "K = " in done.stderr
    assert "0 pairs" not in done.stderr


def test_a_folder_runs_all_its_files_and_all_mistakes_of_all_files_are_told_first(tmp_path):
    a_scenario_file(tmp_path, name="good.toml")
    a_scenario_file(tmp_path, "[cluster]\nsuorces = 3\n", name="bad.toml")
    a_scenario_file(tmp_path, '[network]\nloss = "5"\n', name="worse.toml")

    with pytest.raises(Exception, match="suorces") as caught:
        typed(run, tmp_path)

    assert "worse.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed", "1", "--seeds", "0..3"], "exclude each other"),
        (["--seeds", "9..3"], "smaller end first"),
        (["--seeds", "a..b"], "expected a seed such as 7"),
        (["--crash-at", "0"], "begin at 1"),
        (["--crash-everywhere", "--on", "tcp"], "works on simulation only"),
        (["--crash-everywhere", "--crash-at", "3"], "exclude each other"),
        (["--jobs", "0"], "x>=1"),
    ],
)
def test_arguments_that_cannot_work_are_refused_before_anything_runs(tmp_path, words, message):
    done = typed(run, a_scenario_file(tmp_path), *words)

    assert done.exit_code == 2
    assert message in done.stderr


def test_a_mode_that_no_file_can_run_in_is_an_error_and_not_a_green_nothing(tmp_path):
    with pytest.raises(Exception, match="nothing to run"):
        typed(run, a_scenario_file(tmp_path), "--on", "tcp")


def test_the_journal_of_a_simulated_run_is_the_same_bytes_each_time(tmp_path):
    path = a_scenario_file(tmp_path)
    for name in ("one", "two"):
        typed(run, path, "--seed", 8, "--journal", tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert typed(replay, tmp_path / "one").exit_code == 0
    assert typed(replay, tmp_path / "one", "--diff", tmp_path / "two").exit_code == 0


def test_a_difference_between_two_journals_is_shown_with_its_line(tmp_path):
    path = a_scenario_file(tmp_path)
    typed(run, path, "--seed", 1, "--journal", tmp_path / "one")
    typed(run, path, "--seed", 2, "--journal", tmp_path / "two")

    done = typed(replay, tmp_path / "one", "--diff", tmp_path / "two")

    assert done.exit_code == 4
    assert "first difference in line 1:" in done.stderr


def test_what_is_no_simulated_journal_is_refused_with_what_would_be_one(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"event": "journal.opened"}\n')

    with pytest.raises(Exception, match="only journals that"):
        typed(replay, tmp_path / "x.jsonl")
