"""The driver of the coordinator: its log, and making the finished tables visible.

Shards that work alike report alike: what they say arrives close together. So records are written
together, by one sync, as long as nothing is to be said or done between them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import trio

from increstore.errors import IncrestoreError
from increstore.protocol.ledger import HALTED
from increstore.protocol.ready import PublishFailed, PublishTables, TablesPublished
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.node import Node
from increstore.store.publish import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.journal import Journal
    from increstore.protocol.coordinator import Coordinator
    from increstore.protocol.ready import Effect, Event, Ready
    from increstore.protocol.records import CoordinatorRecord, Record
    from increstore.runtime.control import RestoreControl
    from increstore.runtime.prepare import Prepared
    from increstore.store.seam import HistoryLog
    from increstore.transport.seam import Endpoint, Transport


QUIET_TURNS = 4
"""So many turns of the loop bring no news before records are written; a sync takes far longer."""

STEPS_TOGETHER_MAX = 256
"""The records of so many steps at most share a sync."""


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
        records, steps, turns = list(ready.records), 1, 0
        while records and turns < QUIET_TURNS and self._may_think_on(ready, steps):
            if self._events:
                ready, steps, turns = self._think(self._take()), steps + 1, 0
                records += ready.records
            else:
                await trio.lowlevel.checkpoint()
                turns += 1
        return await self._carry_out(nursery, replace(ready, records=tuple(records)))

    def _may_think_on(self, ready: Ready, steps: int) -> bool:
        """Whether the last step leaves nothing to say or do before another one is taken: what it
        asked a shard may be what the next one would not ask any more."""
        is_silent = not ready.messages and not ready.effects
        return is_silent and steps < STEPS_TOGETHER_MAX and not self.has_ended()


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
