"""A drill over TCP: shards in worker processes, each of its own while there are few.

So a crash of one shard is the `kill -9` of one process. Where there are more shards than processes
may be, those that share one die and stand still together.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import trio

from increstore.protocol.topology import COORDINATOR
from increstore.runtime.cluster import source_names, target_names
from increstore.runtime.drill.at_rest import copies_wanted
from increstore.runtime.drill.cast import Cast
from increstore.runtime.drill.injector import LocalInjector
from increstore.runtime.drill.pool import DrillPool
from increstore.runtime.drill.questions import QUESTIONS, questions_of
from increstore.runtime.drill.stage import LocalStage, tell_what_is_awaited
from increstore.runtime.over_tcp import worker_spec
from increstore.runtime.processes import Worker
from increstore.runtime.spawn import WorkerNursery
from increstore.transport.faulty import FaultyTransport
from increstore.transport.tcp import TcpTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.chain.plan import RestorePlan
    from increstore.runtime.drill.coordinator import Chair
    from increstore.runtime.drill.stage import Drill
    from increstore.scenario.actions import Crash, Pause

PROCESSES_MAX = 12
"""Half of them for sources: each takes a moment to start, and room for what it imports."""


class TcpStage(LocalStage):
    """The coordinator here, every shard in a worker process."""

    def __init__(
        self,
        drill: Drill,
        cast: Cast,
        chair: Chair,
        transport: FaultyTransport,
        nursery: trio.Nursery,
        pool: DrillPool,
    ) -> None:
        super().__init__(drill, cast, chair, transport, nursery)
        self._pool = pool

    def crash(self, crash: Crash) -> None:
        if crash.node == COORDINATOR:
            super().crash(crash)
        else:
            self._pool.crash(crash)

    def restart(self, node: str) -> None:
        if node == COORDINATOR:
            super().restart(node)
        else:
            self._pool.restart(node)

    def pause(self, pause: Pause) -> None:
        if pause.node == COORDINATOR:
            super().pause(pause)
            return
        self._pool.pause(pause)
        if pause.duration_ns is not None:
            self._nursery.start_soon(self._go_on_later, pause.node, pause.fault, pause.duration_ns)

    def unpause(self, node: str, fault: str) -> None:
        if node == COORDINATOR:
            super().unpause(node, fault)
        else:
            self._pool.unpause(node, fault)

    def reset(self, one: str, other: str) -> None:
        super().reset(one, other)
        self._nursery.start_soon(self._pool.tell_all, {"reset": [one, other]})

    def release(self, hold: str) -> None:
        super().release(hold)
        self._nursery.start_soon(self._pool.tell_all, {"release": hold})

    async def _go_on_later(self, node: str, fault: str, after_ns: int) -> None:
        await trio.sleep(after_ns / 1e9)
        self._pool.unpause(node, fault)


async def play_over_tcp(drill: Drill, chair: Chair) -> None:
    """One command, until its coordinator has ended; its processes end with it.

    Raises: StorageFailed, StorageCorrupted and other expected errors that end the command.
    """
    prepared = chair.prepared
    token, hosts = secrets.token_bytes(16), _shards_by_host(prepared.plan)
    directory = {shard: host for host, shards in hosts.items() for shard in shards}
    directory[COORDINATOR] = COORDINATOR
    tcp = TcpTransport(COORDINATOR, token, directory=directory, addresses={})
    about = {
        "asks": QUESTIONS if drill.takes_faults else questions_of(drill.scenario),
        "source": asdict(drill.source),
        "older": copies_wanted(drill.scenario),
    }
    spec = worker_spec(prepared, token, directory, details=drill.journal.wants_details)
    workers = [
        Worker(host, {**spec, "host": host, "shards": shards, "drill": dict(about)})
        for host, shards in hosts.items()
    ]
    maker = WorkerNursery(also=["increstore.runtime.drill.worker"])
    with ExitStack() as closing:
        async with trio.open_nursery() as nursery:
            cast = Cast(drill.journal, nursery, drill.after_death)
            injector = LocalInjector(drill, lambda crash: stage.crash(crash))
            transport = FaultyTransport(tcp, injector)
            lock = prepared.directory.lock_fd
            pool = DrillPool(
                workers, maker, lock, drill.journal, tcp.set_address, injector, drill.after_death
            )
            stage = TcpStage(drill, cast, chair, transport, nursery, pool)
            closing.callback(pool.close)  # When nobody reads any more what the workers say.
            await nursery.start(transport.run)
            await pool.start({COORDINATOR: tcp.listening})
            drill.conductor.open(stage)
            closing.callback(drill.conductor.close)
            nursery.start_soon(pool.run)
            nursery.start_soon(tell_what_is_awaited, chair, drill.journal)
            await cast.play(
                COORDINATOR, partial(chair.live, transport=transport, injector=injector)
            )
            nursery.cancel_scope.cancel()


def _shards_by_host(plan: RestorePlan) -> dict[str, list[str]]:
    """A process for each shard, named after it; no more than `PROCESSES_MAX`, sources apart."""
    hosts: dict[str, list[str]] = {}
    for shards in (source_names(plan), target_names(plan)):
        for number, shard in enumerate(shards):
            hosts.setdefault(shards[number % _processes(shards)], []).append(shard)
    return hosts


def _processes(shards: Sequence[str]) -> int:
    return min(len(shards), PROCESSES_MAX // 2)
