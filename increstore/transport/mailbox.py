"""The mailboxes of the nodes of one process, and how a message gets into one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from increstore.errors import LocalProtocolError
from increstore.protocol.messages import ApplyChanges
from increstore.transport.room import BufferLimits, Room

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from increstore.protocol.messages import Message, Payload
    from increstore.transport.seam import LinkCounters


def payload_bytes(payload: Payload | None) -> int | None:
    """The size of a payload in bytes, None when there is none."""
    if payload is None:
        return None
    return payload.nbytes if isinstance(payload, memoryview) else len(payload)


class Mailbox:
    """What has come for one node and was not yet received, bounded by `limits`."""

    def __init__(self, node: str, limits: BufferLimits) -> None:
        self.node = node
        self.is_open = True
        self._waiting: deque[tuple[str, Message]] = deque()
        self._room = Room(limits)
        self._arrived = trio.lowlevel.ParkingLot()

    async def put(self, sender: str, message: Message) -> bool:
        """Add one message, waiting for room; False when the mailbox is or becomes closed."""
        size = _size_of(message)
        if not await self._room.enter(size, lambda: self.is_open):
            return False
        if not self.is_open:
            self._room.leave(size)
            return False
        self._waiting.append((sender, message))
        self._arrived.unpark()
        return True

    async def get(self) -> tuple[str, Message]:
        """The oldest message. Raises: LocalProtocolError when the mailbox is or becomes closed."""
        await trio.lowlevel.checkpoint()
        while self.is_open and not self._waiting:
            await self._arrived.park()
        if not self.is_open:
            raise LocalProtocolError(f"{self.node}: receives from a mailbox it has closed")
        sender, message = self._waiting.popleft()
        self._room.leave(_size_of(message))
        return sender, message

    def close(self) -> int:
        """Let nothing in any more; returns how many messages nobody will receive."""
        lost = len(self._waiting)
        self.is_open = False
        self._waiting.clear()
        self._arrived.unpark_all()
        self._room.wake()
        return lost


class Mailboxes:
    """The mailbox of every node attached to this process, by the node's name."""

    def __init__(self, limits: BufferLimits, counters: LinkCounters) -> None:
        self._limits = limits
        self._counters = counters
        self._of: dict[str, Mailbox] = {}

    def open(self, node: str) -> Mailbox:
        """Raises: LocalProtocolError when the name is taken."""
        if node in self._of:
            raise LocalProtocolError(f"{node}: already attached to this transport; close it first")
        mailbox = self._of[node] = Mailbox(node, self._limits)
        return mailbox

    def close(self, mailbox: Mailbox) -> None:
        """Detach; closing twice does nothing, also when the name is attached again."""
        if not mailbox.is_open:
            return
        del self._of[mailbox.node]
        self._counters.dropped += mailbox.close()

    def __contains__(self, node: str) -> bool:
        return node in self._of

    async def deliver(self, sender: str, receiver: str, message: Message) -> None:
        """Put into the receiver's mailbox, waiting for room; dropped and counted without one."""
        mailbox = self._of.get(receiver)
        if mailbox is not None and await mailbox.put(sender, message):
            self._counters.received += 1
        else:
            self._counters.dropped += 1


class MailboxEndpoint:
    """A node of this process, as the node holds it: its mailbox, and its transport's `send`."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        node: str,
        send: Callable[[str, str, Message], Awaitable[None]],
    ) -> None:
        """Raises: LocalProtocolError when the name is taken."""
        self._mailboxes = mailboxes
        self._mailbox = mailboxes.open(node)
        self._send = send

    async def send(self, receiver: str, message: Message) -> None:
        """Raises: LocalProtocolError when the node was closed."""
        if not self._mailbox.is_open:
            raise LocalProtocolError(f"{self._mailbox.node}: sends after it was closed")
        await trio.lowlevel.checkpoint()
        await self._send(self._mailbox.node, receiver, message)

    async def receive(self) -> tuple[str, Message]:
        """The oldest message. Raises: LocalProtocolError when the node is or becomes closed."""
        return await self._mailbox.get()

    def close(self) -> None:
        """Detach; messages to the node are dropped from now on."""
        self._mailboxes.close(self._mailbox)


def _size_of(message: Message) -> int | None:
    return payload_bytes(message.payload) if isinstance(message, ApplyChanges) else None
