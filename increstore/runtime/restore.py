"""The restore operation: from a request to an outcome, on one machine.

Nothing is written before the chain is known to be whole. What is written first is whose target it
is, so that the same command, given again after any interruption, finds the same plan and goes on
from what is durable; a different one is refused.
"""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from increstore.chain.collection import Collection
from increstore.chain.plan import plan_restore
from increstore.chain.validate import require_valid
from increstore.errors import TargetRefused, UsageError
from increstore.protocol.coordinator import Coordinator, CoordinatorConfig, RestoreState
from increstore.protocol.records import IncrementalCompleted
from increstore.protocol.source_shard import SourceConfig
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.cluster import (
    RestoreJob,
    host_shards,
    source_names,
    target_names,
    topology_of,
)
from increstore.runtime.coordinator_node import CoordinatorNode, CoordinatorPerformer
from increstore.runtime.groups import first_expected
from increstore.runtime.memory_pool import choose_memory_pool
from increstore.runtime.node import monotonic_ns, wall_ns
from increstore.runtime.processes import Worker, WorkerPool
from increstore.store.coordinator_log import CoordinatorLog
from increstore.store.publish import publish
from increstore.store.target import TargetDirectory, TargetIdentity, examine_target
from increstore.transport.memory import MemoryTransport
from increstore.transport.tcp import TcpTransport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.chain.plan import RestorePlan
    from increstore.journal import Journal
    from increstore.protocol.records import CoordinatorRecord
    from increstore.transport.seam import Transport

SHARDS_DEFAULT_MAX = 8
LOCK_PATIENCE_S = 3.0
BARRIER_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """What a person asked for; None is "not said": the default, or what the target began with."""

    collection: Path
    target: Path
    upto: str | None = None
    tables: tuple[str, ...] = ()
    sources: int | None = None
    targets: int | None = None
    on: str = "memory"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a restore ended, or that it was interrupted (`state` is then RUNNING)."""

    state: RestoreState
    reason: str
    deadline_passed: bool = False
    was_complete: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A restore that may begin: the chain is whole and the target is ours."""

    request: RestoreRequest
    job: RestoreJob
    directory: TargetDirectory
    log: CoordinatorLog
    history: list[CoordinatorRecord]
    newer_backups: int

    @property
    def plan(self) -> RestorePlan:
        return self.job.plan

    @property
    def resumes(self) -> bool:
        return bool(self.history)


def available_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def make_plan(request: RestoreRequest) -> tuple[RestorePlan, TargetIdentity | None, int]:
    """The plan this request leads to, whose target it would be, and newer backups left out.

    Writes nothing. Raises: BackupChainBroken, TargetRefused, UsageError.
    """
    identity = examine_target(request.target)
    request = _as_begun(request, identity)
    collection = Collection.open(request.collection)
    chain = collection.chain(upto=request.upto, tables=None)
    require_valid(chain, checksums=identity is None)
    sources, targets = _shard_numbers(request)
    plan = plan_restore(
        request.collection, chain.manifests, request.tables or None, sources, targets
    )
    if identity is not None:
        _refuse_other_plan(request, plan, identity)
    return plan, identity, sum(backup.name > plan.backups[-1] for backup in collection.backups)


def _as_begun(request: RestoreRequest, identity: TargetIdentity | None) -> RestoreRequest:
    """The request, completed by what the target began with."""
    if identity is None:
        return request
    begun = {
        "--sources": (request.sources, identity.sources),
        "--targets": (request.targets, identity.targets),
        "--table": (request.tables or None, identity.tables),
    }
    for option, (asked, stands) in begun.items():
        if asked is not None and asked != stands:
            raise UsageError(
                f"{request.target}: this restore began with {option} {stands}, got {asked}; "
                "leave the option out to go on, or choose another target"
            )
    if request.upto is not None and not identity.upto.startswith(request.upto):
        raise UsageError(
            f"{request.target}: this restore began with --upto {identity.upto}, got "
            f"{request.upto}; leave the option out to go on, or choose another target"
        )
    return RestoreRequest(
        collection=request.collection,
        target=request.target,
        upto=identity.upto,
        tables=identity.tables,
        sources=identity.sources,
        targets=identity.targets,
        on=request.on,
    )


