"""The coordinator's driver: what is written together, and what waits for it."""

from __future__ import annotations

import threading

import trio
from trio.testing import wait_all_tasks_blocked

from increstore.journal import Journal
from increstore.protocol.coordinator import Coordinator, CoordinatorConfig
from increstore.protocol.messages import (
    CompletionNotification,
    SealIncremental,
    StartScan,
    Status,
)
from increstore.protocol.ready import OperatorAsked, Received
from increstore.protocol.records import RestoreCancelled, ScanReported
from increstore.protocol.topology import COORDINATOR, TableTopology, Topology
from increstore.runtime.coordinator_node import CoordinatorNode, CoordinatorPerformer
from increstore.transport.memory import MemoryTransport

SOURCES = tuple(f"orders/s{number}" for number in range(8))
TARGET = "orders/t0"
TOPOLOGY = Topology("r1", 0, (TableTopology("orders", SOURCES, (TARGET,), (0,), None, None),))


class GroupsOfRecords:
    """A log in memory: what was appended together; each append ends when it may."""

    def __init__(self, may_append: int) -> None:
        self.groups: list[list[str]] = []
        self.may_append = threading.Semaphore(may_append)

    def append(self, records) -> None:
        self.groups.append([type(record).__name__ for record in records])
        assert self.may_append.acquire(timeout=5)

    def replay(self) -> list:
        return []

    def close(self) -> None:
        pass


class Cluster:
    """A coordinator over a log, and the endpoints of its shards."""

    def __init__(self, may_append: int = 99, **config) -> None:
        self.log = GroupsOfRecords(may_append)
        transport = MemoryTransport()
        core = Coordinator(TOPOLOGY, CoordinatorConfig(**config), (), 0, 0, "plan-1")
        performer = CoordinatorPerformer(self.log, publish=lambda: None)
        self.endpoints = {name: transport.attach(name) for name in (*SOURCES, TARGET)}
        endpoint = transport.attach(COORDINATOR)
        self.node = CoordinatorNode(core, endpoint, performer, Journal())

    async def hears(self, shard: str) -> object:
        return (await self.endpoints[shard].receive())[1]

    async def reports(self, source: str) -> None:
        asked = await self.hears(source)
        assert isinstance(asked, StartScan)
        report = CompletionNotification(asked.scan, 1, Status.SUCCESS, 0, (), "")
        await self.endpoints[source].send(COORDINATOR, report)


async def test_reports_that_arrive_together_are_written_by_one_sync():
    cluster = Cluster()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.node.run)
            for source in SOURCES:
                nursery.start_soon(cluster.reports, source)
            assert isinstance(await cluster.hears(TARGET), SealIncremental)
            nursery.cancel_scope.cancel()

    kinds = [kind for group in cluster.log.groups for kind in group]
    assert kinds.count(ScanReported.__name__) == len(SOURCES)
    with_reports = [group for group in cluster.log.groups if ScanReported.__name__ in group]
    assert len(with_reports) <= 2, cluster.log.groups


async def test_nothing_that_rests_on_a_record_is_said_before_all_of_its_group_is_written():
    """D1. The seal rests on the report that came last, and on those that were written with it."""
    cluster, heard = Cluster(may_append=1), []  # That the restore begins.

    async def hear_the_target() -> None:
        heard.append(await cluster.hears(TARGET))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.node.run)
            nursery.start_soon(hear_the_target)
            for source in SOURCES:
                nursery.start_soon(cluster.reports, source)
            while len(cluster.log.groups) < 2:
                await trio.lowlevel.checkpoint()
            await wait_all_tasks_blocked()
            assert cluster.log.groups[1][0] == ScanReported.__name__
            assert heard == []
            cluster.log.may_append.release(9)
            while not heard:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    assert isinstance(heard[0], SealIncremental)


async def test_what_a_step_asks_is_not_held_back_for_an_operators_word_that_forbids_it():
    """Found by two scenarios over TCP: a scan was asked for when its restore was cancelled."""
    cluster = Cluster(scans_in_flight=1)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.node.run)
            asked = await cluster.hears(SOURCES[0])
            report = CompletionNotification(asked.scan, 1, Status.SUCCESS, 0, (), "")
            cluster.node.post(Received(SOURCES[0], report))
            cluster.node.post(OperatorAsked("cancel"))
            assert isinstance(await cluster.hears(SOURCES[1]), StartScan)

    assert cluster.log.groups[1:] == [[ScanReported.__name__], [RestoreCancelled.__name__]]
