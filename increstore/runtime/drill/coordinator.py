"""One life of the coordinator in a drill: from its log, behind its guards, until the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from increstore.protocol.coordinator import Coordinator
from increstore.protocol.ready import OperatorAsked
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.cluster import topology_of
from increstore.runtime.coordinator_node import CoordinatorPerformer
from increstore.runtime.drill.life import LifeGuard
from increstore.runtime.drill.nodes import TroubledCoordinator
from increstore.runtime.narrate import narrate_plan
from increstore.runtime.node import wall_ns
from increstore.store.coordinator_log import CoordinatorLog
from increstore.store.faulty import FaultyLog, guarded
from increstore.store.publish import publish
from increstore.transport.clock import monotonic_ns

if TYPE_CHECKING:
    from increstore.journal import Journal
    from increstore.protocol.policy import CoordinatorConfig
    from increstore.protocol.source_shard import SourceConfig
    from increstore.runtime.drill.at_rest import Older
    from increstore.runtime.drill.injector import Injector
    from increstore.runtime.drill.life import Life
    from increstore.runtime.prepare import Prepared
    from increstore.transport.seam import Endpoint, Transport


@dataclass(slots=True)
class Chair:
    """Where one coordinator sits after the other, each begun from what the last made durable."""

    prepared: Prepared
    config: CoordinatorConfig
    source: SourceConfig
    """What the sources keep to; for the journal only."""
    journal: Journal
    older: Older
    wall_offset_ns: int = 0
    """How far its wall clock is off, from the next life on."""
    core: Coordinator | None = field(default=None, init=False)
    """The last one that took the chair."""
    _node: TroubledCoordinator | None = field(default=None, init=False)

    async def live(self, life: Life, transport: Transport, injector: Injector) -> None:
        """Coordinate until the restore has ended.

        Raises: StorageFailed when it cannot remember; StorageCorrupted when its log is damaged.
        """
        log = await trio.to_thread.run_sync(self._open_log)
        endpoint = transport.attach(COORDINATOR)
        try:
            history = await trio.to_thread.run_sync(log.replay)
            plan = self.prepared.plan
            topology = topology_of(plan, self.prepared.job.restore)
            config, source, mode = self.config, self.source, self.prepared.request.on
            narrate_plan(self.journal, COORDINATOR, topology, config, source, history, mode)
            core = self.core = Coordinator(
                topology,
                self.config,
                history,
                monotonic_ns(),
                wall_ns() + self.wall_offset_ns,
                plan.fingerprint,
            )
            node = self._seat(life, injector, core, endpoint, log)
            await node.run()
        finally:
            self._node = None
            endpoint.close()
            log.close()

    def _seat(
        self,
        life: Life,
        injector: Injector,
        core: Coordinator,
        endpoint: Endpoint,
        log: CoordinatorLog,
    ) -> TroubledCoordinator:
        guard = LifeGuard(life, injector, self.older.keeper(COORDINATOR))
        target, tables = self.prepared.job.target, [t.table for t in self.prepared.plan.tables]

        def show_tables() -> None:
            guarded(guard, "publish", ("PublishTables",), lambda: publish(target, tables))

        performer = CoordinatorPerformer(FaultyLog(log, guard), show_tables)
        node = self._node = TroubledCoordinator(core, endpoint, performer, self.journal)
        node.enter(life, injector)
        return node

    def explain(self) -> str:
        """What the restore waits for, in the coordinator's own words."""
        return "the coordinator is down" if self.core is None else self.core.explain(monotonic_ns())

    @property
    def is_taken(self) -> bool:
        """Whether a coordinator sits here now."""
        return self._node is not None

    def operate(self, verb: str, value: int) -> None:
        """An operator's word; nobody hears it while the coordinator is down."""
        if self._node is not None:
            self._node.post(OperatorAsked(verb, value))

    def _open_log(self) -> CoordinatorLog:
        return CoordinatorLog(self.prepared.directory.paths.coordinator_log)
