"""One hunt: the runs of it one after the other, until something turns red."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from increstore.judging.from_journal import check_journal
from increstore.proving.everywhere import plan_crashes
from increstore.proving.real import expected_rows, run_real
from increstore.proving.simulated import run_simulated
from increstore.proving.verdict import find_failure
from increstore.scenario.load import load_scenario
from tests.planted.bug import CrashEverywhere, RealRuns, Seeds, Tests
from tests.planted.patching import Edit, planted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.proving.verdict import Verdict
    from tests.planted.bug import Bug, Hunt

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Catch:
    """What turned red first, where, and what it said."""

    what: str
    where: str
    says: str


@dataclass(frozen=True, slots=True)
class Trial:
    """How a hunt ended; `catch` is None when everything stayed green."""

    catch: Catch | None
    runs: int
    seconds: float


def hunt_planted(bug: Bug) -> Trial:
    """Plant the bug and hunt it. Raises: PlantError."""
    edits = bug.edits if not bug.alone else (*bug.edits, _awake_alone(bug.alone))
    with planted(edits):
        return follow(bug.hunt)


def _awake_alone(ids: tuple[str, ...]) -> Edit:
    """Put all other invariants to sleep."""
    return Edit(
        "increstore.simulation.judges:make_judge",
        "return Judge(",
        f"from functools import partial\n    return partial(Judge, only={ids!r})(",
    )


def follow(hunt: Hunt) -> Trial:
    """Make the runs of a hunt until one is red."""
    began = time.monotonic()
    runs = 0
    catch = None
    for catch in _HUNTERS[type(hunt)](hunt):
        runs += 1
        if catch is not None:
            break
    return Trial(catch, runs, time.monotonic() - began)


# --- Simulated runs.


def _seeds(hunt: Seeds) -> Iterator[Catch | None]:
    path = str(ROOT / hunt.scenario)
    for seed in range(hunt.runs):
        yield _caught(run_simulated(path, seed), f"seed {seed}")


def _crashes(hunt: CrashEverywhere) -> Iterator[Catch | None]:
    path = str(ROOT / hunt.scenario)
    first = run_simulated(path, hunt.seed)
    yield _caught(first, f"seed {hunt.seed}")
    for task in plan_crashes(path, hunt.seed, first.points).tasks():
        where = "crash at " + " and ".join(map(str, task.crash_at))
        yield _caught(run_simulated(path, hunt.seed, crash_at=task.crash_at), where)


def _caught(verdict: Verdict, where: str) -> Catch | None:
    failure = verdict.failure
    if failure is None:
        return None
    at_node = f"{failure.node}: " * bool(failure.node)
    return Catch(failure.what, where, at_node + failure.says)


# --- Runs on the production nodes.


def _real_runs(hunt: RealRuns) -> Iterator[Catch | None]:
    scenario = load_scenario(ROOT / hunt.scenario)
    for seed in range(hunt.runs):
        with tempfile.TemporaryDirectory(prefix="increstore-planted-") as folder:
            outcome = run_real(scenario, seed, "memory", Path(folder))
            found = check_journal(outcome.journal).violation
        if found is not None:
            yield Catch(found.invariant, f"run {seed}", f"{found.node}: {found.says}")
            continue
        failure = find_failure(scenario, outcome, expected_rows(scenario))
        yield failure and Catch(failure.what, f"run {seed}", failure.says)


# --- Tests.


class _FirstFailure:
    """A plugin of pytest that keeps what failed."""

    def __init__(self) -> None:
        self.catch: Catch | None = None

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and self.catch is None:
            name = report.nodeid.rpartition("::")[2].partition("[")[0]
            says = getattr(report.longrepr, "reprcrash", None)
            self.catch = Catch(name, "a test", str(says.message if says else report.longrepr))


def _tests(hunt: Tests) -> Iterator[Catch | None]:
    for name in hunt.names:
        first = _FirstFailure()
        options = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
        with contextlib.redirect_stdout(io.StringIO()) as told:
            ended = pytest.main([*options, str(ROOT / name)], plugins=[first])
        if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise RuntimeError(f"{name}: pytest ended with {ended!r}:\n{told.getvalue()}")
        yield first.catch


_HUNTERS: dict[type, Any] = {
    Seeds: _seeds,
    CrashEverywhere: _crashes,
    RealRuns: _real_runs,
    Tests: _tests,
}
