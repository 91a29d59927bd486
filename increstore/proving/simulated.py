"""Verdicts of simulated runs: one seed, and all crash points of a seed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from increstore.errors import IncrestoreError
from increstore.proving.verdict import Failure, FailureKind, Verdict, find_failure
from increstore.scenario.load import load_scenario
from increstore.simulation.run import simulate, told_as_raised
from increstore.simulation.setting import prepare_setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.journal import JournalEvent
    from increstore.scenario.model import Scenario
    from increstore.simulation.run import SimulatedOutcome
    from increstore.simulation.setting import Setting

NANOSECONDS = 1e9


@lru_cache(8)
def setting_of(path: str) -> Setting:
    """The scenario file, ready to be run. Raises: ScenarioError."""
    return prepare_setting(load_scenario(Path(path)))


def run_simulated(
    path: str,
    seed: int,
    *,
    crash_at: tuple[int, ...] = (),
    journal_to: Callable[[JournalEvent], None] | None = None,
    details: bool = False,
) -> Verdict:
    """Run one seed of a scenario file in simulation."""
    setting = setting_of(path)
    outcome = simulate(
        setting, seed, crash_at=frozenset(crash_at), journal_to=journal_to, details=details
    )
    return verdict_of(path, setting, outcome, crash_at)


def verdict_of(
    path: str, setting: Setting, outcome: SimulatedOutcome, crash_at: tuple[int, ...] = ()
) -> Verdict:
    """What the outcome is worth. Marks are not asked for when a crash was forced upon the run."""
    model = setting.workload.model
    scenario = setting.scenario
    if crash_at and _is_spared(scenario, outcome):
        scenario = scenario.with_part("expect", outcome=outcome.state, reason="")
    failure = find_failure(scenario, outcome, model.rows_after(model.last_incremental))
    if crash_at and failure is not None and failure.kind is FailureKind.MARK:
        failure = None
    return Verdict(
        scenario=path,
        title=setting.scenario.title,
        mode="simulation",
        seed=outcome.seed,
        state=outcome.state,
        reason=outcome.reason,
        failure=failure,
        seconds=outcome.ended_at / NANOSECONDS,
        explanation=outcome.explanation,
        digest=outcome.digest,
        moments=outcome.moments,
        points=outcome.points,
        crash_at=crash_at,
        evidence=outcome.evidence,
        reached=outcome.reached,
    )


def _is_spared(scenario: Scenario, outcome: SimulatedOutcome) -> bool:
    """Whether a run with a forced crash may end in another way than its scenario says.

    A crash may keep it from the trouble that it is about, lose what a person has just asked for,
    or be the same command given again, with fresh budgets. What must complete still must; and in
    any case invariants and rows are judged.
    """
    return scenario.expect.outcome != "completed" and outcome.state != "running"


def crashed_verdict(path: str, mode: str, seed: int, error: BaseException) -> Verdict:
    """The program itself failed in this run, or could not even set it up."""
    what, says = told_as_raised(error)
    failure = Failure(FailureKind.CRASHED, what, says)
    if isinstance(error, IncrestoreError):  # Expected, and it says all that there is to be said.
        failure = Failure(FailureKind.CRASHED, what, str(error), error_code=error.exit_code)
    return Verdict(path, path, mode, seed, "running", says, failure, 0.0)
