"""The seam of the transport: how nodes send each other messages.

Contract (tests/transport/test_contract.py runs it over every implementation):
- messages between two nodes arrive whole and, while the link stands, in the order sent;
- a message may be lost when a link breaks, and is never invented, altered or doubled by us;
- buffers are bounded: `send` waits while the link stands and its buffer is full; a message to a
  peer that cannot be reached, beyond the buffer, is dropped and counted. The protocol repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import trio

if TYPE_CHECKING:
    from increstore.protocol.messages import Message


@dataclass(slots=True)
class LinkCounters:
    """What a transport did: messages, frames and connections, counted since it started."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    refused_frames: int = 0
    refused_connections: int = 0
    reconnects: int = 0


class Endpoint(Protocol):
    """One node's mailbox."""

    async def send(self, receiver: str, message: Message) -> None:
        """Hand over one message; returns when it is buffered, not when it has arrived."""
        ...

    async def receive(self) -> tuple[str, Message]:
        """The next message to this node: (sender, message)."""
        ...

    def close(self) -> None:
        """Detach the node; messages to it are dropped from now on."""
        ...


class Transport(Protocol):
    """All links of one process."""

    counters: LinkCounters

    def attach(self, node: str) -> Endpoint:
        """The mailbox of a node hosted here.

        Raises: LocalProtocolError when the name is taken.
        """
        ...

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; started once, before the first send."""
        ...