def _shard_numbers(request: RestoreRequest) -> tuple[int, int]:
    usual = min(max(2, available_cores()), SHARDS_DEFAULT_MAX)
    return request.sources or usual, request.targets or usual


def _refuse_other_plan(
    request: RestoreRequest, plan: RestorePlan, identity: TargetIdentity
) -> None:
    if identity.collection != plan.collection_id:
        raise TargetRefused(
            f"{request.target}: this target belongs to collection {identity.collection}, got "
            f"{plan.collection_id} ({request.collection}); choose another target; nothing was "
            "changed"
        )
    if identity.fingerprint != plan.fingerprint:
        raise TargetRefused(
            f"{request.target}: the chain up to {identity.upto} is not the one this restore began "
            f"with (expected plan {identity.fingerprint}, got {plan.fingerprint}); choose another "
            "target; nothing was changed"
        )


def prepare(request: RestoreRequest) -> Prepared:
    """Check everything, take the target, and read what is already durable.

    Raises: BackupChainBroken, TargetRefused, UsageError, StorageFailed, StorageCorrupted.
    """
    plan, identity, newer = make_plan(request)
    directory = _take(request.target)
    try:
        wanted = identity or TargetIdentity(
            collection=plan.collection_id,
            restore=secrets.token_hex(8),
            upto=plan.backups[-1],
            fingerprint=plan.fingerprint,
            sources=plan.sources,
            targets=plan.targets,
            tables=tuple(request.tables),
        )
        directory.claim(wanted)
        log = CoordinatorLog(directory.paths.coordinator_log)
        history = log.replay()
        if identity is not None:
            _check_what_is_left(plan, history)
        job = RestoreJob(plan, wanted.restore, request.target, SourceConfig())
        return Prepared(request, job, directory, log, history, newer)
    except BaseException:
        directory.close()
        raise


def _take(target: Path) -> TargetDirectory:
    """The target, waiting a moment for the last processes of a restore that was killed."""
    patience = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            return TargetDirectory.open(target)
        except TargetRefused as error:
            if not error.holder_is_gone or time.monotonic() > patience:
                raise
            time.sleep(0.05)


def _check_what_is_left(plan: RestorePlan, history: Sequence[CoordinatorRecord]) -> None:
    """Checksums of the backups that are still to be scanned; the others are no longer needed."""
    done = {r.incremental for r in history if isinstance(r, IncrementalCompleted)}
    left = [name for number, name in enumerate(plan.backups) if number not in done]
    if left:
        collection = Collection.open(plan.collection)
        chain = collection.chain(upto=plan.backups[-1], tables=None)
        require_valid(chain, checksums=True, only=left)


def resume_command(request: RestoreRequest) -> str:
    """What to type to go on."""
    words = ["increstore", "restore", str(request.collection), "--into", str(request.target)]
    if request.on != "memory":
        words += ["--on", request.on]
    return shlex.join(words)


def run_restore(prepared: Prepared, config: CoordinatorConfig, journal: Journal) -> Outcome:
    """Restore until the end, a pause or a signal.

    Raises: StorageFailed, StorageCorrupted and other expected errors that end the process.
    """
    choose_memory_pool()
    try:
        return trio.run(_run, prepared, config, journal)
    except BaseExceptionGroup as group:
        raise first_expected(group) from group


