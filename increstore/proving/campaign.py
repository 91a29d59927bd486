"""A campaign: scenario files, modes and seeds in; runs in a fixed order; one report a file.

Everything is checked before the first run: a file that is not a valid scenario stops the campaign
with all mistakes of all files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from increstore.errors import ScenarioError, UsageError
from increstore.proving.tasks import Task
from increstore.proving.verdict import quoted
from increstore.scenario.load import load_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from increstore.proving.verdict import Verdict
    from increstore.scenario.model import Scenario

MODES = ("simulation", "memory", "tcp")
COMPARED_MAX = 1_000
"""Verdicts of a plan that are kept to be compared with those of other modes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One scenario file in one mode: the seeds to run."""

    path: str
    scenario: Scenario
    mode: str
    seeds: range

    def tasks(self, crash_at: tuple[int, ...] = ()) -> Iterator[Task]:
        for seed in self.seeds:
            yield Task(self.path, self.mode, seed, crash_at)


@dataclass(slots=True)
class FileReport:
    """What came of one plan, counted as verdicts arrive."""

    plan: Plan
    runs: int = 0
    moments: int = 0
    seconds: float = 0.0
    failures: list[Verdict] = field(default_factory=list)
    first: Verdict | None = None
    compared: list[Verdict] = field(default_factory=list)
    never_passed: Counter[int] = field(default_factory=Counter)
    """Forced crash points, by the number of runs that had ended before them."""

    def count(self, verdict: Verdict) -> None:
        self.first = self.first or verdict
        if len(self.compared) < COMPARED_MAX:
            self.compared.append(verdict)
        self.never_passed.update(point for point in verdict.crash_at if point > verdict.points)
        self.runs += 1
        self.moments += verdict.moments
        self.seconds += verdict.seconds
        if not verdict.is_green:
            self.failures.append(verdict)

    @property
    def is_green(self) -> bool:
        return not self.failures


def find_scenarios(paths: Sequence[Path]) -> list[Path]:
    """The scenario files named, or in the folders named (not in their subfolders), in order.

    Raises: UsageError when a path does not exist, or a folder has no scenario.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob("*.toml"))
            if not inside:
                raise UsageError(f"{path}: no scenario file (*.toml) in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder; expected a scenario file (*.toml)")
    return found


def load_all(paths: Sequence[Path]) -> list[tuple[Path, Scenario]]:
    """Every scenario. Raises: ScenarioError with the mistakes of all files together."""
    loaded: list[tuple[Path, Scenario]] = []
    mistakes: list[str] = []
    for path in paths:
        try:
            loaded.append((path, load_scenario(path)))
        except ScenarioError as error:
            mistakes += error.problems
    if mistakes:
        raise ScenarioError(tuple(mistakes))
    return loaded


def plan_campaign(
    scenarios: Sequence[tuple[Path, Scenario]], mode: str | None, seeds: range | None
) -> tuple[list[Plan], list[str]]:
    """What to run, and what cannot run in the mode asked for (a sentence each).

    Without a mode a scenario runs in the first of its own; "all" are all of its own. Real modes
    keep to the scenario's first seed unless seeds are asked for: they do not repeat a schedule.
    Raises: UsageError when nothing at all can run.
    """
    plans: list[Plan] = []
    skipped: list[str] = []
    for path, scenario in scenarios:
        modes = _modes_for(scenario, mode)
        if not modes:
            skipped.append(f"{path}: runs on {', '.join(scenario.on)} only")
        plans += [
            Plan(str(path), scenario, chosen, _seeds_for(scenario, chosen, seeds))
            for chosen in modes
        ]
    if not plans:
        raise UsageError("nothing to run: " + "; ".join(skipped))
    return plans, skipped


def _modes_for(scenario: Scenario, mode: str | None) -> list[str]:
    if mode is None:
        return [min(scenario.on, key=MODES.index)]
    return [one for one in MODES if one in scenario.on and mode in (one, "all")]


def _seeds_for(scenario: Scenario, mode: str, seeds: range | None) -> range:
    if seeds is not None:
        return seeds
    own = range(scenario.seeds.low, scenario.seeds.high + 1)
    return own if mode == "simulation" else own[:1]


@dataclass(frozen=True, slots=True)
class NotAlike:
    """One scenario and seed that has ended in two ways in two modes."""

    first: Verdict
    other: Verdict

    @property
    def says(self) -> str:
        first, other = self.first, self.other
        return (
            f"{first.scenario} seed {first.seed}: {first.mode} ended {first.state} with "
            f"{_rows(first)} rows applied, {other.mode} {other.state} with {_rows(other)}"
        )

    def replay_command(self) -> str:
        """What to type to see both runs again."""
        return f"increstore run {quoted(self.first.scenario)} --on all --seed {self.first.seed}"


def parity_faults(reports: Sequence[FileReport]) -> list[NotAlike]:
    """Where one scenario and seed has not ended alike in two modes: state and evidence."""
    by_run: dict[tuple[str, int], list[Verdict]] = {}
    for report in reports:
        for verdict in report.compared:
            by_run.setdefault((verdict.scenario, verdict.seed), []).append(verdict)
    return [
        NotAlike(first, other)
        for first, *others in by_run.values()
        for other in others
        if _ending(first) != _ending(other)
    ]


def _ending(verdict: Verdict) -> tuple[str, dict[tuple[str, int], int]]:
    """What must be alike: the state and, once completed, the rows applied by the seals.

    How far a restore got that did not complete depends on when it was stopped.
    """
    if verdict.state != "completed":
        return verdict.state, {}
    rows = {
        (table, incremental): count
        for table, counts in verdict.evidence.items()
        for incremental, count in counts.items()
        if count
    }
    return verdict.state, rows


def _rows(verdict: Verdict) -> int:
    return sum(sum(rows.values()) for rows in verdict.evidence.values())
