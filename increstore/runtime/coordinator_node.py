"""The driver of the coordinator: its log, and making the finished tables visible.

Shards that work alike report alike: what they say arrives close together. So the records of all
that is there are written together, by one sync, and what rests on any of them waits for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from increstore.errors import IncrestoreError
from increstore.protocol.ledger import HALTED
from increstore.protocol.ready import PublishFailed, PublishTables, Ready, TablesPublished
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.node import Node
from increstore.store.publish import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.journal import Journal
    from increstore.protocol.coordinator import Coordinator
    from increstore.protocol.ready import Effect, Event
    from increstore.protocol.records import CoordinatorRecord, Record
    from increstore.runtime.control import RestoreControl
    from increstore.runtime.prepare import Prepared
    from increstore.store.seam import HistoryLog
    from increstore.transport.seam import Endpoint, Transport


QUIET_TURNS = 4
"""So many turns of the loop bring no news before records are written; a sync takes far longer."""

EVENTS_TOGETHER_MAX = 256
"""So many events at most share a sync."""


class CoordinatorPerformer:
    """Appends to the log and publishes the tables, in worker threads."""

    def __init__(self, log: HistoryLog, publish: Callable[[], None]) -> None:
        self._log = log
        self._publish = publish

    async def append(self, records: Sequence[Record]) -> Event | None:
        """Raises: StorageFailed; a coordinator that cannot remember must not go on."""
        history = cast("Sequence[CoordinatorRecord]", records)
        await trio.to_thread.run_sync(self._log.append, history)
        return None

    def queue(self, effect: Effect) -> None:
        """Nothing here rests on the order of effects."""

    async def perform(self, effect: Effect) -> Event | None:
        assert isinstance(effect, PublishTables)
        try:
            await trio.to_thread.run_sync(self._publish)
        except IncrestoreError as error:
            return PublishFailed(str(error))
        return TablesPublished()


class CoordinatorNode(Node):
    """Runs the coordinator until the restore has ended or needs a person."""

    def __init__(
        self,
        core: Coordinator,
        endpoint: Endpoint,
        performer: CoordinatorPerformer,
        journal: Journal,
    ) -> None:
        super().__init__(COORDINATOR, core, endpoint, performer, journal)
        self._coordinator = core

    def has_ended(self) -> bool:
        return self._coordinator.state in HALTED

    async def _step(self, nursery: trio.Nursery, event: Event) -> int | None:
        ready = self._think(event)
        if ready.records:
            ready = _together([ready, *await self._think_on()])
        return await self._carry_out(nursery, ready)

    async def _think_on(self) -> list[Ready]:
        """Step through what is there and what is about to come, before anything is written."""
        group: list[Ready] = []
        turns = 0
        while turns < QUIET_TURNS and len(group) < EVENTS_TOGETHER_MAX and not self.has_ended():
            if self._events:
                group.append(self._think(self._take()))
                turns = 0
            else:
                await trio.lowlevel.checkpoint()
                turns += 1
        return group


def _together(readies: Sequence[Ready]) -> Ready:
    """What the steps have asked for, each kind in its order."""
    return Ready(
        tuple(record for ready in readies for record in ready.records),
        tuple(effect for ready in readies for effect in ready.effects),
        tuple(message for ready in readies for message in ready.messages),
        readies[-1].wake_at,
    )


async def coordinate(
    prepared: Prepared,
    core: Coordinator,
    transport: Transport,
    journal: Journal,
    control: RestoreControl | None = None,
) -> None:
    """Run the coordinator, with its log and the publication, until `HALTED`.

    Who holds `control` can tell it what an operator may ask.
    """
    tables = [table.table for table in prepared.plan.tables]

    def show_tables() -> None:
        publish(prepared.job.target, tables)

    performer = CoordinatorPerformer(prepared.log, show_tables)
    endpoint = transport.attach(COORDINATOR)
    node = CoordinatorNode(core, endpoint, performer, journal)
    if control is not None:
        control.seat(node)
    try:
        await node.run()
    finally:
        if control is not None:
            control.seat(None)
        endpoint.close()
