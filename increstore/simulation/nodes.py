"""The simulated nodes: the loop of `runtime.node`, with virtual time instead of tasks.

A node steps its core, appends the records, starts the effects, sends the messages; while an append
is under way, what arrives waits. Every place between those where power can go out is a *crash
point*, counted by the world: `before_append`, `after_append` (not yet synced), `after_sync`,
`after_send` (after each single message).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from types import FunctionType
from typing import TYPE_CHECKING

from increstore.protocol.ready import Received, TimePassed
from increstore.runtime.narrate import (
    narrate_event,
    narrate_life,
    narrate_messages,
    narrate_records,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.journal import Journal
    from increstore.protocol.ready import Core, Effect, Event, Ready
    from increstore.protocol.records import Record
    from increstore.simulation.ambient import Span
    from increstore.simulation.observing import SimulationJournal
    from increstore.simulation.world import World

_MILLION = 1_000_000
_LOOP = (
    "handle", "give_later", "appended", "delay", "clock", "_resume_work", "_give", "_drain",
    "_step", "_carry_out", "_is_cut_off_sending", "_arm", "_wake",
)  # fmt: skip
"""The methods that run for every event."""


def _own_code(function: FunctionType) -> FunctionType:
    """The same function (a plain method, without keyword-only parameters), its code copied."""
    code, named = function.__code__.replace(), function.__name__
    own = FunctionType(code, function.__globals__, named, function.__defaults__)
    own.__qualname__, own.__doc__ = function.__qualname__, function.__doc__
    return own


class SimulatedNode(ABC):
    """One role: its core lives from a start to a crash, the node for the whole run."""

    def __init_subclass__(cls) -> None:
        """Each role has the loop as code of its own. At each place in a code the interpreter keeps
        where the class that was there last has its attributes; with three classes in turn it would
        look them up anew nearly every time, which takes ten times as long."""
        super().__init_subclass__()
        for name in _LOOP:
            method = getattr(cls, name)
            if isinstance(method, FunctionType):  # A compiled one has no such places.
                setattr(cls, name, _own_code(method))

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.judge = world.judge
        self.address = name
        """How others call it: its name, but for a coordinator that is not the only one."""
        self.core: Core | None = None
        self.life = 0
        """Rises with each start and each crash: what belongs to another life is dropped."""
        self.wall_offset = 0
        self.pauses: dict[str, None] = {}
        """Faults that want it to stand still; events wait meanwhile."""
        self._inbox: deque[Event] = deque()
        self._ready: Ready | None = None
        """The step whose records are being written."""
        self._event: Event = TimePassed()
        self._wake_at: int | None = None
        self._armed_at: int | None = None
        self._armed_for: int | None = None
        """The wish to be woken for which this was looked at last."""
        self._has_drifted = False
        self._drift_ppm = 0
        self._drift_since = (0, 0)
        self._counts: dict[str, int] = {}

    # --- What each role adds.

    @abstractmethod
    def make_core(self) -> Core | None:
        """A new core over what is durable."""

    @abstractmethod
    def append(self, records: Sequence[Record]) -> None:
        """Begin to make the records durable; `appended` is called when they are."""

    @abstractmethod
    def perform(self, effect: Effect) -> None:
        """Begin an effect; its result comes back by `give_later`."""

    def power_off(self) -> None:  # noqa: B027 - a source shard keeps nothing.
        """What a crash does to the disk."""

    def rested(self, event: Event) -> None:  # noqa: B027 - not every role ends by itself.
        """After everything that the step of `event` asked for has been begun, when the core does
        not want to be woken: it has ended, or waits for others alone."""

    def narrate(self, journal: Journal, event: Event) -> None:
        """Tell of an event that the core was given."""
        narrate_event(journal, self.name, event)

    def narrate_state(self, journal: SimulationJournal) -> None:  # noqa: B027 - as `rested`.
        """Tell how it stands after a step."""

    # --- Life.

    @property
    def is_up(self) -> bool:
        return self.core is not None

    def start(self, _: object = None) -> None:
        """Begin a life, from what is durable."""
        if self.is_up:
            return
        self._end_life()
        self._armed_at = self._wake_at = self._armed_for = self._ready = None
        self._inbox.clear()
        core = self.make_core()
        if core is None:
            return
        self.core = core
        self.world.director.came_up(self.name)
        self.judge.started(self.world.now, self.name, self.life, core)
        if self.world.journal is not None:
            narrate_life(self.world.journal, self.name)
        self.handle(TimePassed())

    def stop(self) -> None:
        """End this life at once: nothing runs any more, what was not durable is gone."""
        if not self.is_up:
            return
        self.world.count_drops(self.core)
        self.world.director.went_down(self.name)
        self._end_life()
        self.core = None
        self._ready = None
        self._inbox.clear()
        self.power_off()
        self.judge.crashed(self.world.now, self.name)

    def _end_life(self) -> None:
        """What is on its way in this life, and to it, ends with it."""
        self.life += 1
        self.world.network.renew(self.name)

    # --- Events.

    def handle(self, event: Event) -> None:
        """Something happened to this node; it waits its turn when the node is busy or paused."""
        if self.core is None:
            return
        if self._ready is not None or self.pauses:
            self._inbox.append(event)
            return
        self._step(event)
        if self._inbox:
            self._drain()
        if self._wake_at != self._armed_for:
            self._arm()

    def give_later(self, delay: int, event: Event) -> None:
        """An event of this life, some time from now."""
        world = self.world
        world.at(world.now + delay, 0, self._give, (self.life, event))

    def appended(self) -> None:
        """The records of the step at hand are durable: now its effects and messages may go."""
        ready, self._ready = self._ready, None
        assert ready is not None
        world = self.world
        for record in ready.records:
            self.judge.recorded(world.now, self.name, record)
        if world.journal is not None:
            narrate_records(world.journal, self.name, ready.records)
        if world.is_cut_off(self, "after_sync", ready.records):
            return
        self._carry_out(ready, self._event)
        self._resume_work()

    def append_failed(self, event: Event) -> None:
        """The records may not exist: nothing that rests on them is done or said."""
        self._ready = None
        self._inbox.appendleft(event)
        self._resume_work()

    def pause(self, fault: str, duration: int | None) -> None:
        """The process is stopped (and its clock goes on); None: until `unpause`."""
        self.pauses[fault] = None
        if duration is not None:
            self.world.at(self.world.now + duration, 0, self.unpause, fault)

    def unpause(self, fault: str) -> None:
        """This fault no longer wants it; another may."""
        if fault in self.pauses:
            del self.pauses[fault]
            self._resume_work()

    def _resume_work(self) -> None:
        self._drain()
        self._arm()

    def return_after(self, delay: int) -> None:
        """Power on again after a while, unless another life has begun and ended by then."""
        self.world.at(self.world.now + delay, 0, self._return, self.life)

    def _return(self, life: int) -> None:
        if life == self.life:
            self.world.restart(self)

    def _give(self, arg: tuple[int, Event]) -> None:
        life, event = arg
        if life == self.life:
            self.handle(event)

    def _drain(self) -> None:
        while self._inbox and self.core is not None and self._ready is None and not self.pauses:
            self._step(self._inbox.popleft())

    def _step(self, event: Event) -> None:
        world, core = self.world, self.core
        assert core is not None
        now = world.now
        if type(event) is Received:
            # Only now: what waits for a node that is busy or paused has not been heard.
            message = event.message
            self.judge.receipts[type(message)].tell(now, event.sender, self.name, message)
        ready = core.step(self.clock(now) if self._has_drifted else now, event)
        self.judge.stepped(now, self.name, core, event, ready)
        if world.journal is not None:
            self.narrate(world.journal, event)
        self._wake_at = ready.wake_at
        if not ready.records:
            self._carry_out(ready, event)
        elif not world.is_cut_off(self, "before_append", ready.records):
            self._event = event
            self._ready = ready
            self.append(ready.records)
            if self.core is core:
                world.is_cut_off(self, "after_append", ready.records)

    def _carry_out(self, ready: Ready, event: Event) -> None:
        life = self.life
        for effect in ready.effects:
            self.perform(effect)
            if life != self.life:
                return  # It has crashed within.
        if ready.messages and self._is_cut_off_sending(ready):
            return
        if self.world.journal is not None:
            self.narrate_state(self.world.journal)
        if ready.wake_at is None:
            self.rested(event)

    def _is_cut_off_sending(self, ready: Ready) -> bool:
        world, address = self.world, self.address
        now, journal, may_be_cut_off = world.now, world.journal, world.meters_points
        judged, network = self.judge.sendings, world.network
        for receiver, message in ready.messages:
            judged[type(message)].tell(now, address, receiver, message)
            if journal is not None:
                narrate_messages(journal, address, ((receiver, message),))
            network.send(address, receiver, message)
            if may_be_cut_off and world.is_cut_off(self, "after_send", ready.records):
                return True
        if not may_be_cut_off:
            world.points += len(ready.messages)
        return False

    # --- Time.

    def clock(self, now: int) -> int:
        """This node's monotonic clock at a moment of the world."""
        if not self._drift_ppm:
            return now + self._drift_since[1] - self._drift_since[0]
        world_at, own_at = self._drift_since
        return own_at + (now - world_at) * (_MILLION + self._drift_ppm) // _MILLION

    def drift(self, ppm: int) -> None:
        """From now on the clock runs so much faster, in parts per million."""
        self._drift_since = (self.world.now, self.clock(self.world.now))
        self._drift_ppm = ppm
        self._has_drifted = True
        self._armed_for = None

    def _moment(self, own: int) -> int:
        """The moment of the world at which this node's clock shows `own`, or just after."""
        world_at, own_at = self._drift_since
        if not self._drift_ppm:
            return own - own_at + world_at
        return world_at - (-(own - own_at) * _MILLION // (_MILLION + self._drift_ppm))

    def _arm(self) -> None:
        """Have at most one wake-up under way that is early enough."""
        wake_at = self._armed_for = self._wake_at
        if wake_at is None or self.core is None:
            return
        moment = self._moment(wake_at) if self._has_drifted else wake_at
        moment = max(moment, self.world.now)
        if self._armed_at is None or moment < self._armed_at:
            self._armed_at = moment
            self.world.at(moment, 0, self._wake, (self.life, moment))

    def _wake(self, arg: tuple[int, int]) -> None:
        life, moment = arg
        if life != self.life or moment != self._armed_at:
            return
        self._armed_at = self._armed_for = None
        if self._wake_at is None or self._ready is not None or self.pauses:
            return  # Looked at again when the node goes on.
        if self._wake_at <= self.clock(self.world.now):
            self.handle(TimePassed())
        else:
            self._arm()

    # --- Chance.

    def delay(self, purpose: str, span: Span) -> int:
        """How long the n-th thing of this purpose takes."""
        number = self._counts[purpose] = self._counts.get(purpose, 0) + 1
        drawn = self.world.draws.draw(f"{self.name} {purpose} {number}", 1 << 16)
        return span.low + (drawn * (span.width + 1) >> 16)

    def draw(self, purpose: str, bound: int) -> int:
        """The n-th draw of this purpose."""
        number = self._counts[purpose] = self._counts.get(purpose, 0) + 1
        return self.world.draws.draw(f"{self.name} {purpose} {number}", bound)
