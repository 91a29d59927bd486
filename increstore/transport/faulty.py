"""Any transport behind faults: what is lost, late, doubled, held back or damaged on its way.

What happens to a message is decided elsewhere (`Fates`), by one judge for all kinds of runs; here
it is done, to real mailboxes and real sockets. Rules of this file:
- A message nobody bothers with takes the way it always takes, unless others of its link that keep
  their order are still late: then it queues behind them.
- What a fault made late may be overtaken, and outlives its sender: that is how stale reports arise.
- A reset loses what is on the way in both directions, and breaks the connection where there is one.
- A damaged message is damaged as a frame, and must be refused by the framing of the receiver.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol

import trio

from increstore.errors import LocalProtocolError
from increstore.transport.clock import monotonic_ns
from increstore.transport.damage import Damage, damage_of
from increstore.transport.seam import Endpoint, Transport

if TYPE_CHECKING:
    from increstore.protocol.messages import Message

LATE_MESSAGES_MAX = 1024
"""What one link may have late: beyond it, what keeps its order waits, and the rest is lost."""

HELD_MESSAGES_MAX = 4096
"""What one fault may hold back; more than that is lost."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What happens to one message: one copy for each delay in nanoseconds; none, and it is lost.

    The delays of what is held back count from its release. `damage` strikes every copy.
    """

    copies: tuple[int, ...] = (0,)
    keeps_order: bool = False
    """Late as all are on this link: what is sent after it arrives after it."""
    damage: str = ""
    """"corrupt" or "truncate": what is done to the frame."""
    reset: bool = False
    hold: str | None = None
    """The fault that keeps the message until `release`."""


class Fates(Protocol):
    """Who decides."""

    async def treatment(self, sender: str, receiver: str, message: Message) -> Treatment | None:
        """What happens to this message; None: nothing special."""
        ...


class Carrier(Transport, Protocol):
    """A transport that can be told to misbehave."""

    async def send(
        self, sender: str, receiver: str, message: Message, damage: Damage | None = None
    ) -> None:
        """Carry a message of a node that may have gone meanwhile; `damage` changes its frame."""
        ...

    def reset(self, sender: str, receiver: str) -> None:
        """Break the connection between the two nodes, where there is one."""
        ...


class FaultyTransport:
    """All links of one process, with `fates` asked about every message that is sent here."""

    def __init__(self, inner: Carrier, fates: Fates) -> None:
        self.counters = inner.counters
        self._inner = inner
        self._fates = fates
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._held: dict[str, list[_Held]] = {}
        self._damaged: Counter[str] = Counter()
        self._nursery: trio.Nursery | None = None

    def attach(self, node: str) -> Endpoint:
        return _FaultyEndpoint(node, self._inner.attach(node), self)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as self._nursery:
            await self._nursery.start(self._inner.run)
            task_status.started()

    def release(self, fault: str) -> None:
        """The fault has ended: what it held goes on its way now, in the order held."""
        for held in self._held.pop(fault, ()):
            for delay in held.treatment.copies:
                keeps_order = held.treatment.keeps_order or not delay
                late = _Late(monotonic_ns() + delay, held.message, keeps_order)
                self._later(held.sender, held.receiver, late)

    def reset(self, sender: str, receiver: str) -> None:
        """Break the connection, both directions."""
        for link in ((sender, receiver), (receiver, sender)):
            lane = self._lanes.get(link)
            if lane is not None:
                self.counters.dropped += lane.clear()
        self._inner.reset(sender, receiver)

    async def send(self, endpoint: Endpoint, sender: str, receiver: str, message: Message) -> None:
        """One message of a node that lives here."""
        treatment = await self._fates.treatment(sender, receiver, message)
        if treatment is None and not self._has_queue(sender, receiver):
            await endpoint.send(receiver, message)
            return
        await trio.lowlevel.checkpoint()
        await self._treat(sender, receiver, message, treatment or Treatment(keeps_order=True))

    def _has_queue(self, sender: str, receiver: str) -> bool:
        lane = self._lanes.get((sender, receiver))
        return lane is not None and lane.ordered > 0

    async def _treat(
        self, sender: str, receiver: str, message: Message, treatment: Treatment
    ) -> None:
        if treatment.reset:
            self.reset(sender, receiver)
        if treatment.hold is not None:
            self._hold(treatment.hold, _Held(sender, receiver, message, treatment))
            return
        if not treatment.copies:
            self.counters.dropped += 1
        if treatment.damage:
            for _ in treatment.copies:
                await self._inner.send(sender, receiver, message, self._damage(treatment.damage))
            return
        for delay in treatment.copies:
            late = _Late(monotonic_ns() + delay, message, treatment.keeps_order)
            if late.keeps_order:
                await self._lane(sender, receiver).wait_for_room()
            self._later(sender, receiver, late)

    def _hold(self, fault: str, held: _Held) -> None:
        kept = self._held.setdefault(fault, [])
        if len(kept) < HELD_MESSAGES_MAX:
            kept.append(held)
        else:
            self.counters.dropped += 1

    def _damage(self, kind: str) -> Damage:
        """Each damage strikes another place of the frame than the one before."""
        self._damaged[kind] += 1
        return damage_of(kind, self._damaged[kind])

    def _later(self, sender: str, receiver: str, late: _Late) -> None:
        if not self._lane(sender, receiver).put(late):
            self.counters.dropped += 1

    def _lane(self, sender: str, receiver: str) -> _Lane:
        lane = self._lanes.get((sender, receiver))
        if lane is None:
            if self._nursery is None:
                raise LocalProtocolError("a faulty transport sends before it runs; start `run`")
            lane = self._lanes[sender, receiver] = _Lane()
            self._nursery.start_soon(self._serve, lane, sender, receiver)
        return lane

    async def _serve(self, lane: _Lane, sender: str, receiver: str) -> None:
        while True:
            message = await lane.next()
            await self._inner.send(sender, receiver, message)
            lane.delivered()


@dataclass(frozen=True, slots=True)
class _Held:
    sender: str
    receiver: str
    message: Message
    treatment: Treatment


@dataclass(frozen=True, slots=True)
class _Late:
    """A message on its way, due at `due` by trio's clock in nanoseconds."""

    due: int
    message: Message
    keeps_order: bool


