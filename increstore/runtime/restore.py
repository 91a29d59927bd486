"""The restore operation: a prepared restore runs on one machine until it ends or is stopped.

In memory every shard lives in this process; over TCP the shards live in worker processes and only
the coordinator lives here.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from increstore.errors import ExitCode
from increstore.protocol.coordinator import Coordinator, CoordinatorConfig, RestoreState
from increstore.protocol.source_shard import SourceConfig
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.barrier import LOOK_PERIOD_S, BarrierTeller
from increstore.runtime.cluster import host_shards, source_names, target_names, topology_of
from increstore.runtime.control import RestoreControl
from increstore.runtime.coordinator_node import coordinate
from increstore.runtime.groups import first_expected
from increstore.runtime.narrate import narrate_plan
from increstore.runtime.node import wall_ns
from increstore.runtime.spawn import WorkerNursery
from increstore.runtime.tuning import tune_process
from increstore.stops import heard_stops
from increstore.store.published import require_published
from increstore.transport.clock import monotonic_ns
from increstore.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from increstore.chain.plan import RestorePlan
    from increstore.journal import Journal
    from increstore.runtime.early import EarlyPages
    from increstore.runtime.prepare import Prepared
    from increstore.store.target import TargetDirectory

TARGET_LOOK_PERIOD_S = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a restore ended, or that it was interrupted (`state` is then RUNNING)."""

    state: RestoreState
    reason: str
    deadline_passed: bool = False
    was_complete: bool = False


def run_restore(
    prepared: Prepared,
    config: CoordinatorConfig,
    journal: Journal,
    started: WorkerNursery | None = None,
    early: EarlyPages | None = None,
    control: RestoreControl | None = None,
    *,
    heeds_signals: bool = True,
) -> Outcome:
    """Restore until the end, a pause or a signal; over TCP in workers from `started`.

    In memory it begins with the pages in `early`, which are read no further. Who holds `control`
    can stop it, too. It may run in any thread when it does not heed signals.

    Raises: StorageFailed, StorageCorrupted and other expected errors that end the process; also
    when it was complete and its tables are gone.
    """
    tune_process()
    if early is not None:
        early.stop()
    try:
        nursery = started or WorkerNursery()
        reins = control or RestoreControl()
        return trio.run(_run, prepared, config, journal, nursery, early, reins, heeds_signals)
    except BaseExceptionGroup as group:
        # A target that was taken away makes all kinds of errors: they are not the cause.
        prepared.directory.require_in_place()
        raise first_expected(group) from group


async def _run(
    prepared: Prepared,
    config: CoordinatorConfig,
    journal: Journal,
    started: WorkerNursery,
    early: EarlyPages | None,
    control: RestoreControl,
    heeds_signals: bool,
) -> Outcome:
    topology = topology_of(prepared.plan, prepared.job.restore)
    core = Coordinator(
        topology,
        config,
        prepared.history,
        monotonic_ns(),
        wall_ns(),
        prepared.plan.fingerprint,
    )
    was_complete = core.state is RestoreState.COMPLETED
    if not was_complete:
        history, mode = prepared.history, prepared.request.on
        journal.about.update(about_plan(prepared.plan))
        narrate_plan(journal, COORDINATOR, topology, config, SourceConfig(), history, mode)
        work = partial(_work, prepared, core, journal, started, early, control)
        await _until_it_ends(work, journal, control, heeds_signals=heeds_signals)
    else:
        rows = {table.table: table.rows for table in prepared.plan.tables}
        await trio.to_thread.run_sync(require_published, prepared.job.target, rows)
    if core.state is RestoreState.COMPLETED:
        prepared.directory.require_in_place()
        await _tidy_up(prepared)
    return Outcome(core.state, core.reason, core.deadline_passed, was_complete)


async def _tidy_up(prepared: Prepared) -> None:
    """Removing files and closing the log both wait for the disk: they do so at the same time."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, prepared.directory.remove_working_files)
        nursery.start_soon(trio.to_thread.run_sync, prepared.log.close)


def about_plan(plan: RestorePlan) -> dict[str, object]:
    """What people want to know of a run, beside who takes part."""
    return {
        "collection": str(plan.collection),
        "backups": list(plan.backups),
        "rows_by_backup": rows_by_backup(plan),
    }


def rows_by_backup(plan: RestorePlan) -> list[int]:
    """How many rows are scanned of each backup, by chain position."""
    rows = [0] * len(plan.backups)
    for table in plan.tables:
        for step in table.steps:
            rows[step.incremental] += step.rows
    return rows


async def _until_it_ends(
    work: Callable[[], Awaitable[None]],
    journal: Journal,
    control: RestoreControl,
    *,
    heeds_signals: bool,
) -> None:
    scope = trio.CancelScope()
    control.attach(lambda: _interrupt(scope, journal, "the dashboard"))
    async with trio.open_nursery() as nursery:
        if heeds_signals:
            # Outside of what it cancels: it must hear a second signal while the work winds down.
            nursery.start_soon(_stop_on_signal, scope, journal)
        with scope:
            await work()
        nursery.cancel_scope.cancel()


async def _work(
    prepared: Prepared,
    core: Coordinator,
    journal: Journal,
    started: WorkerNursery,
    early: EarlyPages | None,
    control: RestoreControl,
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tell_what_is_awaited, core, journal)
        nursery.start_soon(_watch_target, prepared.directory)
        if prepared.request.on == "tcp":
            from increstore.runtime.over_tcp import run_over_tcp  # A tenth of a second of imports.

            await run_over_tcp(prepared, core, journal, started, control)
        else:
            await _run_in_memory(prepared, core, journal, early, control)
        nursery.cancel_scope.cancel()


async def _run_in_memory(
    prepared: Prepared,
    core: Coordinator,
    journal: Journal,
    early: EarlyPages | None,
    control: RestoreControl,
) -> None:
    transport = MemoryTransport()
    shards = [*source_names(prepared.plan), *target_names(prepared.plan)]
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        nursery.start_soon(host_shards, prepared.job, shards, transport, journal, early)
        await coordinate(prepared, core, transport, journal, control)
        nursery.cancel_scope.cancel()


async def _stop_on_signal(work: trio.CancelScope, journal: Journal) -> None:
    """The first signal ends cleanly, a second one at once; neither loses anything durable."""
    with trio.open_signal_receiver(*heard_stops()) as signals:
        async for number in signals:
            name = signal.Signals(number).name
            if work.cancel_called:
                journal.emit(COORDINATOR, "restore.abandoned", signal=name)
                os._exit(ExitCode.PAUSED)
            _interrupt(work, journal, name)


def _interrupt(work: trio.CancelScope, journal: Journal, by: str) -> None:
    if not work.cancel_called:
        journal.emit(COORDINATOR, "restore.interrupted", signal=by)
        work.cancel()


async def _watch_target(directory: TargetDirectory) -> None:
    """Files that are open outlive their folder: without a look nobody would notice for long."""
    while True:
        directory.require_in_place()
        await trio.sleep(TARGET_LOOK_PERIOD_S)


async def _tell_what_is_awaited(core: Coordinator, journal: Journal) -> None:
    teller = BarrierTeller(journal)
    while True:
        await trio.sleep(LOOK_PERIOD_S)
        teller.look(core, monotonic_ns())
