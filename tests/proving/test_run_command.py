"""`increstore run` and `replay` as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from click.testing import CliRunner

from increstore.cli.replay import replay
from increstore.cli.run import run
from increstore.errors import JournalUnreadable, StorageFailed, UsageError
from tests.cli.json_page import undescribed
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


def a_journal(folder):
    journal = folder / "a.jsonl"
    typed(run, a_scenario_file(folder), "--seed", 1, "--journal", journal)
    return journal


def rewrite_first_line(journal, **facts):
    first, rest = journal.read_text(encoding="utf-8").split("\n", 1)
    journal.write_text(json.dumps({**json.loads(first), **facts}) + "\n" + rest, encoding="utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_who_cannot_be_told_does_not_change_how_a_run_ended(tmp_path):
    words = ["run", a_scenario_file(tmp_path), "--seed", "0", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "increstore", *words],
            stdout=subprocess.PIPE, stderr=full, text=True,
        )  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["exit_code"] == 0


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


def test_a_junit_file_is_xml_whatever_the_name_of_the_scenario(tmp_path):
    path = a_scenario_file(tmp_path, STALLS, name="a\udcff\x01<&.toml")

    typed(run, path, "--junit", tmp_path / "junit.xml")

    suite = Xml.parse(tmp_path / "junit.xml").getroot()[0]
    assert suite.get("name") == f"{tmp_path}/a??<&.toml on simulation"
    assert suite.find("testcase").get("classname") == f"{tmp_path}/a??<&.toml"


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
        (["--jobs", "0"], "1<=x<=256"),
        (["--jobs", "99999999999999"], "1<=x<=256"),
        (["--seeds", "0..99999999999999999999"], "expected 1,000,000,000 seeds at most"),
        (["--out", "somewhere"], "give --shrink, too"),
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


@pytest.mark.parametrize("data", [b"\xff\x00", b"[" * 100_000, b"[]", b"null"])
def test_garbage_is_no_journal_to_run_again(tmp_path, data):
    (tmp_path / "x.jsonl").write_bytes(data)

    with pytest.raises(JournalUnreadable, match="line 1 is not that of a simulated run's journal"):
        typed(replay, tmp_path / "x.jsonl")


def test_the_journal_of_a_real_run_is_refused_with_what_can_be_done_with_it(tmp_path):
    journal = tmp_path / "real.jsonl"
    path = a_scenario_file(tmp_path, 'on = ["memory"]\n')
    assert typed(run, path, "--journal", journal).exit_code == 0

    with pytest.raises(JournalUnreadable, match="run on real nodes, which never"):
        typed(replay, journal)


def test_what_nobody_can_read_of_a_damaged_line_is_not_shown(tmp_path):
    journal = a_journal(tmp_path)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:9], b"\xff\x07" * 40 + b"\n", *lines[10:]]))

    done = typed(replay, journal)

    assert done.exit_code == 4
    assert "first difference in line 10:" in done.stderr
    assert "".join(done.stderr.split("\n")).isprintable()


def test_a_scenario_with_a_mark_at_its_begin_runs_with_a_journal_too(tmp_path):
    path = a_scenario_file(tmp_path)
    path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")

    assert typed(run, path, "--journal", tmp_path / "a.jsonl").exit_code == 0


def test_a_journal_that_cannot_be_read_is_bad_input(tmp_path):
    with pytest.raises(JournalUnreadable, match=r"nothing\.jsonl: the journal cannot be read"):
        typed(replay, tmp_path / "nothing.jsonl")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5),
        ("seed", "x"),
        ("seed", True),
        ("crash_at", ["a"]),
        ("tape", 5),
        ("tape", {"a": "b"}),
    ],
)
def test_a_first_line_with_a_wrong_value_is_refused_as_such(tmp_path, name, value):
    journal = a_journal(tmp_path)
    rewrite_first_line(journal, **{name: value})

    with pytest.raises(JournalUnreadable, match="line 1 is not that of a simulated run's journal"):
        typed(replay, journal)


def test_a_journal_of_another_format_is_not_run_again(tmp_path):
    journal = a_journal(tmp_path)
    rewrite_first_line(journal, format=99)

    with pytest.raises(JournalUnreadable, match="format 99; this version reads format 1"):
        typed(replay, journal)


@pytest.mark.parametrize("cut", [0, 9])
def test_a_journal_cut_off_says_how_far_it_goes_and_that_so_far_all_is_as_recorded(tmp_path, cut):
    journal = a_journal(tmp_path)
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:40]) + lines[40][:cut])

    done = typed(replay, journal)

    assert done.exit_code == 4
    assert "is cut off after line 40; up to there all is as recorded" in done.stderr
    assert "first difference" not in done.stderr


def test_long_lines_of_a_difference_are_shortened_around_where_they_part(tmp_path):
    path = a_scenario_file(tmp_path)
    for seed in (1, 2):
        typed(run, path, "--seed", seed, "--journal", tmp_path / f"{seed}.jsonl")
        rewrite_first_line(tmp_path / f"{seed}.jsonl", aside="x" * 9_000, last=seed)

    done = typed(replay, tmp_path / "1.jsonl", "--diff", tmp_path / "2.jsonl")

    assert max(map(len, done.stderr.splitlines())) < 400
    assert '"seed": 1' in done.stderr
    assert '"seed": 2' in done.stderr


@pytest.mark.parametrize("option", ["--junit", "--journal"])
def test_a_file_that_cannot_be_written_is_told_before_anything_runs(tmp_path, option):
    path = a_scenario_file(tmp_path)

    with pytest.raises(StorageFailed, match=r"report: .*cannot be written"):
        typed(run, path, "--seed", 0, "--json", option, tmp_path / "no folder" / "report")

    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_for_shrink_is_told_before_anything_runs(tmp_path):
    path = a_scenario_file(tmp_path)

    with pytest.raises(StorageFailed, match="cannot be written"):
        typed(run, path, "--shrink", "--out", path / "inside a file")


@pytest.mark.parametrize("option", ["--junit", "--journal"])
def test_a_result_never_overwrites_the_scenario_it_is_of(tmp_path, option):
    path = a_scenario_file(tmp_path)
    before = path.read_bytes()
    other_way = tmp_path / "." / ".." / tmp_path.name / path.name

    with pytest.raises(UsageError, match=f"{option}: .* is a scenario of this run"):
        typed(run, path, "--seed", 0, option, other_way)

    assert path.read_bytes() == before


def test_two_results_do_not_go_into_one_file(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="is the file of --junit"):
        typed(run, a_scenario_file(tmp_path), "--junit", out, "--journal", out)


@pytest.mark.parametrize(("more", "ended", "code"), [("", "all green", 4), (STALLS, "1 failed", 6)])
def test_a_junit_file_that_fills_the_disk_is_told_with_how_the_runs_ended(
    tmp_path, more, ended, code
):
    done = typed(run, a_scenario_file(tmp_path, more), "--junit", "/dev/full", "--json")

    *_, summary = map(json.loads, done.stdout.splitlines())
    assert f"1 run of 1 scenario: {ended}, but the JUnit file is not written (" in done.stderr
    assert "error: /dev/full: the JUnit file cannot be written (No space left" in done.stderr
    assert (done.exit_code, summary["exit_code"]) == (code, code)
    assert "No space left" in summary["error"]


def test_shrink_has_nothing_to_do_when_all_is_green_and_says_so(tmp_path):
    done = typed(run, a_scenario_file(tmp_path), "--shrink", "--out", tmp_path)

    assert done.exit_code == 0
    assert "nothing failed, so there is nothing to shrink" in done.stderr


def test_a_crash_point_that_no_run_passes_is_told(tmp_path):
    path = a_scenario_file(tmp_path, "[workload]\nincrementals = 0\nrows = 4\n")

    done = typed(run, path, "--seeds", "0..2", "--crash-at", "5,99999")

    assert "note: crash point 99999 was never passed in 3 of 3 runs" in done.stderr
    assert "crash point 5 " not in done.stderr
    assert "note:" not in typed(run, path, "--seeds", "0..2", "--crash-at", "5").stderr


def test_what_failed_is_named_once_and_one_run_is_one_run(tmp_path):
    path = a_scenario_file(tmp_path, '[expect]\noutcome = "paused"\n')

    done = typed(run, path, "--seed", 0)

    assert "seed 0: outcome\n" in done.stderr
    assert "1 run of 1 scenario: 1 failed" in done.stderr


# --- Shrinking, as it is told.

SLOW_DISK = """
[disk]
latency = "1ms..30s"
[heal]
at = "1s"
[expect]
within = "8s"
"""
"""It fails by draws that no fault of a file can say."""


def shrunk_as_json(folder, text):
    path = a_scenario_file(folder, text)
    done = typed(run, path, "--seed", 3, "--shrink", "--out", folder / "o ut", "--json")
    return path, done, [json.loads(line) for line in done.stdout.splitlines()]


def test_shrink_tells_a_script_what_it_has_written_and_the_summary_comes_last(tmp_path):
    path, done, told = shrunk_as_json(tmp_path, STALLS)

    assert [one["event"] for one in told] == ["verdict", "shrunk", "summary"]
    shrunk = told[1]
    assert (shrunk["scenario"], shrunk["seed"], shrunk["journal"]) == (str(path), 3, None)
    assert shrunk["failure"]["what"] == told[0]["failure"]["what"]
    assert shrunk["faults"] == {"before": 1, "after": 1}
    assert shrunk["draws"]["after"] < shrunk["draws"]["before"]
    assert done.stderr.splitlines()[-1] == shrunk["replay"]
    assert shrunk["replay"].endswith(f"increstore run '{shrunk['path']}' --on simulation")
    assert typed(run, shrunk["path"], "--on", "simulation").exit_code == 6
    assert undescribed("run", told) == []


def test_what_a_file_cannot_say_is_left_as_a_journal_that_fails_again(tmp_path):
    _, done, told = shrunk_as_json(tmp_path, SLOW_DISK)

    journal = told[1]["journal"]
    assert done.stderr.splitlines()[-1] == f"increstore replay '{journal}'"
    again = typed(replay, journal)
    assert again.exit_code == 6
    assert "all as recorded; the run is red" in again.stderr


def test_a_mark_that_is_missed_is_still_missed_when_it_was_shrunk(tmp_path):
    missed = '[expect]\nreached = ["restore.completed", "scan.retry_scheduled"]\n'

    _, _, told = shrunk_as_json(tmp_path, missed)

    again = typed(run, told[1]["path"])
    assert again.exit_code == 5
    assert "never seen: scan.retry_scheduled;" in again.stderr