async def _run(prepared: Prepared, config: CoordinatorConfig, journal: Journal) -> Outcome:
    core = Coordinator(
        topology_of(prepared.plan, prepared.job.restore),
        config,
        prepared.history,
        monotonic_ns(),
        wall_ns(),
        prepared.plan.fingerprint,
    )
    if core.state is RestoreState.COMPLETED:
        prepared.directory.remove_working_files()
        return Outcome(core.state, "", was_complete=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, nursery.cancel_scope, journal)
        nursery.start_soon(_tell_what_is_awaited, core, journal)
        if prepared.request.on == "tcp":
            await _run_over_tcp(prepared, core, journal)
        else:
            await _run_in_memory(prepared, core, journal)
        nursery.cancel_scope.cancel()
    if core.state is RestoreState.COMPLETED:
        prepared.directory.remove_working_files()
    return Outcome(core.state, core.reason, core.deadline_passed)


async def _run_in_memory(prepared: Prepared, core: Coordinator, journal: Journal) -> None:
    transport = MemoryTransport()
    shards = [*source_names(prepared.plan), *target_names(prepared.plan)]
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        nursery.start_soon(host_shards, prepared.job, shards, transport, journal)
        await _coordinate(prepared, core, transport, journal)
        nursery.cancel_scope.cancel()


async def _run_over_tcp(prepared: Prepared, core: Coordinator, journal: Journal) -> None:
    token = secrets.token_bytes(16)
    hosts = _shards_by_host(prepared.plan)
    directory = {shard: host for host, shards in hosts.items() for shard in shards}
    directory[COORDINATOR] = COORDINATOR
    transport = TcpTransport(COORDINATOR, token, directory=directory, addresses={})
    spec = _worker_spec(prepared, token, directory)
    workers = [
        Worker(host, {**spec, "host": host, "shards": shards}) for host, shards in hosts.items()
    ]
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        pool = WorkerPool(workers, prepared.directory.lock_fd, journal, transport.set_address)
        try:
            await pool.start({COORDINATOR: transport.listening})
            nursery.start_soon(pool.run)
            await _coordinate(prepared, core, transport, journal)
        finally:
            pool.kill()
        nursery.cancel_scope.cancel()


def _shards_by_host(plan: RestorePlan) -> dict[str, list[str]]:
    """Sources and targets in processes of their own, one of each for every two cores."""
    pairs = max(1, available_cores() // 2)
    hosts: dict[str, list[str]] = {}
    for kind, shards in (("sources", source_names(plan)), ("targets", target_names(plan))):
        for number, shard in enumerate(shards):
            hosts.setdefault(f"{kind}-{number % pairs}", []).append(shard)
    return hosts


def _worker_spec(prepared: Prepared, token: bytes, directory: dict[str, str]) -> dict[str, object]:
    plan = prepared.plan
    return {
        "token": token.hex(),
        "directory": directory,
        "collection": str(plan.collection.absolute()),
        "upto": plan.backups[-1],
        "tables": [table.table for table in plan.tables],
        "sources": plan.sources,
        "targets": plan.targets,
        "fingerprint": plan.fingerprint,
        "restore": prepared.job.restore,
        "target": str(prepared.job.target.absolute()),
    }


async def _coordinate(
    prepared: Prepared, core: Coordinator, transport: Transport, journal: Journal
) -> None:
    tables = [table.table for table in prepared.plan.tables]

    def show_tables() -> None:
        publish(prepared.job.target, tables)

    performer = CoordinatorPerformer(prepared.log, show_tables)
    endpoint = transport.attach(COORDINATOR)
    try:
        await CoordinatorNode(core, endpoint, performer, journal).run()
    finally:
        endpoint.close()


async def _stop_on_signal(scope: trio.CancelScope, journal: Journal) -> None:
    """The first signal ends cleanly, a second one at once; neither loses anything durable."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            if scope.cancel_called:
                os._exit(128 + number)
            journal.emit(COORDINATOR, "restore.interrupted", signal=signal.Signals(number).name)
            scope.cancel()


async def _tell_what_is_awaited(core: Coordinator, journal: Journal) -> None:
    """The barrier's own sentence, whenever the same wait has lasted for a while."""
    while True:
        await trio.sleep(BARRIER_PERIOD_S)
        journal.emit(COORDINATOR, "barrier.waits", says=core.explain(monotonic_ns()))
