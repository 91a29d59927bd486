"""The driver of target shards: one committer per store, which groups what waits into one fsync.

Whatever touches the store goes through one lock, in order, in worker threads. After a failed write
nothing is certain, so the node ends, and `run_target` starts a new one from what is durable.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import trio

from increstore.errors import StorageCorrupted, StorageFailed
from increstore.protocol.ready import (
    ApplyBatch,
    BatchesApplied,
    BatchRejected,
    FinalizeFailed,
    FinalizeRows,
    RowsFinalized,
    RunSealed,
    SealRun,
    StoreFailed,
)
from increstore.protocol.records import GenerationSeen
from increstore.protocol.target_shard import TargetShard
from increstore.runtime.narrate import narrate_applied, narrate_recovery, narrate_seal
from increstore.runtime.node import Node
from increstore.store.seam import GROUP_BATCHES_MAX, BatchInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.journal import Journal
    from increstore.protocol.messages import ScanId, StreamEvidence
    from increstore.protocol.ready import Effect, Event
    from increstore.protocol.records import Record
    from increstore.protocol.topology import TableTopology
    from increstore.store.seam import TableStore
    from increstore.transport.seam import Endpoint

RESTART_DELAY_S = 0.5
"""Before a target whose store has failed begins anew: what failed it may pass meanwhile."""

QUIET_TURNS = 4
"""Turns of the event loop that bring no batch; a message passes three tasks on its way here."""


class Threads:
    """The worker threads of a process by kind of work, so that a fold never starves a write."""

    def __init__(self, cores: int) -> None:
        self.read = trio.CapacityLimiter(max(2, cores))
        self.write = trio.CapacityLimiter(max(4, 2 * cores))
        self.fold = trio.CapacityLimiter(max(1, cores))


class StorePerformer:
    """Does a target shard's durable work, one thing at a time, in the order asked."""

    def __init__(self, store: TableStore, threads: Threads) -> None:
        self._store = store
        self._threads = threads
        self._lock = trio.Lock()
        self._waiting: deque[ApplyBatch] = deque()
        self.post: Callable[[Event], None]
        self.tell_applied: Callable[[Sequence[ApplyBatch]], None] = _tell_nobody
        self.sealed: dict[int, Sequence[StreamEvidence]] = {}
        """What was sealed in this life; for the journal only."""
        self._failure: StoreFailed | None = None
        self._is_committing = False
        self._rejected: dict[str, ScanId] = {}
        """By source: the scan of which a batch was unfit, so that no later one may be written."""

    async def append(self, records: Sequence[Record]) -> Event | None:
        for record in records:
            assert isinstance(record, GenerationSeen)
            failure = await self._guarded(
                self._store.record_generation, record.generation, limiter=self._threads.write
            )
            if failure is not None:
                return failure
        return None

    def queue(self, effect: Effect) -> None:
        # The core may not have heard yet that an earlier batch of the scan was rejected.
        if isinstance(effect, ApplyBatch) and effect.scan != self._rejected.get(effect.scan.source):
            self._waiting.append(effect)

    async def perform(self, effect: Effect) -> Event | None:
        match effect:
            case ApplyBatch():
                await self._apply_group()
                return None
            case SealRun(incremental, streams):
                failure = await self._guarded(
                    self._store.seal, incremental, streams, limiter=self._threads.write
                )
                self.sealed[incremental] = streams
                return failure or RunSealed(incremental)
            case FinalizeRows():
                return await self._finalize()
            case _:
                raise AssertionError(f"not a target's effect: {effect}")

    async def _apply_group(self) -> None:
        """Commit group after group until nothing waits, unless that is being done already.

        One task commits for all, and the tasks of the other batches end at once: were each to wait
        for the lock, it would hold its batch in memory long after that was durable.
        """
        if self._is_committing:
            return
        self._is_committing = True
        try:
            while self._waiting and self._failure is None:
                await self._gather()
                async with self._lock:
                    group = [self._waiting.popleft() for _ in range(self._group_size())]
                    event = await self._commit(group)
                if event is not None:
                    self.post(event)
        finally:
            self._is_committing = False

    async def _gather(self) -> None:
        """Let what is on its way join the group: a turn of the loop is short, a sync is not."""
        seen, turns = len(self._waiting), 0
        while turns < QUIET_TURNS and seen < GROUP_BATCHES_MAX:
            await trio.lowlevel.checkpoint()
            turns = turns + 1 if len(self._waiting) == seen else 0
            seen = len(self._waiting)

    def _group_size(self) -> int:
        return min(len(self._waiting), GROUP_BATCHES_MAX)

    async def _commit(self, group: list[ApplyBatch]) -> Event | None:
        try:
            await trio.to_thread.run_sync(self._store.append, group, limiter=self._threads.write)
        except BatchInvalid as invalid:
            return self._reject(group, invalid)
        except (StorageFailed, StorageCorrupted) as error:
            return self._fail(error)
        self.tell_applied(group)
        for scan in dict.fromkeys(batch.scan for batch in group):
            watermark = max(batch.order for batch in group if batch.scan == scan)
            self.post(BatchesApplied(scan, watermark))
        return None

    def _reject(self, group: list[ApplyBatch], invalid: BatchInvalid) -> BatchRejected:
        """Nothing of the group was written: keep what other scans sent for the next one."""
        rejected = invalid.batch
        self._rejected[rejected.scan.source] = rejected.scan
        kept = [batch for batch in (*group, *self._waiting) if batch.scan != rejected.scan]
        self._waiting = deque(kept)
        return BatchRejected(rejected.scan, rejected.order, invalid.error)

    async def _finalize(self) -> Event:
        async with self._lock:
            try:
                rows, digest = await trio.to_thread.run_sync(
                    self._store.finalize, limiter=self._threads.fold
                )
            except StorageFailed as error:
                return FinalizeFailed(transient=True, error=str(error))
            except StorageCorrupted as error:
                return FinalizeFailed(transient=False, error=f"storage corrupted: {error}")
        return RowsFinalized(rows, digest)

    async def _guarded(
        self, work: Callable[..., object], *args: object, limiter: trio.CapacityLimiter
    ) -> StoreFailed | None:
        async with self._lock:
            if self._failure is not None:
                return self._failure  # Not written: nothing may rest on it.
            try:
                await trio.to_thread.run_sync(work, *args, limiter=limiter)
            except (StorageFailed, StorageCorrupted) as error:
                return self._fail(error)
        return None

    def _fail(self, error: StorageFailed | StorageCorrupted) -> StoreFailed:
        """From here on what is durable is not known, and nothing more is written."""
        self._failure = StoreFailed(str(error), corrupted=isinstance(error, StorageCorrupted))
        return self._failure


