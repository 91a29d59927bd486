"""A drill in one process: every shard a task of its own, the memory transport between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import trio

from increstore.protocol.topology import COORDINATOR
from increstore.runtime.cluster import source_names, target_names
from increstore.runtime.drill.cast import Cast
from increstore.runtime.drill.injector import LocalInjector
from increstore.runtime.drill.shards import Scene, live
from increstore.runtime.drill.stage import LocalStage, tell_what_is_awaited
from increstore.runtime.spawn import available_cores
from increstore.runtime.target_node import Threads
from increstore.transport.faulty import FaultyTransport
from increstore.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from increstore.runtime.drill.coordinator import Chair
    from increstore.runtime.drill.stage import Drill


async def play_in_memory(drill: Drill, chair: Chair) -> None:
    """One command, until its coordinator has ended.

    Raises: StorageFailed, StorageCorrupted and other expected errors that end the command.
    """
    plan = chair.prepared.plan
    async with trio.open_nursery() as nursery:
        cast = Cast(drill.journal, nursery, drill.after_death)
        injector = LocalInjector(drill, cast.crash)
        transport = FaultyTransport(MemoryTransport(), injector)
        scene = Scene(
            chair.prepared.job,
            drill.source,
            transport,
            injector,
            drill.journal,
            Threads(available_cores()),
            chair.older,
        )
        await nursery.start(transport.run)
        drill.conductor.open(LocalStage(drill, cast, chair, transport, nursery))
        try:
            for shard in (*source_names(plan), *target_names(plan)):
                nursery.start_soon(cast.play, shard, partial(live, scene))
            nursery.start_soon(tell_what_is_awaited, chair, drill.journal)
            await cast.play(
                COORDINATOR, partial(chair.live, transport=transport, injector=injector)
            )
            nursery.cancel_scope.cancel()
        finally:
            drill.conductor.close()
