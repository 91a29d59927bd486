"""Verdicts: what is green, what is red, and why."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from increstore.errors import ExitCode
from increstore.judging.violation import InvariantViolated
from increstore.proving.everywhere import plan_crashes
from increstore.proving.simulated import run_simulated
from increstore.proving.tasks import run_task
from increstore.proving.verdict import Failure, FailureKind, Verdict, find_failure
from increstore.scenario.load import parse_scenario

from .builders import a_scenario_file

ROWS = {"orders": {(1,): {"amount": 5}, (2,): {"amount": None}}}


def a_scenario(expect=""):
    return parse_scenario(f'format = 1\ntitle = "t"\nwhy = "w"\n[expect]\n{expect}', "test")


def an_outcome(**changes):
    found = {
        "state": "completed",
        "reason": "",
        "violation": None,
        "tables": ROWS,
        "reached": {},
        "not_reached": (),
        "seen_never": (),
        "explanation": "",
    }
    return SimpleNamespace(**{**found, **changes})


def failure_of(outcome, expect=""):
    return find_failure(a_scenario(expect), outcome, ROWS)


def test_the_expected_end_with_the_expected_rows_is_green():
    assert failure_of(an_outcome()) is None


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"state": "failed", "reason": "disk"}, FailureKind.OUTCOME, "got failed: disk"),
        ({"state": "running", "explanation": "waits for s1"}, FailureKind.STALL, "waits for s1"),
        ({"tables": None}, FailureKind.ROWS, "(1,)"),
        ({"tables": {"orders": {(1,): {"amount": 5}}}}, FailureKind.ROWS, "(2,): expected"),
        ({"not_reached": ("fault: cut",)}, FailureKind.MARK, "never seen: fault: cut"),
        ({"seen_never": ("restore.paused",)}, FailureKind.MARK, "seen: restore.paused"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_must_be_is_named(change, kind, words):
    failure = failure_of(an_outcome(**change))

    assert failure.kind is kind
    assert words in failure.says


def test_a_row_that_should_not_be_there_is_found_too():
    surplus = {"orders": {**ROWS["orders"], (3,): {"amount": 1}}}

    assert "(3,): expected no row" in failure_of(an_outcome(tables=surplus)).says


def test_an_invariant_weighs_more_than_the_end():
    violation = InvariantViolated("O1 barrier", "too early", 5, "coordinator")

    failure = failure_of(an_outcome(violation=violation, state="failed"))

    assert (failure.kind, failure.what) == (FailureKind.INVARIANT, "O1 barrier")


def test_a_stall_has_an_exit_code_of_its_own():
    violation = InvariantViolated("L7 deadlock", "nothing will happen", 5, "")

    assert failure_of(an_outcome(violation=violation)).exit_code is ExitCode.DEADLINE


def test_an_expected_pause_needs_its_reason_and_shows_no_rows():
    expect = 'outcome = "paused"\nreason = "deadline"\n'
    paused = an_outcome(state="paused", reason="deadline: ..", tables=None)

    assert failure_of(paused, expect) is None
    assert failure_of(an_outcome(state="paused", reason="operator", tables=None), expect)
    assert (
        failure_of(an_outcome(state="paused", reason="deadline"), expect).kind is FailureKind.ROWS
    )


def test_the_replay_command_names_all_the_run_depends_on():
    failure = Failure(FailureKind.INVARIANT, "O1", "..")
    verdict = Verdict("my scenarios/a.toml", "t", "simulation", 7, "running", "", failure, 1.0,
                      crash_at=(3, 9))  # fmt: skip

    assert verdict.replay_command() == (
        "increstore run 'my scenarios/a.toml' --on simulation --seed 7 --crash-at 3,9"
    )


LOST_SEAL = """[policy]
repeat = "200ms"
backoff = "100ms"
[[fault]]
id = "older"
kind = "crash"
node = "orders/t1"
after = { event = "incremental.started", incremental = 2 }
restart_after = "50ms"
rollback = 3
[expect]
outcome = "paused"
reason = "to be sealed first"
reached = ["fault: older"]
"""


def test_a_forced_crash_may_keep_a_run_from_the_trouble_it_is_about(tmp_path):
    """The target that is to lose its disk is down when it would be struck: the fault is skipped."""
    path = str(a_scenario_file(tmp_path, LOST_SEAL))
    crashes = plan_crashes(path, 0, run_simulated(path, 0).points, pairs_max=0)

    verdicts = [run_task(task) for task in crashes.tasks()]

    assert run_simulated(path, 0).is_green
    assert "completed" in {verdict.state for verdict in verdicts}
    assert [v.failure for v in verdicts if not v.is_green] == []


def test_a_forced_crash_is_no_excuse_for_a_run_that_must_complete(tmp_path):
    path = str(a_scenario_file(tmp_path, LOST_SEAL.partition("[expect]")[0]))

    verdict = run_simulated(path, 0, crash_at=(5,))

    assert verdict.failure.kind is FailureKind.OUTCOME
