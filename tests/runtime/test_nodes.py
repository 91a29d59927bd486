"""What the drivers do when a core, a store or a peer fails. Real objects; a store that fails."""

from __future__ import annotations

import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from increstore.errors import StorageCorrupted, StorageFailed
from increstore.journal import Journal
from increstore.protocol.messages import (
    ApplyChanges,
    ChangesApplied,
    OpenStream,
    Reason,
    Refused,
    ScanId,
    StreamOpened,
)
from increstore.protocol.ready import Event, Ready, Received, StoreFailed
from increstore.protocol.records import GenerationSeen
from increstore.protocol.topology import COORDINATOR, TableTopology
from increstore.runtime.groups import first_expected
from increstore.runtime.node import Node
from increstore.runtime.target_node import Threads, run_target
from increstore.store.memory import MemoryStore
from increstore.transport.memory import MemoryTransport
from tests.store.builders import a_batch, a_layout, upsert

SOURCE, TARGET = "orders/s0", "orders/t0"
TABLE = TableTopology("orders", (SOURCE,), (TARGET,), (0, 1, 2, 3), None, None)
SCAN = ScanId("r1", 0, SOURCE, 1)


class BuggyCore:
    """Breaks its own rules at the first event."""

    def step(self, now: int, event: Event) -> Ready:
        raise AssertionError("an invariant is broken")


async def test_a_core_that_breaks_an_invariant_ends_its_node_with_the_bug():
    transport = MemoryTransport()
    endpoint = transport.attach("buggy")
    node = Node("buggy", BuggyCore(), endpoint, performer=None, journal=Journal())
    with trio.fail_after(5), pytest.raises(ExceptionGroup) as ended:
        await node.run()
    endpoint.close()
    assert ended.group_contains(AssertionError, match="an invariant is broken")
    with pytest.raises(ExceptionGroup):
        first_expected(ended.value)


class ObeysOnce:
    """Remembers the first generation it hears of, and answers whoever asks from then on."""

    def __init__(self) -> None:
        self.obeys = self.has_failed = False

    def step(self, now: int, event: Event) -> Ready:
        self.has_failed = self.has_failed or isinstance(event, StoreFailed)
        if self.has_failed or not isinstance(event, Received):
            return Ready()
        records = () if self.obeys else (GenerationSeen(1),)
        self.obeys = True
        return Ready(records, messages=((event.sender, StreamOpened(SCAN, 1, 0)),))


class FullDisk:
    """A performer that cannot write."""

    async def append(self, records) -> Event:
        await trio.lowlevel.checkpoint()
        return StoreFailed("the disk is full", corrupted=False)


async def test_nothing_is_said_that_rests_on_records_which_could_not_be_written():
    """D1. Found by a disk error at a target while another question was waiting."""
    transport, core = MemoryTransport(), ObeysOnce()
    source, target = transport.attach(SOURCE), transport.attach(TARGET)
    node = Node(TARGET, core, target, FullDisk(), Journal())
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                node.post(Received(SOURCE, OpenStream(SCAN, 1)))
            nursery.start_soon(node.run)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert core.has_failed
    assert transport.counters.sent == 0
    for endpoint in (source, target):
        endpoint.close()


class FailingStore(MemoryStore):
    """Its next `failures` appends fail, as on a full disk."""

    def __init__(self, failures: int, error: type[Exception] = StorageFailed) -> None:
        super().__init__(a_layout())
        self.failures = failures
        self.recoveries = 0
        self._error = error

    def recover(self):
        self.recoveries += 1
        return super().recover()

    def append(self, batches) -> None:
        if self.failures:
            self.failures -= 1
            raise self._error("the disk is full; free some space")
        super().append(batches)


