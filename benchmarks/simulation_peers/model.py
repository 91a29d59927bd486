"""The restore protocol as a plain asyncio program, for simulators that run such programs.

It is what a user of the peers would write for speed: each node is a `DatagramProtocol` that acts in
callbacks and waits by `call_later`; what it sends is msgpack. (Stream readers in tasks, the other
usual way, cost both peers 1.5 to 2.5 times as much a message; and their streams lose nothing, so
that no repeat would ever be needed.) It knows nothing of the simulator, which gives a delay for
each read and write and has set up the network.

The messages are those of increstore, one for one, and so are the repeats and their periods. What
is left out (durable records, restarts, failed scans, fences between coordinators) would only cost
the peers more. An event is what increstore counts as one: a message delivered to a node, a read or
write that has ended, a wake-up that came due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

COORDINATOR = "coordinator"
PORT = 4400
RESTORE = "restore-1"
GENERATION = 1
MODULUS = 1 << 64

REPEAT_S = 1.0
"""Silence after which the coordinator asks again."""
RESEND_S = 2.0
"""Without progress on what was sent, before a source asks the target where it is."""
PROGRESS_S = 0.5
"""Between two samples of a source's progress."""
VIRTUAL_S_MAX = 600.0


_pack = msgpack.Packer().pack


class RestoreWrong(Exception):
    """The restore ended with other rows than the chain says, or not at all."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Who takes part, and how much there is to restore: one table, full backup and incrementals."""

    sources: int = 3
    targets: int = 2
    incrementals: int = 3
    pages_full: int = 2
    pages: int = 1
    """Pages of each source's part of an incremental."""
    rows: int = 4
    """Rows of a batch."""
    payload_bytes: int = 200
    pages_ahead: int = 2
    window_batches: int = 8

    @property
    def source_names(self) -> list[str]:
        return [f"orders/s{number}" for number in range(self.sources)]

    @property
    def target_names(self) -> list[str]:
        return [f"orders/t{number}" for number in range(self.targets)]

    @property
    def node_names(self) -> list[str]:
        return [COORDINATOR, *self.source_names, *self.target_names]

    def pages_of(self, incremental: int) -> int:
        return self.pages if incremental else self.pages_full

    def targets_of(self, source: str, incremental: int, page: int) -> list[str]:
        """Whom the keys of a page belong to: sources and targets divide them evenly."""
        pages = self.sources * self.pages_of(incremental)
        begins = self.source_names.index(source) * self.pages_of(incremental) + page
        return [
            target
            for number, target in enumerate(self.target_names)
            if begins * self.targets < (number + 1) * pages
            and (begins + 1) * self.targets > number * pages
        ]

    def digest(self, source: str, incremental: int, page: int, target: str) -> int:
        """The digest that the batch of this place is said to have."""
        place = (int(source[-1]) * 97 + incremental) * 97 + page * 7 + int(target[-1])
        return (place + 1) * 0x9E3779B97F4A7C15 % MODULUS

    def rows_of(self, target: str) -> tuple[int, int]:
        """(rows, digest) that `target` must have at the end."""
        digests = [
            self.digest(source, incremental, page, target)
            for source in self.source_names
            for incremental in range(self.incrementals + 1)
            for page in range(self.pages_of(incremental))
            if target in self.targets_of(source, incremental, page)
        ]
        return len(digests) * self.rows, sum(digests) % MODULUS


@dataclass(slots=True)
class Counts:
    """What has happened over all seeds: to nodes altogether, and of it messages delivered."""

    events: int = 0
    deliveries: int = 0
    sent: dict[str, int] = field(default_factory=dict)


class Node(asyncio.DatagramProtocol):
    """One node: it has a name, hears messages, sends others, and waits."""

    def __init__(
        self, name: str, shape: Shape, counts: Counts, delay: Callable[[str], float]
    ) -> None:
        self.name = name
        self.shape = shape
        self.delay = delay
        self.hears: dict[str, Callable[..., None]] = {}
        self.loop = asyncio.get_running_loop()
        self._counts = counts
        self._sweep: asyncio.TimerHandle | None = None
        self._transport: Any = None

    async def open(self) -> None:
        """Take part in the network. Called on the host of this node."""
        address = (self.name, PORT)
        await self.loop.create_datagram_endpoint(lambda: self, local_addr=address)

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        sender, receiver, message = msgpack.unpackb(data)
        self._counts.events += 1
        self._counts.deliveries += 1
        assert receiver == self.name
        kind, *fields = message
        self.hears[kind](sender, *fields)

    def send(self, receiver: str, kind: str, *fields: Any) -> None:
        sent = self._counts.sent
        sent[kind] = sent.get(kind, 0) + 1
        data = _pack((self.name, receiver, (kind, *fields)))
        self._transport.sendto(data, (receiver, PORT))

    def after(self, what: str, act: Callable[..., None], *given: Any) -> None:
        """Do something slow, as reading a page or writing a batch, and then act."""
        self.loop.call_later(self.delay(what), self._happen, act, *given)

    def sweep_in(self, seconds: float, act: Callable[[], None]) -> None:
        """The one wake-up of this node."""
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep = self.loop.call_later(seconds, self._happen, act)

    def stop_sweeping(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _happen(self, act: Callable[..., None], *given: Any) -> None:
        self._counts.events += 1
        act(*given)
