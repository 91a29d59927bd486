"""What the stages of both real modes share: one command of a restore, under faults, to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from increstore.errors import IncrestoreError
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.barrier import LOOK_PERIOD_S, BarrierTeller
from increstore.runtime.drill.conductor import NARRATOR
from increstore.runtime.prepare import prepare
from increstore.transport.clock import monotonic_ns

if TYPE_CHECKING:
    from increstore.journal import Journal
    from increstore.protocol.policy import CoordinatorConfig
    from increstore.protocol.source_scan import SourceConfig
    from increstore.runtime.drill.at_rest import AtRest
    from increstore.runtime.drill.cast import Cast
    from increstore.runtime.drill.conductor import Conductor
    from increstore.runtime.drill.coordinator import Chair
    from increstore.runtime.drill.weather import Weather
    from increstore.runtime.request import RestoreRequest
    from increstore.scenario.actions import Crash, Pause
    from increstore.scenario.director import Director
    from increstore.scenario.model import Scenario
    from increstore.transport.faulty import FaultyTransport


@dataclass(frozen=True, slots=True)
class Drill:
    """What stays when the command is given again."""

    scenario: Scenario
    director: Director
    weather: Weather
    conductor: Conductor
    journal: Journal
    coordinator: CoordinatorConfig
    source: SourceConfig
    at_rest: AtRest
    takes_faults: bool = False
    """Whether more faults than the scenario's may come while it runs."""

    def after_death(self, crash: Crash) -> None:
        """Nothing of a crashed life runs any more: its files are at our mercy."""
        if self.at_rest.after_death(crash):
            self.tell_of_lost_data(crash.node)

    def tell_of_lost_data(self, node: str) -> None:
        """Whoever judges must know that what was durable may be gone."""
        self.journal.tell(node, "data.lost", {}, is_detail=True)


class LocalStage:
    """The nodes of this process: all of them in memory, the coordinator alone over TCP."""

    def __init__(
        self,
        drill: Drill,
        cast: Cast,
        chair: Chair,
        transport: FaultyTransport,
        nursery: trio.Nursery,
    ) -> None:
        self._drill = drill
        self._cast = cast
        self._chair = chair
        self._transport = transport
        self._nursery = nursery

    def crash(self, crash: Crash) -> None:
        self._cast.crash(crash)

    def restart(self, node: str) -> None:
        self._cast.restart(node)

    def pause(self, pause: Pause) -> None:
        self._cast.pause(pause)

    def unpause(self, node: str, fault: str) -> None:
        self._cast.unpause(node, fault)

    def put_clock(self, node: str, by_ns: int) -> None:
        """Only the coordinator looks at a wall clock, when it starts."""
        if node == COORDINATOR:
            self._chair.wall_offset_ns += by_ns
            self._drill.journal.tell(node, "clock.changed", {}, is_detail=True)

    def damage(self, node: str, action: str) -> None:
        """What disks do to what is stored."""
        at_rest, director = self._drill.at_rest, self._drill.director
        if action == "torn":
            at_rest.tear_at_next_death(node)
        elif at_rest.flip_a_bit(node, lambda bound: director.draw(f"{node} bit flip", bound)):
            self._drill.tell_of_lost_data(node)

    def operate(self, verb: str, value: int) -> None:
        self._chair.operate(verb, value)

    def reset(self, one: str, other: str) -> None:
        self._transport.reset(one, other)

    def release(self, hold: str) -> None:
        self._transport.release(hold)

    def begin_second_restore(self) -> None:
        self._nursery.start_soon(self._second_restore, self._chair.prepared.request)

    async def _second_restore(self, request: RestoreRequest) -> None:
        """The same command while the first one runs: it must be refused, and harm nothing."""
        try:
            second = await trio.to_thread.run_sync(prepare, request)
        except IncrestoreError as error:
            self._drill.director.mark("second restore refused")
            self._drill.journal.emit(NARRATOR, "restore.refused", reason=str(error))
            return
        second.log.close()
        second.directory.close()
        raise AssertionError("a second restore was let into the target of the first")


async def tell_what_is_awaited(chair: Chair, journal: Journal) -> None:
    """Now and then, until cancelled; whichever life of the coordinator it is."""
    teller = BarrierTeller(journal)
    while True:
        await trio.sleep(LOOK_PERIOD_S)
        if chair.is_taken and chair.core is not None:
            teller.look(chair.core, monotonic_ns())
        else:
            teller.look_for_nobody(monotonic_ns())