def _tell_nobody(_: Sequence[ApplyBatch]) -> None:
    """Nobody wants to know of every batch."""


class TargetNode(Node):
    """One life of a target shard: from recovery to the first storage failure."""

    def __init__(
        self,
        name: str,
        core: TargetShard,
        endpoint: Endpoint,
        performer: StorePerformer,
        journal: Journal,
    ) -> None:
        super().__init__(name, core, endpoint, performer, journal)
        self._told_of_failure = False
        self._store = performer
        performer.post = self.post
        performer.tell_applied = partial(narrate_applied, journal, name)

    def has_ended(self) -> bool:
        return self._told_of_failure

    def narrate(self, event: Event) -> None:
        if isinstance(event, RunSealed):
            streams = self._store.sealed[event.incremental]
            narrate_seal(self._journal, self.name, event.incremental, streams)
        else:
            super().narrate(event)

    async def _step(self, nursery: trio.Nursery, event: Event) -> int | None:
        wake_at = await super()._step(nursery, event)
        if isinstance(event, StoreFailed):
            await self.flush()
            self._told_of_failure = True
        return wake_at


MakeTargetNode: TypeAlias = (
    "Callable[[str, TargetShard, Endpoint, StorePerformer, Journal], TargetNode]"
)


async def run_target(
    name: str,
    table: TableTopology,
    restore: str,
    store: TableStore,
    attach: Callable[[str], Endpoint],
    threads: Threads,
    journal: Journal,
    make_node: MakeTargetNode = TargetNode,
) -> None:
    """Run a target shard for as long as its process lives, again from disk after each failure.

    Raises: StorageCorrupted when what was durable is no longer what was written.
    """
    while True:
        # First, so that what a source says meanwhile waits in the mailbox and is not lost.
        endpoint = attach(name)
        try:
            state = await trio.to_thread.run_sync(store.recover, limiter=threads.write)
            core = TargetShard(name, table, restore, state)
            narrate_recovery(journal, name, state)
            performer = StorePerformer(store, threads)
            await make_node(name, core, endpoint, performer, journal).run()
        finally:
            endpoint.close()
        journal.emit(name, "shard.restarting", delay_s=RESTART_DELAY_S)
        await trio.sleep(RESTART_DELAY_S)
