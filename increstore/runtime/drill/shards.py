"""One life of a source or target shard in a drill: the production node behind its guards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.protocol.source_shard import SourceShard
from increstore.protocol.topology import is_source, table_of, target_name
from increstore.runtime.cluster import BYTES_UNAPPLIED_MAX, segment_store, topology_of
from increstore.runtime.drill.life import LifeGuard
from increstore.runtime.drill.nodes import TroubledPages, TroubledSource, TroubledTarget
from increstore.runtime.source_node import ByteBudget
from increstore.runtime.target_node import run_target
from increstore.store.faulty import FaultyStore

if TYPE_CHECKING:
    from increstore.journal import Journal
    from increstore.protocol.source_scan import SourceConfig
    from increstore.protocol.target_shard import TargetShard
    from increstore.runtime.drill.at_rest import Older
    from increstore.runtime.drill.injector import Injector
    from increstore.runtime.drill.life import Life
    from increstore.runtime.job import RestoreJob
    from increstore.runtime.target_node import StorePerformer, Threads
    from increstore.transport.seam import Endpoint, Transport


@dataclass(frozen=True, slots=True)
class Scene:
    """What the shards of one process share."""

    job: RestoreJob
    source_config: SourceConfig
    transport: Transport
    injector: Injector
    journal: Journal
    threads: Threads
    older: Older


async def live(scene: Scene, life: Life) -> None:
    """The shard `life.node`, until it is cancelled.

    Raises: StorageCorrupted when what a target had made durable is damaged.
    """
    await (_live_as_source if is_source(life.node) else _live_as_target)(scene, life)


async def _live_as_source(scene: Scene, life: Life) -> None:
    plan = scene.job.plan
    table = plan.table(table_of(life.node))
    targets = tuple(target_name(table.table, n) for n in range(len(table.bounds) + 1))
    # A budget of its own: what an ended life held must not be missing for ever.
    budget = ByteBudget(BYTES_UNAPPLIED_MAX)
    number = int(life.node.rpartition("/")[2][1:])
    pages = TroubledPages(table, number, plan.sources, budget, scene.threads.read)
    pages.enter(life, scene.injector)
    endpoint = scene.transport.attach(life.node)
    try:
        core = SourceShard(life.node, targets, scene.source_config)
        node = TroubledSource(life.node, core, endpoint, pages, scene.journal, budget)
        node.enter(life, scene.injector)
        await node.run()
    finally:
        endpoint.close()


async def _live_as_target(scene: Scene, life: Life) -> None:
    job = scene.job
    guard = LifeGuard(life, scene.injector, scene.older.keeper(life.node))

    def make_node(
        name: str,
        core: TargetShard,
        endpoint: Endpoint,
        performer: StorePerformer,
        journal: Journal,
    ) -> TroubledTarget:
        node = TroubledTarget(name, core, endpoint, performer, journal)
        node.enter(life, scene.injector)
        return node

    await run_target(
        life.node,
        topology_of(job.plan, job.restore).table(table_of(life.node)),
        job.restore,
        FaultyStore(segment_store(job, life.node), guard),
        scene.transport.attach,
        scene.threads,
        scene.journal,
        make_node,
    )
