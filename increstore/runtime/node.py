"""A node: one core, its storage and its mailbox, in one nursery.

The loop knows one sentence: step the core, append its records, start its effects, send its
messages. A step never awaits, so cancellation can only strike between steps. What a core wants
sent waits in an outbox, drained by a task of its own, so a full link slows the traffic and never
stops the node from listening; the outbox is bounded by the protocol's windows.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

import trio

from increstore.protocol.ready import Received, TimePassed
from increstore.runtime.narrate import (
    narrate_event,
    narrate_life,
    narrate_messages,
    narrate_records,
)
from increstore.transport.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.journal import Journal
    from increstore.protocol.messages import Message
    from increstore.protocol.ready import Effect, Event, Ready
    from increstore.protocol.records import Record
    from increstore.transport.seam import Endpoint

EVENTS_MAX = 256
"""Received messages a node may have waiting; beyond it the mailbox is left full."""


class Core(Protocol):
    """A role: plain, synchronous, without IO."""

    def step(self, now: int, event: Event) -> Ready: ...


class Performer(Protocol):
    """What a role's driver does for its core: durable records, and effects."""

    async def append(self, records: Sequence[Record]) -> Event | None:
        """Make the records durable; returns a failure to tell the core instead of raising."""
        ...

    def queue(self, effect: Effect) -> None:
        """Told of every effect in the order asked, before `perform`: tasks start in any order."""
        ...

    async def perform(self, effect: Effect) -> Event | None:
        """Do one effect; its result comes back as an event (None: another effect reports it)."""
        ...


class Node:
    """Runs one core until it has ended or is cancelled."""

    def __init__(
        self, name: str, core: Core, endpoint: Endpoint, performer: Performer, journal: Journal
    ) -> None:
        self.name = name
        self._core = core
        self._endpoint = endpoint
        self._performer = performer
        self._journal = journal
        self._events: deque[Event] = deque()
        self._news = trio.Event()
        self._room = trio.Event()
        self._outbox: deque[tuple[str, Message]] = deque()
        self._mail = trio.Event()

    async def run(self) -> None:
        """Drive the core until `has_ended`; the nursery and all its tasks end with it."""
        narrate_life(self._journal, self.name)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive)
            nursery.start_soon(self._send)
            await self._drive(nursery)
            nursery.cancel_scope.cancel()

    def has_ended(self) -> bool:
        """Whether the loop should stop; a role that ends overrides it."""
        return False

    def narrate(self, event: Event) -> None:
        """Tell of an event that the core was given."""
        narrate_event(self._journal, self.name, event)

    def post(self, event: Event) -> None:
        """Give the core an event from this process: an operator's word, an effect's result."""
        self._events.append(event)
        self._news.set()

    async def _drive(self, nursery: trio.Nursery) -> None:
        wake_at = await self._step(nursery, TimePassed())
        while not self.has_ended():
            event = await self._next_event(wake_at)
            wake_at = await self._step(nursery, event)

    async def _step(self, nursery: trio.Nursery, event: Event) -> int | None:
        return await self._carry_out(nursery, self._think(event))

    def _think(self, event: Event) -> Ready:
        ready = self._core.step(monotonic_ns(), event)
        self.narrate(event)
        return ready

    async def _carry_out(self, nursery: trio.Nursery, ready: Ready) -> int | None:
        if ready.records:
            failure = await self._performer.append(ready.records)
            if failure is not None:
                # The records may not exist: nothing that rests on them may be done or said, and
                # the core must hear of it before any event that came meanwhile.
                self._events.appendleft(failure)
                return None
            narrate_records(self._journal, self.name, ready.records)
        for effect in ready.effects:
            self._performer.queue(effect)
            nursery.start_soon(self._perform, effect)
        if ready.messages:
            narrate_messages(self._journal, self.name, ready.messages)
            self._outbox.extend(ready.messages)
            self._mail.set()
        return ready.wake_at

    async def _next_event(self, wake_at: int | None) -> Event:
        deadline = float("inf") if wake_at is None else wake_at / 1e9
        with trio.CancelScope(deadline=deadline):
            while not self._events:
                self._news = trio.Event()
                await self._news.wait()
        return self._take() if self._events else TimePassed()

    def _take(self) -> Event:
        event = self._events.popleft()
        self._room.set()
        return event

    async def _perform(self, effect: Effect) -> None:
        event = await self._performer.perform(effect)
        if event is not None:
            self.post(event)

    async def _receive(self) -> None:
        while True:
            sender, message = await self._endpoint.receive()
            while len(self._events) >= EVENTS_MAX:
                self._room = trio.Event()
                await self._room.wait()
            self.post(Received(sender, message))

    async def _send(self) -> None:
        while True:
            while self._outbox:
                receiver, message = self._outbox.popleft()
                await self._endpoint.send(receiver, message)
            self._mail = trio.Event()
            await self._mail.wait()

    async def flush(self) -> None:
        """Wait, at most a moment, until what was to be said is handed to the transport."""
        with trio.move_on_after(1.0):
            while self._outbox:
                await trio.lowlevel.checkpoint()


def wall_ns() -> int:
    """Wall-clock nanoseconds since 1970: for display, and deadlines that outlive a process."""
    return time.time_ns()