@dataclass(slots=True)
class _Lane:
    """What is late from one node to another; the first that is due goes first."""

    ordered: int = 0
    """How many here keep their order, the one on its way out included."""
    _waiting: list[tuple[int, int, bool, Message]] = field(default_factory=list)
    _number: int = 0
    _last_due: int = 0
    _is_ordered_out: bool = False
    _changed: trio.Event = field(default_factory=trio.Event)

    async def wait_for_room(self) -> None:
        while len(self._waiting) >= LATE_MESSAGES_MAX:
            await self._changed.wait()

    def put(self, late: _Late) -> bool:
        """Whether it was taken."""
        if len(self._waiting) >= LATE_MESSAGES_MAX:
            return False
        due = late.due
        if late.keeps_order:
            due = self._last_due = max(due, self._last_due)
            self.ordered += 1
        self._number += 1
        heappush(self._waiting, (due, self._number, late.keeps_order, late.message))
        self._change()
        return True

    async def next(self) -> Message:
        """The next message, once it is due."""
        while (due_s := self._next_due_s()) > trio.current_time():
            with trio.CancelScope(deadline=due_s):
                await self._changed.wait()
        _, _, self._is_ordered_out, message = heappop(self._waiting)
        self._change()
        return message

    def delivered(self) -> None:
        self.ordered -= self._is_ordered_out
        self._is_ordered_out = False

    def clear(self) -> int:
        """Lose everything that is not already on its way out; returns how many that were."""
        lost = len(self._waiting)
        self._waiting.clear()
        self.ordered = int(self._is_ordered_out)
        self._last_due = 0
        self._change()
        return lost

    def _next_due_s(self) -> float:
        return self._waiting[0][0] / 1e9 if self._waiting else float("inf")

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


class _FaultyEndpoint:
    """One node's mailbox behind the faults of its process."""

    def __init__(self, node: str, inner: Endpoint, transport: FaultyTransport) -> None:
        self._node = node
        self._inner = inner
        self._transport = transport
        self._is_open = True

    async def send(self, receiver: str, message: Message) -> None:
        """Raises: LocalProtocolError when the node was closed."""
        if not self._is_open:
            raise LocalProtocolError(f"{self._node}: sends after it was closed")
        await self._transport.send(self._inner, self._node, receiver, message)

    async def receive(self) -> tuple[str, Message]:
        return await self._inner.receive()

    def close(self) -> None:
        self._is_open = False
        self._inner.close()
