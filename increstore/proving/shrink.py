"""Shrinking: from a failing run to the smallest scenario that still fails for the same reason.

Rules of this file:
- A smaller run counts only when it fails in the same way: the same kind, and the same invariant or
  expectation. Another failure is another bug.
- Chance is kept on a tape while things are left out. Draws are keyed, so what is left out does not
  shift the others; a draw that is left out is 0, the harmless value.
- In this order: faults of the file, blocks of draws, the chain and the cluster, the draws again.
  At the end what is left of chance is written down as faults, so that a person can read it and
  another mode can run it. When that does not fail in the same way, the tape is kept.
- What its file could not say is never tried: such a scenario would be of no use to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from increstore.proving.simulated import verdict_of
from increstore.proving.verdict import FailureKind
from increstore.proving.written_down import as_faults, without_chance
from increstore.scenario.checks import Broken, find_mistakes
from increstore.scenario.swarm import settle
from increstore.scenario.values import Span, exactly
from increstore.simulation.draws import Draws
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from increstore.proving.verdict import Failure, Verdict
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.model import Scenario

RUNS_MAX = 3_000
"""Runs that one shrinking may make."""

Tape = dict[str, int]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest failing run found. It fails alone when it takes no tape and no forced crash."""

    scenario: Scenario
    tape: Mapping[str, int]
    crash_at: tuple[int, ...]
    fails_alone: bool
    failure: Failure
    runs: int
    draws_before: int
    draws_after: int
    faults_before: int


@dataclass(frozen=True, slots=True)
class _Case:
    """One candidate: a settled scenario and the tape of its chance."""

    scenario: Scenario
    tape: Tape | None
    """None: chance is that of seed 0."""
    crash_at: tuple[int, ...]

    @property
    def draws(self) -> Tape:
        return self.tape or {}


