"""One run of a scenario on the production nodes: in one process, or over TCP in several.

Real threads, files, sockets and time. What a run leaves is in its folder: the collection, the
target and the journal; no task, process or socket outlives it.
"""

from __future__ import annotations

import shutil
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import trio

from increstore.errors import IncrestoreError
from increstore.journal import Journal, JournalFile
from increstore.judging.from_journal import check_journal
from increstore.protocol.records import TargetSealed
from increstore.protocol.topology import COORDINATOR, table_of
from increstore.proving.commands import Commands
from increstore.proving.folders import run_folder
from increstore.proving.led_there import LastEvents
from increstore.proving.simulated import crashed_verdict
from increstore.proving.verdict import Verdict, find_failure
from increstore.runtime.cluster import source_names, target_names
from increstore.runtime.drill.at_rest import AtRest
from increstore.runtime.drill.conductor import Conductor
from increstore.runtime.drill.stage import Drill
from increstore.runtime.drill.weather import Weather
from increstore.runtime.groups import first_expected
from increstore.runtime.prepare import make_plan
from increstore.runtime.refusal import refusals_told
from increstore.runtime.request import RestoreRequest
from increstore.runtime.tuning import tune_process
from increstore.scenario.director import Director
from increstore.scenario.load import load_scenario
from increstore.scenario.swarm import settle
from increstore.simulation.collection import damage, read_targets, write_collection
from increstore.simulation.draws import Draws
from increstore.simulation.history import generate
from increstore.simulation.model import Model
from increstore.simulation.setting import coordinator_config, source_config
from increstore.store.coordinator_log import CoordinatorLog
from increstore.store.target import TargetPaths
from increstore.transport.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from increstore.journal import JournalEvent
    from increstore.judging.journal_lines import JournalLine
    from increstore.judging.violation import InvariantViolated
    from increstore.scenario.actions import FaultEvent
    from increstore.scenario.model import Scenario

LIMIT_S_MIN, LIMIT_S_MAX = 60.0, 180.0
"""When a run counts as stalled: generous, for real time depends on what else the machine does,
and bounded, whatever its file says."""


@dataclass(frozen=True, slots=True)
class RealOutcome:
    """How one run ended."""

    state: str
    """ "completed", "failed", "paused", "cancelled", "refused"; "running" when it has stalled."""
    reason: str
    journal: Path
    explanation: str = ""
    """What the restore waited for, when it has stalled or broken an invariant."""
    tables: Mapping[str, Mapping[Any, Any]] | None = None
    """The visible rows by table and key; None while nothing is visible."""
    evidence: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """Rows applied by table and incremental, as the seals say."""
    reached: Mapping[str, int] = field(default_factory=dict)
    not_reached: Sequence[str] = ()
    seen_never: Sequence[str] = ()
    faults: Sequence[FaultEvent] = ()
    seconds: float = 0.0
    """Real time, from the first command to the end of the last."""
    violation: InvariantViolated | None = None
    """The first invariant that the journal breaks."""
    led_there: Sequence[JournalLine] = ()
    """The events that led to it."""


class Onlooker(Protocol):
    """Somebody who looks at a run while it goes on."""

    takes_faults: bool
    """Whether more faults than the scenario's may come from there."""

    def __call__(self, event: JournalEvent) -> None:
        """One event, with its details."""
        ...

    def reach(self, commands: Commands) -> None:
        """Called inside the run before it begins: the way to its director, and to its end."""
        ...


def run_real(
    scenario: Scenario,
    seed: int,
    mode: str,
    folder: Path,
    *,
    base: Path = Path(),
    journal_to: Callable[[JournalEvent], None] | None = None,
    journal_copy: JournalFile | None = None,
    onlooker: Onlooker | None = None,
    limit_s: float | None = None,
    run: Callable[..., RealOutcome] = trio.run,
) -> RealOutcome:
    """Run one seed in `mode` ("memory" or "tcp"), everything it makes in `folder`, a new one.

    A scenario's own collection is looked for from `base`, and never written to. The journal, by
    which the run is judged, is in the folder; `journal_copy` gets the same, `journal_to` what
    people see; an `onlooker` gets all events, too, and may reach into the run. What has not ended
    after `limit_s` has stalled; by default that is as the scenario says, but generous. `run` is
    what runs trio: a test's own clock comes in here. Such a run is not judged, for its journal has
    the times of the real clock.
    Raises: ScenarioError, StorageFailed when the run cannot be set up.
    """
    tune_process()
    draws = Draws(seed)
    settled = settle(scenario, draws.draw)
    request = RestoreRequest(
        _collection(settled, folder, base),
        folder / "target",
        sources=settled.cluster.sources,
        targets=settled.cluster.targets,
        on=mode,
    )
    journal, path = Journal(), folder / "journal.jsonl"
    if journal_to is not None:
        journal.subscribe(journal_to)
    journal.about = {"title": scenario.title, "seed": seed}
    for reader in (journal_copy, onlooker):
        if reader is not None:
            journal.subscribe(reader, details=True)
    with closing(JournalFile(path)) as file:
        journal.subscribe(file, details=True)
        try:
            with refusals_told(journal):
                nodes = _nodes(request)
        except IncrestoreError as error:
            return RealOutcome("refused", str(error), path, not_reached=settled.expect.reached)
        director = Director.of(settled, nodes, draws.draw)
        limit_s = _limit_s(settled) if limit_s is None else limit_s
        try:
            outcome = run(_run, settled, director, draws, journal, request, limit_s, onlooker)
        except BaseExceptionGroup as group:
            raise first_expected(group) from group
    outcome = replace(outcome, journal=path)
    return _judged(outcome, settled) if run is trio.run else outcome


