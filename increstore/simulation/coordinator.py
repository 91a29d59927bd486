"""The coordinators of the simulated world: ours, those that were overtaken, one of another restore.

Rules of this file:
- A restore has one log, whoever coordinates it. As in `store.coordinator_log`, one coordinator
  writes at a time, and one that does not know the newest record may write no more.
- A coordinator that cannot remember ends. Ours is then started by the same command, if the
  scenario has it given again; one that was overtaken stays down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from increstore.errors import RemoteProtocolError
from increstore.protocol.coordinator import Coordinator
from increstore.protocol.ledger import HALTED
from increstore.protocol.plain import from_plain, to_plain
from increstore.protocol.ready import OperatorAsked, PublishFailed, PublishTables, TablesPublished
from increstore.protocol.records import IncrementalCompleted
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.barrier import BarrierTeller
from increstore.runtime.narrate import narrate_plan
from increstore.simulation.ambient import MS
from increstore.simulation.disk import DiskCorrupted
from increstore.simulation.disk_node import DiskNode, Fate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.protocol.ready import Effect, Event
    from increstore.protocol.records import CoordinatorRecord, Record
    from increstore.simulation.disk import Frame
    from increstore.simulation.observing import SimulationJournal
    from increstore.simulation.world import World

FENCED = "the log has records of another coordinator; nothing was written"
TAKE_OVER_AGAIN_NS = MS
"""How soon who tried to take over, and was too slow, tries again."""


class SimulatedCoordinator(DiskNode):
    """A coordinator with its log. Whatever its name here, others know it as `coordinator`."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.address = COORDINATOR
        self.topology = world.topology
        self.fingerprint = world.fingerprint
        self._known = 0
        """How much had been written to the log when this life last looked."""
        self._barrier: BarrierTeller | None = None
        if world.journal is not None:
            self._barrier = BarrierTeller(world.journal)

    @property
    def coordinator(self) -> Coordinator:
        """Its core, while it is up."""
        assert isinstance(self.core, Coordinator)
        return self.core

    def make_core(self) -> Coordinator | None:
        world = self.world
        history: list[CoordinatorRecord] = []
        try:
            for _, plain in self.disk.read():
                history.extend(cast("CoordinatorRecord", from_plain(record)) for record in plain)
        except (DiskCorrupted, RemoteProtocolError) as error:
            world.storage_corrupted(self.name, str(error))
            return None
        self._known = self.disk.written
        self.judge.recovered(world.now, self.name, history)
        if world.journal is not None:
            config, source = world.config, world.source_config
            plan = self.topology
            narrate_plan(world.journal, self.name, plan, config, source, history, "simulation")
        now = self.clock(world.now)
        wall = world.wall_ns(self)
        return Coordinator(self.topology, world.config, history, now, wall, self.fingerprint)

    def power_off(self) -> None:
        super().power_off()
        if self.world.other_coordinators:
            # Whoever lives on with this log does not see what was never committed.
            self.disk.cut_torn_tail()

    def append(self, records: Sequence[Record]) -> None:
        self.enqueue("log", records)

    def perform(self, effect: Effect) -> None:
        assert isinstance(effect, PublishTables)
        self.enqueue("publish", effect)

    def narrate_state(self, journal: SimulationJournal) -> None:
        if journal.wants_barrier and self is self.world.coordinator:
            assert self._barrier is not None
            self._barrier.look(self.coordinator, self.clock(self.world.now))

    def rested(self, event: Event) -> None:
        if self.coordinator.state in HALTED and not self._is_to_be_resumed:
            if self is self.world.coordinator:
                self.world.coordinator_ended(self)
            else:
                self.stop()

    @property
    def _is_to_be_resumed(self) -> bool:
        """Whether a person has said so while it was busy: it hears that next."""
        return OperatorAsked("resume") in self._inbox

    def frames_of(self, operation: str, work: list[Any]) -> list[Frame]:
        if operation == "publish":
            return []
        return [("records", tuple(to_plain(record) for record in work[0]))]

    def fate_of_write(self, operation: str) -> Fate:
        fate = super().fate_of_write(operation)
        if operation == "log" and self.disk.written != self._known:
            return Fate(fate.delay, "fenced", FENCED)
        return fate

    def written(self, operation: str, work: list[Any], frames: list[Frame]) -> None:
        if operation == "log":
            self._known = self.disk.written
            for record in work[0] if self.topology is self.world.topology else ():
                if isinstance(record, IncrementalCompleted):
                    self.world.incremental_completed(record.incremental)
            self.appended()
            return
        self.take_hold(operation, work, frames)
        self.handle(TablesPublished())

    def take_hold(self, operation: str, work: list[Any], frames: list[Frame]) -> None:
        """The tables are visible, even when the last sync of their folder has failed."""
        if operation == "publish" and self.topology is self.world.topology:
            self.world.publish()

    def write_failed(self, operation: str, work: list[Any], error: str) -> None:
        if operation == "publish":
            self.handle(PublishFailed(error))
        elif self is not self.world.coordinator:
            self.stop()
        elif error == FENCED:
            self.world.crash(self, TAKE_OVER_AGAIN_NS, error)
        else:
            self.judge.write_failed(self.world.now, self.name)
            self.world.coordinator_failed(self, error)