class Shrinker:
    """Makes one failing run smaller."""

    def __init__(self, failure: Failure, seed: int) -> None:
        self._wanted = (failure.kind, failure.what)
        self.seed = seed
        self.failure = failure
        self.runs = 0

    def fails_alike(self, case: _Case) -> bool:
        """Whether this candidate fails for the same reason; False when the budget is spent."""
        if self.runs >= RUNS_MAX or find_mistakes(case.scenario, Broken()):
            return False
        self.runs += 1
        found = self._failure_of(case)
        if found is None or (found.kind, found.what) != self._wanted:
            return False
        self.failure = found
        return True

    def _failure_of(self, case: _Case) -> Failure | None:
        setting = prepare_setting(case.scenario)
        seed = 0 if case.tape is None else self.seed
        outcome = simulate(setting, seed, tape=case.tape, crash_at=frozenset(case.crash_at))
        return verdict_of("", setting, outcome, case.crash_at).failure

    # --- The passes; each takes the smallest case so far and returns one that is not larger.

    def drop_crashes(self, case: _Case) -> _Case:
        for point in case.crash_at:
            fewer = tuple(other for other in case.crash_at if other != point)
            if self.fails_alike(replace(case, crash_at=fewer)):
                case = replace(case, crash_at=fewer)
        return case

    def drop_faults(self, case: _Case) -> _Case:
        """Leave out whole faults of the file, one after the other, the last first."""
        for fault in reversed(case.scenario.faults):
            kept = tuple(other for other in case.scenario.faults if other.id != fault.id)
            smaller = replace(case, scenario=case.scenario.with_faults(kept))
            if self.fails_alike(smaller):
                case = smaller
        return case

    def drop_draws(self, case: _Case) -> _Case:
        """Zero the tape block by block: halves, quarters, .. down to single draws."""
        size = max(1, len(case.draws) // 2)
        while True:
            case = self._drop_blocks(case, size)
            if size == 1:
                return case
            size = max(1, size // 2)

    def _drop_blocks(self, case: _Case, size: int) -> _Case:
        start = 0
        while start < len(case.draws):
            labels = list(case.draws)
            gone = set(labels[start : start + size])
            kept = {label: value for label, value in case.draws.items() if label not in gone}
            if self.fails_alike(replace(case, tape=kept)):
                case = replace(case, tape=kept)
            else:
                start += size
        return case

    def halve_draws(self, case: _Case) -> _Case:
        """Make what is late less late: halve every value that may be halved."""
        for label in list(case.draws):
            value = case.draws[label]
            while value > 1:
                smaller = replace(case, tape={**case.draws, label: value // 2})
                if not self.fails_alike(smaller):
                    break
                case, value = smaller, value // 2
        return case

    def shrink_chain(self, case: _Case) -> _Case:
        """Fewer tables, incrementals, shards, rows and changes, as far as it goes."""
        for smaller in _smaller_parts(case.scenario):
            for section, changes in smaller:
                scenario = _fitting(case.scenario.with_part(section, **changes))
                if self.fails_alike(replace(case, scenario=scenario)):
                    case = replace(case, scenario=scenario)
                    break
        return case

    def simplify_faults(self, case: _Case) -> _Case:
        """Faults that strike once instead of often, and at one moment instead of a drawn one."""
        for place, fault in enumerate(case.scenario.faults):
            for name, tries in _simpler_fields(fault):
                for value in tries:
                    faults = list(case.scenario.faults)
                    faults[place] = faults[place].model_copy(update={name: value})
                    simpler = replace(case, scenario=case.scenario.with_faults(tuple(faults)))
                    if self.fails_alike(simpler):
                        case = simpler
                        break
        return case


def _smaller_parts(scenario: Scenario) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """For each number of the scenario, smaller values to try, the smallest first."""
    for section, name, least in (
        ("workload", "tables", 1),
        ("workload", "incrementals", 0),
        ("cluster", "sources", 1),
        ("cluster", "targets", 1),
        ("workload", "rows", 0),
        ("workload", "changes", 0),
    ):
        value = getattr(getattr(scenario, section), name)
        tries = sorted({least, least + 1, value // 4, value // 2, value - 1})
        yield [(section, {name: number}) for number in tries if least <= number < value]


def _fitting(scenario: Scenario) -> Scenario:
    """Without positions that a shorter chain does not have."""
    workload = scenario.workload
    kept = {
        name: tuple(n for n in getattr(workload, name) if n <= workload.incrementals)
        for name in ("empty", "unchanged", "delete_only")
    }
    return scenario.with_part("workload", **kept)


def _simpler_fields(fault: AnyFault) -> Iterator[tuple[str, list[Any]]]:
    """Fields of a fault that are a range or a number of times, with simpler values to try."""
    for name in type(fault).model_fields:
        value = getattr(fault, name)
        if isinstance(value, Span) and not value.is_one_value:
            middle = (value.low + value.high) // 2
            yield name, [exactly(value.low), exactly(middle), exactly(value.high)]
        elif name == "times" and isinstance(value, int) and value > 1:
            yield name, sorted({1, 2, value // 4 or 1, value // 2})


def shrink(
    scenario: Scenario, verdict: Verdict, say: Callable[[str], None] | None = None
) -> Shrunk | None:
    """The smallest run found that fails as `verdict` did; None when it does not fail again."""
    assert verdict.failure is not None
    shrinker = Shrinker(verdict.failure, verdict.seed)
    case = _record(scenario, verdict)
    draws_before = len(case.draws)
    if not shrinker.fails_alike(case):
        return None
    for number, shrinking in enumerate(
        (
            shrinker.drop_crashes,
            shrinker.drop_faults,
            shrinker.drop_draws,
            shrinker.shrink_chain,
            shrinker.drop_draws,
            shrinker.simplify_faults,
            shrinker.halve_draws,
            shrinker.drop_faults,
        )
    ):
        case = shrinking(case)
        if say is not None:
            say(
                f"  {number + 1}/8 {shrinking.__name__.replace('_', ' ')}: "
                f"{len(case.scenario.faults)} faults, {len(case.draws)} draws, {shrinker.runs} runs"
            )
    readable = _written_down(case, shrinker)
    return Shrunk(
        scenario=readable or case.scenario,
        tape={} if readable else case.draws,
        crash_at=() if readable else case.crash_at,
        fails_alone=readable is not None,
        failure=shrinker.failure,
        runs=shrinker.runs,
        draws_before=draws_before,
        draws_after=len(case.draws),
        faults_before=len(scenario.faults),
    )


def _record(scenario: Scenario, verdict: Verdict) -> _Case:
    """The failing run again, with its chance on a tape and its rates settled."""
    draws = Draws(verdict.seed)
    settled = _without_other_marks(settle(scenario, draws.draw), verdict)
    outcome = simulate(
        prepare_setting(scenario),
        verdict.seed,
        record=True,
        crash_at=frozenset(verdict.crash_at),
    )
    return _Case(settled, dict(outcome.tape), verdict.crash_at)


def _without_other_marks(settled: Scenario, verdict: Verdict) -> Scenario:
    """Without the marks that the run has reached: they would keep faults that it does not need."""
    assert verdict.failure is not None
    is_mark = (verdict.failure.kind, verdict.failure.what) == (FailureKind.MARK, "reached")
    missed = [mark for mark in settled.expect.reached if mark not in verdict.reached]
    return settled.with_part("expect", reached=tuple(missed) if is_mark else ())


def _written_down(case: _Case, shrinker: Shrinker) -> Scenario | None:
    """The case as a scenario without any chance, when that fails alike."""
    setting = prepare_setting(case.scenario)
    outcome = simulate(
        setting,
        shrinker.seed,
        tape=case.tape,
        crash_at=frozenset(case.crash_at),
        keep_strikes=True,
    )
    is_stream = case.scenario.network.kind == "stream"
    faults = (*case.scenario.faults, *as_faults(outcome.strikes, is_stream=is_stream))
    readable = _Case(without_chance(case.scenario).with_faults(faults), None, ())
    if not shrinker.fails_alike(readable):
        return None
    # Written down, some are no longer needed.
    return shrinker.drop_faults(readable).scenario