async def _run(
    settled: Scenario,
    director: Director,
    draws: Draws,
    journal: Journal,
    request: RestoreRequest,
    limit_s: float,
    onlooker: Onlooker | None,
) -> RealOutcome:
    drill = Drill(
        settled,
        director,
        Weather(settled, draws.draw),
        Conductor(director, journal),
        journal,
        coordinator_config(settled),
        source_config(settled.policy),
        AtRest(request.target, settled),
        takes_faults=onlooker is not None and onlooker.takes_faults,
    )
    commands, began = Commands(drill, request), monotonic_ns()
    if onlooker is not None:
        onlooker.reach(commands)
    stalled = not await commands.run(limit_s)
    return RealOutcome(
        state="running" if stalled else commands.state,
        reason="" if stalled else commands.reason,
        journal=Path(),
        explanation=commands.explain() if stalled else "",
        tables=read_targets(request.target) or None,
        evidence=_evidence(TargetPaths(request.target).coordinator_log),
        reached=dict(director.reached),
        not_reached=director.not_reached(),
        seen_never=director.seen_never(),
        faults=tuple(director.log),
        seconds=(monotonic_ns() - began) / 1e9,
    )


def _evidence(log: Path) -> dict[str, dict[int, int]]:
    """Rows applied by table and incremental, as the coordinator has recorded of the seals.

    The log and not the journal: a crash may come between a record and the telling of it.
    """
    if not log.exists():
        return {}
    with closing(CoordinatorLog(log)) as history:
        seals = [record for record in history.replay() if isinstance(record, TargetSealed)]
    found: dict[str, dict[int, int]] = {}
    for seal in seals:
        of_table = found.setdefault(table_of(seal.target), {})
        rows = sum(stream.rows for stream in seal.applied)
        of_table[seal.incremental] = of_table.get(seal.incremental, 0) + rows
    return found


def _judged(outcome: RealOutcome, settled: Scenario) -> RealOutcome:
    """With what the journal of the run breaks, the chain's own say included where it is known."""
    model = _model_of(settled)
    oracle_of = None if model is None else lambda *_: model
    found = check_journal(outcome.journal, oracle_of)
    if found.violation is None:
        return outcome
    explanation = outcome.explanation or found.waits
    return replace(
        outcome,
        violation=found.violation,
        led_there=found.led_there,
        explanation=explanation,
    )


def _limit_s(settled: Scenario) -> float:
    wanted = (settled.heal.at + settled.expect.within) / 1e9
    return min(max(wanted, LIMIT_S_MIN), LIMIT_S_MAX)


def _collection(settled: Scenario, folder: Path, base: Path) -> Path:
    """The chain to restore, damaged when the scenario says so."""
    workload = settled.workload
    if workload.collection is None:
        collection = write_collection(workload, folder)
    else:
        collection = base / workload.collection
        if workload.damage is not None:
            collection = shutil.copytree(collection, folder / collection.name)
    if workload.damage is not None:
        damage(collection, workload.damage)
    return collection


def _nodes(request: RestoreRequest) -> list[str]:
    """Everyone who will take part. Raises: BackupChainBroken, TargetRefused, UsageError."""
    plan, _, _ = make_plan(request)
    return [COORDINATOR, *source_names(plan), *target_names(plan)]


# --- Verdicts.


def run_real_task(
    path: str,
    seed: int,
    mode: str,
    journal: Path | None = None,
    onlooker: Onlooker | None = None,
) -> Verdict:
    """Run one seed of a scenario file in a folder that is gone afterwards."""
    scenario, base, last = load_scenario(Path(path)), Path(path).parent, LastEvents()
    with (
        run_folder() as folder,
        closing(JournalFile(journal)) if journal else nullcontext() as copy,
    ):
        try:
            outcome = run_real(
                scenario,
                seed,
                mode,
                folder,
                base=base,
                journal_to=last,
                journal_copy=copy,
                onlooker=onlooker,
            )
        except IncrestoreError:
            raise
        except Exception as error:
            crashed = crashed_verdict(path, mode, seed, error)
            return replace(crashed, led_there=last.lines(""), explanation=last.waits)
    return _verdict_of(path, scenario, mode, seed, outcome, last)


def _verdict_of(
    path: str, scenario: Scenario, mode: str, seed: int, outcome: RealOutcome, last: LastEvents
) -> Verdict:
    failure = find_failure(scenario, outcome, expected_rows(scenario))
    led_there = tuple(line.as_line(last.began_at) for line in outcome.led_there)
    return Verdict(
        scenario=path,
        title=scenario.title,
        mode=mode,
        seed=seed,
        state=outcome.state,
        reason=outcome.reason,
        failure=failure,
        seconds=outcome.seconds,
        explanation=outcome.explanation or last.waits,
        led_there=(led_there or last.lines(failure.node)) if failure else (),
        evidence=outcome.evidence,
        reached=outcome.reached,
    )


def expected_rows(scenario: Scenario) -> Mapping[str, Mapping[Any, Any]] | None:
    """What must be visible after the whole chain; None for a chain that was not generated."""
    model = _model_of(scenario)
    return None if model is None else model.rows_after(model.last_incremental)


def _model_of(scenario: Scenario) -> Model | None:
    if scenario.workload.collection is not None:
        return None
    return Model(generate(scenario.workload))
