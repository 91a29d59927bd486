"""A real restore whose nodes can be broken by hand: the production nodes, behind fault injectors.

The target it makes is a real one: the same command without the drill goes on with it.
"""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING, cast

import trio

from increstore.errors import IncrestoreError
from increstore.protocol.source_scan import SourceConfig
from increstore.protocol.topology import COORDINATOR
from increstore.proving.commands import Commands
from increstore.runtime.cluster import source_names, target_names
from increstore.runtime.drill.at_rest import AtRest
from increstore.runtime.drill.conductor import Conductor
from increstore.runtime.drill.stage import Drill
from increstore.runtime.drill.weather import Weather
from increstore.runtime.groups import first_expected
from increstore.runtime.prepare import make_plan
from increstore.runtime.refusal import refusals_told
from increstore.runtime.restore import about_plan
from increstore.runtime.tuning import tune_process
from increstore.scenario.director import Director
from increstore.scenario.model import ClusterSpec, HealSpec, Scenario, WorkloadSpec
from increstore.simulation.draws import Draws
from increstore.stops import heard_stops

if TYPE_CHECKING:
    from increstore.chain.plan import RestorePlan
    from increstore.journal import Journal
    from increstore.protocol.policy import CoordinatorConfig
    from increstore.proving.real import Onlooker
    from increstore.runtime.request import RestoreRequest
    from increstore.scenario.model import Mode

SEED = 0
HEAL_AT_NS = 365 * 86_400 * 1_000_000_000
"""By then every restore has ended: what a person breaks, a person heals."""


def run_drill(
    request: RestoreRequest,
    config: CoordinatorConfig,
    journal: Journal,
    onlooker: Onlooker,
    *,
    heeds_signals: bool,
) -> Commands:
    """Restore until the end, or until the onlooker stops it; the command, as it has ended.

    It may run in any thread when it does not heed signals.

    Raises: BackupChainBroken, TargetRefused, UsageError and other expected errors.
    """
    tune_process()
    with refusals_told(journal):
        plan, _, _ = make_plan(request)
    journal.about.update(about_plan(plan))
    journal.subscribe(onlooker, details=True)
    try:
        return trio.run(_run, plan, request, config, journal, onlooker, heeds_signals)
    except BaseExceptionGroup as group:
        raise first_expected(group) from group


async def _run(
    plan: RestorePlan,
    request: RestoreRequest,
    config: CoordinatorConfig,
    journal: Journal,
    onlooker: Onlooker,
    heeds_signals: bool,
) -> Commands:
    scenario, draws = scenario_of_drill(plan, request), Draws(SEED)
    nodes = [COORDINATOR, *source_names(plan), *target_names(plan)]
    director = Director.of(scenario, nodes, draws.draw)
    drill = Drill(
        scenario,
        director,
        Weather(scenario, draws.draw),
        Conductor(director, journal),
        journal,
        config,
        SourceConfig(),
        AtRest(request.target, scenario),
        takes_faults=True,
    )
    commands = Commands(drill, request)
    onlooker.reach(commands)
    async with trio.open_nursery() as nursery:
        if heeds_signals:
            nursery.start_soon(_stop_on_signal, commands)
        await commands.run(math.inf)
        nursery.cancel_scope.cancel()
    if commands.state == "refused":
        raise commands.refusal or IncrestoreError(commands.reason)
    return commands


async def _stop_on_signal(commands: Commands) -> None:
    with trio.open_signal_receiver(*heard_stops()) as signals:
        async for number in signals:
            commands.stop(signal.Signals(number).name)


def scenario_of_drill(plan: RestorePlan, request: RestoreRequest) -> Scenario:
    """The restore as a scenario without faults."""
    return Scenario(
        title=f"a restore of {plan.collection.name}",
        why="A drill: a person breaks it by hand, and it must still restore what the chain says.",
        on=(cast("Mode", request.on),),
        cluster=ClusterSpec(sources=plan.sources, targets=plan.targets),
        workload=WorkloadSpec(collection=str(plan.collection.resolve())),
        heal=HealSpec(at=HEAL_AT_NS),
    )
