"""Shrinking and replay: a planted bug becomes a small file that fails for the same reason."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from increstore.proving.journalled import first_difference, read_recorded, replay, run_with_journal
from increstore.proving.shrink import shrink
from increstore.proving.shrunk_file import shrink_to_file
from increstore.proving.simulated import run_simulated, setting_of
from increstore.proving.tasks import Task, run_tasks
from increstore.scenario.load import load_scenario
from tests.proving.builders import a_scenario_file, a_target_that_tells_what_it_has_not_written

CRASHES = """
[workload]
tables = 2
[policy]
resume_after = "1s"
resumes_max = 30
[network]
loss = "5%"
[disk]
latency = "1ms..2s"
[[fault]]
id = "unrelated"
kind = "slow_link"
from = "t0"
to = "s0"
by = "3ms"
[heal]
at = "10s"
"""


@pytest.fixture
def failing(tmp_path):
    """A scenario file, and the first seed that fails while the bug is there."""
    setting_of.cache_clear()
    path = a_scenario_file(tmp_path, CRASHES)
    for seed in range(60):
        verdict = run_simulated(str(path), seed)
        if not verdict.is_green:
            return path, verdict
    pytest.fail("the planted bug was not found in 60 seeds")


@pytest.fixture(autouse=True)
def planted():
    with a_target_that_tells_what_it_has_not_written():
        yield


def test_the_shrunk_scenario_fails_for_the_same_reason_and_is_smaller(failing):
    path, verdict = failing

    shrunk = shrink(load_scenario(path), verdict)

    assert (shrunk.failure.kind, shrunk.failure.what) == (
        verdict.failure.kind,
        verdict.failure.what,
    )
    assert shrunk.draws_after < shrunk.draws_before / 5
    assert "unrelated" not in {fault.id for fault in shrunk.scenario.faults}
    workload = shrunk.scenario.workload
    assert (workload.tables, workload.rows) < (2, 40)


def test_the_written_file_is_a_scenario_that_fails_by_itself(failing, tmp_path):
    _, verdict = failing

    path = shrink_to_file(verdict, tmp_path / "out", say=lambda _: None).path

    assert run_simulated(str(path), 0).failure.what == verdict.failure.what
    assert len(path.read_text().splitlines()) <= 60


def test_a_journal_replays_to_the_last_event_and_the_same_failure(failing, tmp_path):
    path, verdict = failing
    journal = tmp_path / "failed.jsonl"
    run_with_journal(Task(str(path), "simulation", verdict.seed), journal)
    path.unlink()  # The journal needs nothing but itself.

    lines = []
    again = replay(read_recorded(journal), lines)

    assert again.failure == verdict.failure
    assert first_difference(journal.read_text().splitlines(), lines) is None


def test_a_program_without_the_bug_parts_from_the_journal_at_a_line_that_is_told(failing, tmp_path):
    path, verdict = failing
    journal = tmp_path / "failed.jsonl"
    run_with_journal(Task(str(path), "simulation", verdict.seed), journal)
    text = journal.read_text().splitlines()
    changed = [*text[:-1], text[-1].replace('"event"', '"evént"')]

    difference = first_difference(text, changed)

    assert difference.line == len(text)
    assert difference.first == text[-1]
    assert len(difference.before) == 5


def test_verdicts_come_in_the_order_of_the_tasks_also_from_many_processes(tmp_path):
    """In a process of their own: workers are forked, and this one may have threads."""
    path = str(a_scenario_file(tmp_path))
    command = [sys.executable, "-m", "increstore", "run", path, "--seeds", "0..59", "--json"]

    shared = subprocess.run([*command, "--jobs", "2"], capture_output=True, text=True)

    alone = run_tasks([Task(path, "simulation", seed) for seed in range(60)], jobs=1)
    *verdicts, summary = map(json.loads, shared.stdout.splitlines())
    assert (summary["runs"], summary["exit_code"]) == (60, 0)
    assert [(one["seed"], one["digest"]) for one in verdicts] == [
        (one.seed, one.as_json()["digest"]) for one in alone
    ]
