"""The committer of a target shard: groups what waits, in order, and holds nothing afterwards."""

from __future__ import annotations

import threading
from dataclasses import replace

import trio
from trio.testing import wait_all_tasks_blocked

from increstore.errors import StorageFailed
from increstore.protocol.ready import BatchesApplied, BatchRejected, SealRun, StoreFailed
from increstore.protocol.records import GenerationSeen
from increstore.runtime.target_node import QUIET_TURNS, StorePerformer, Threads
from increstore.store.memory import MemoryStore
from tests.store.builders import a_layout, batches_of, upsert


class GatedStore(MemoryStore):
    """Lets one append through each time the gate is opened, and remembers the groups."""

    def __init__(self) -> None:
        super().__init__(a_layout())
        self.gate = threading.Semaphore(0)
        self.groups: list[list[int]] = []

    def append(self, batches) -> None:
        self.gate.acquire()
        super().append(batches)
        self.groups.append([batch.order for batch in batches])


async def test_while_one_group_is_written_the_tasks_of_later_batches_end_and_wait_for_nothing():
    """Found at 20 million rows: tasks queued for the lock kept applied batches in memory."""
    store = GatedStore()
    store.recover()
    performer = StorePerformer(store, Threads(2))
    applied: list[BatchesApplied] = []
    performer.post = applied.append
    batches = batches_of([upsert(key) for key in range(40)], 0, size=1)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            performer.queue(batches[0])
            nursery.start_soon(performer.perform, batches[0])
            await wait_all_tasks_blocked()
            for batch in batches[1:]:
                performer.queue(batch)
                nursery.start_soon(performer.perform, batch)
            await wait_all_tasks_blocked()

            assert len(nursery.child_tasks) == 1  # The committer alone, not one task a batch.

            for _ in range(3):
                store.gate.release()

    assert store.groups == [[1], list(range(2, 34)), list(range(34, 41))]
    assert [event.watermark for event in applied] == [1, 33, 40]


async def test_batches_that_arrive_one_behind_the_other_are_one_group_and_one_sync():
    store = GatedStore()
    store.recover()
    performer = StorePerformer(store, Threads(2))
    performer.post = lambda _: None
    batches = batches_of([upsert(key) for key in range(5)], 0, size=1)
    store.gate.release()

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for batch in batches:
                performer.queue(batch)
                nursery.start_soon(performer.perform, batch)
                for _ in range(QUIET_TURNS - 1):
                    await trio.lowlevel.checkpoint()

    assert store.groups == [[1, 2, 3, 4, 5]]


async def test_what_comes_after_a_rejected_batch_is_not_written_even_before_the_shard_has_heard():
    """Its next batch may be on its way into the store by then, and would come after a gap."""
    store = MemoryStore(a_layout())
    store.recover()
    performer = StorePerformer(store, Threads(2))
    told: list[object] = []
    performer.post = told.append
    first, second, third = batches_of([upsert(1), upsert(2), upsert(3)], 0, size=1)
    retried = replace(first, scan=replace(first.scan, attempt=2))

    with trio.fail_after(20):
        for batch in (first, replace(second, digest=0), third, retried):
            performer.queue(batch)
            await performer.perform(batch)

    assert [type(event) for event in told] == [BatchesApplied, BatchRejected, BatchesApplied]
    assert "expected payload digest 0000000000000000" in told[1].error
    assert told[2].scan == retried.scan
    assert [state.watermark for state in store.recover().streams.values()] == [1]


class FullStore(MemoryStore):
    """Cannot append, and could do everything else."""

    def __init__(self) -> None:
        super().__init__(a_layout())

    def append(self, batches) -> None:
        raise StorageFailed("the disk is full; free some space")


async def test_after_a_failed_write_nothing_counts_as_written():
    """D6. A generation or a seal that is believed to be durable would be told to others."""
    store = FullStore()
    store.recover()
    performer = StorePerformer(store, Threads(2))
    told: list[object] = []
    performer.post = told.append
    (batch,) = batches_of([upsert(1)], 0)
    performer.queue(batch)

    with trio.fail_after(20):
        await performer.perform(batch)
        generation = await performer.append([GenerationSeen(2)])
        seal = await performer.perform(SealRun(0, ()))

    assert [type(event) for event in told] == [StoreFailed]
    assert isinstance(generation, StoreFailed)
    assert isinstance(seal, StoreFailed)
    assert store.recover().generation == 0