class Peer:
    """Speaks for the source shard."""

    def __init__(self, transport: MemoryTransport) -> None:
        self.endpoint = transport.attach(SOURCE)
        self.coordinator = transport.attach(COORDINATOR)

    async def opens(self) -> StreamOpened:
        """Asks until it is answered, as a source does: the target may be starting."""
        while True:
            await self.endpoint.send(TARGET, OpenStream(SCAN, 1))
            with trio.move_on_after(0.1):
                while True:
                    message = (await self.endpoint.receive())[1]
                    if isinstance(message, StreamOpened):
                        return message

    async def sends_a_batch(self) -> ChangesApplied | Refused:
        batch = a_batch([upsert(1), upsert(2)], 0, order=1, attempt=1)
        message = ApplyChanges(SCAN, 1, 1, batch.rows, batch.digest, batch.payload)
        await self.endpoint.send(TARGET, message)
        while True:
            answer = (await self.endpoint.receive())[1]
            if isinstance(answer, ChangesApplied | Refused):
                return answer

    def close(self) -> None:
        self.endpoint.close()
        self.coordinator.close()


async def _run(store: MemoryStore, transport: MemoryTransport, journal: Journal) -> None:
    await run_target(TARGET, TABLE, "r1", store, transport.attach, Threads(1), journal)


async def test_a_target_whose_store_failed_says_so_and_comes_back_from_what_is_durable():
    transport, store, journal, names = MemoryTransport(), FailingStore(1), Journal(), []
    journal.subscribe(lambda event: names.append(event.name))
    peer = Peer(transport)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_run, store, transport, journal)
            assert (await peer.opens()).watermark == 0
            refused = await peer.sends_a_batch()
            assert isinstance(refused, Refused)
            assert refused.reason is Reason.STORAGE_FAILED
            assert "free some space" in refused.detail

            assert (await peer.opens()).watermark == 0  # Nothing of the failed write counts.
            applied = await peer.sends_a_batch()
            assert isinstance(applied, ChangesApplied)
            assert applied.watermark == 1
            nursery.cancel_scope.cancel()
    peer.close()
    assert store.recoveries == 2
    assert names.count("storage.failed") == 1
    assert names.count("shard.restarting") == 1


class SlowStore(MemoryStore):
    """Recovers only when it is told to."""

    def __init__(self) -> None:
        super().__init__(a_layout())
        self.may_recover = threading.Event()

    def recover(self):
        assert self.may_recover.wait(5)
        return super().recover()


async def test_what_a_source_asks_while_the_target_recovers_is_not_lost():
    """Else every restore whose first page is read quickly began by waiting for a repetition."""
    transport, store, answers = MemoryTransport(), SlowStore(), []
    peer = Peer(transport)

    async def ask_once() -> None:
        await peer.endpoint.send(TARGET, OpenStream(SCAN, 1))
        answers.append((await peer.endpoint.receive())[1])

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_run, store, transport, Journal())
            await wait_all_tasks_blocked()
            async with trio.open_nursery() as asking:
                asking.start_soon(ask_once)
                await wait_all_tasks_blocked()
                assert answers == []
                store.may_recover.set()
            nursery.cancel_scope.cancel()
    peer.close()
    assert isinstance(answers[0], StreamOpened)


class DamagedStore(FailingStore):
    """Opens well once; then what it had acknowledged is no longer what was written."""

    def recover(self):
        if self.recoveries:
            raise StorageCorrupted("offset 7: expected another checksum")
        return super().recover()


async def test_a_target_whose_durable_state_is_damaged_ends_the_process_with_that_error():
    transport, store = MemoryTransport(), DamagedStore(1)
    peer = Peer(transport)

    async def until_it_ends() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_run, store, transport, Journal())
            await peer.opens()
            await peer.sends_a_batch()

    with trio.fail_after(10), pytest.raises(ExceptionGroup) as ended:
        await until_it_ends()
    peer.close()
    assert isinstance(first_expected(ended.value), StorageCorrupted)


def test_ctrl_c_among_other_errors_is_ctrl_c():
    group = BaseExceptionGroup("", [StorageFailed("full"), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        first_expected(group)


def test_the_expected_error_is_found_however_deep():
    error = StorageFailed("full")
    assert first_expected(ExceptionGroup("", [ExceptionGroup("", [error])])) is error
