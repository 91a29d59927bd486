"""Hosting shards: the nurseries of one process, and the shards of a plan by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from increstore.protocol.source_shard import SourceShard
from increstore.protocol.topology import (
    TableTopology,
    Topology,
    is_source,
    number_of,
    source_name,
    table_of,
    target_name,
)
from increstore.runtime.source_node import ByteBudget, PagePerformer, SourceNode
from increstore.runtime.spawn import available_cores
from increstore.runtime.target_node import Threads, run_target
from increstore.store.seam import StoreLayout
from increstore.store.segment_store import SegmentStore
from increstore.store.target import TargetPaths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.chain.plan import RestorePlan, TablePlan
    from increstore.journal import Journal
    from increstore.runtime.early import EarlyPages
    from increstore.runtime.job import RestoreJob
    from increstore.transport.seam import Transport

BYTES_UNAPPLIED_MAX = 64 << 20
"""What all source shards of one process may hold unapplied, together."""


def topology_of(plan: RestorePlan, restore: str) -> Topology:
    """The plan as the cores see it."""
    return Topology(
        restore=restore,
        last_incremental=len(plan.backups) - 1,
        tables=tuple(_table_topology(table, plan) for table in plan.tables),
    )


def _table_topology(table: TablePlan, plan: RestorePlan) -> TableTopology:
    return TableTopology(
        table=table.table,
        sources=tuple(source_name(table.table, n) for n in range(plan.sources)),
        targets=tuple(target_name(table.table, n) for n in range(len(table.bounds) + 1)),
        incrementals=tuple(step.incremental for step in table.steps),
        rows=table.rows,
        digest=table.digest,
    )


def source_names(plan: RestorePlan) -> list[str]:
    """Every source shard of the plan, table by table."""
    return [source_name(t.table, n) for t in plan.tables for n in range(plan.sources)]


def target_names(plan: RestorePlan) -> list[str]:
    """Every target shard of the plan, table by table."""
    return [target_name(t.table, n) for t in plan.tables for n in range(len(t.bounds) + 1)]


def store_layout(job: RestoreJob, shard: str) -> StoreLayout:
    """What the store of one target shard must know."""
    table = job.plan.table(table_of(shard))
    low, high = table.range_of(number_of(shard))
    return StoreLayout(
        restore=job.restore,
        table=table.table,
        shard=shard,
        batch_schemas={step.incremental: step.batch_schema for step in table.steps},
        final=table.final,
        column_since=table.column_since,
        low=low,
        high=high,
    )


def segment_store(job: RestoreJob, shard: str) -> SegmentStore:
    """The durable store of one target shard under TARGET/.increstore."""
    paths = TargetPaths(job.target)
    return SegmentStore(
        paths.shard(shard),
        store_layout(job, shard),
        paths.staged_file(table_of(shard), number_of(shard)),
    )


async def host_shards(
    job: RestoreJob,
    shards: Sequence[str],
    transport: Transport,
    journal: Journal,
    early: EarlyPages | None = None,
) -> None:
    """Run the named shards, each in a nursery of its own, until cancelled.

    `early` are pages that were read already.

    Raises: StorageCorrupted from a target shard whose durable state is damaged.
    """
    threads = Threads(available_cores())
    budget = ByteBudget(BYTES_UNAPPLIED_MAX)
    if early is not None:
        budget.take(early.bytes_held)
    topology = topology_of(job.plan, job.restore)
    async with trio.open_nursery() as nursery:
        for shard in shards:
            if is_source(shard):
                nursery.start_soon(
                    _run_source, job, shard, transport, journal, threads, budget, early
                )
            else:
                nursery.start_soon(
                    run_target,
                    shard,
                    topology.table(table_of(shard)),
                    job.restore,
                    segment_store(job, shard),
                    transport.attach,
                    threads,
                    journal,
                )


async def _run_source(
    job: RestoreJob,
    shard: str,
    transport: Transport,
    journal: Journal,
    threads: Threads,
    budget: ByteBudget,
    early: EarlyPages | None,
) -> None:
    table = job.plan.table(table_of(shard))
    targets = tuple(target_name(table.table, n) for n in range(len(table.bounds) + 1))
    core = SourceShard(shard, targets)
    performer = PagePerformer(
        table, number_of(shard), job.plan.sources, budget, threads.read, early
    )
    endpoint = transport.attach(shard)
    try:
        await SourceNode(shard, core, endpoint, performer, journal, budget).run()
    finally:
        endpoint.close()
