"""The transport inside one process: mailboxes, and no wire in between.

Every header is encoded and decoded all the same, so that nothing works here that could not work
over a wire, and no two nodes ever share a mutable object. A payload is passed by reference: the
sender gives it away with the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from increstore.errors import RemoteProtocolError
from increstore.transport.codec import decode, encode
from increstore.transport.damage import frames_of
from increstore.transport.framing import PAYLOAD_BYTES_MAX, encode_frame
from increstore.transport.mailbox import MailboxEndpoint, Mailboxes
from increstore.transport.room import BufferLimits
from increstore.transport.seam import Endpoint, LinkCounters

if TYPE_CHECKING:
    from increstore.protocol.messages import Message
    from increstore.transport.damage import Damage
    from increstore.transport.framing import Buffers


class MemoryTransport:
    """Nodes of one process; `limits` bounds every mailbox.

    A message to a node that is not attached, or detaches before it was let in, is dropped and
    counted: the protocol repeats.
    """

    def __init__(self, limits: BufferLimits | None = None) -> None:
        self.counters = LinkCounters()
        self.mailboxes = Mailboxes(limits or BufferLimits(), self.counters)

    def attach(self, node: str) -> Endpoint:
        """The mailbox of a node. Raises: LocalProtocolError when the name is taken."""
        return MailboxEndpoint(self.mailboxes, node, self.send)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Nothing to serve; waits to be cancelled, as every transport does."""
        task_status.started()
        await trio.sleep_forever()

    async def send(
        self, sender: str, receiver: str, message: Message, damage: Damage | None = None
    ) -> None:
        """Deliver through the codec; returns once the message is in the receiver's mailbox.

        With `damage` it goes through the framing too, which should refuse what becomes of it.
        """
        header, payload = encode(sender, receiver, message)
        if damage is not None:
            await self._deliver_damaged(damage(encode_frame(header, payload)))
            return
        self.counters.sent += 1
        await self.mailboxes.deliver(*decode(header, payload))

    def reset(self, sender: str, receiver: str) -> None:
        """There is no connection to break."""

    async def _deliver_damaged(self, frame: Buffers) -> None:
        self.counters.sent += 1
        try:
            found = frames_of(frame, PAYLOAD_BYTES_MAX)
        except RemoteProtocolError:
            self.counters.refused_frames += 1
            self.counters.dropped += 1
            return
        for whole in found:
            await self.mailboxes.deliver(*decode(whole.header, whole.payload))
