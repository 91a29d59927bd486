"""Frames on their way to one peer host: bounded, in order, and gathered for one system call."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from increstore.transport.room import BufferLimits, Room

if TYPE_CHECKING:
    from increstore.protocol.messages import Payload
    from increstore.transport.framing import Buffers

GATHERED_BUFFERS_MAX = 256
GATHERED_BYTES_MAX = 4 << 20
"""What one system call is given, in so many buffers at the most."""


class Outbox:
    """The frames for one peer, oldest first; the oldest may be partly sent.

    While the link stands or may soon, `put` waits for room. Once the peer is known to be out of
    reach, what fits is kept for the next connection and the rest is not taken. A frame leaves once
    its last byte is with the kernel: of those still here the peer can have seen none whole. So
    after a broken link they are sent again from their start, and nothing arrives twice.

    Invariant: 0 <= sent of the oldest frame < its length.
    """

    def __init__(self, limits: BufferLimits) -> None:
        self._frames: deque[tuple[Buffers, int | None]] = deque()
        self._sent = 0
        self._room = Room(limits)
        self._is_expected = False
        self._arrived = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def payload_bytes(self) -> int:
        """The bytes of rows held, sent or not."""
        return self._room.payload_bytes

    async def put(self, frame: Buffers, size: int | None) -> bool:
        """Add a frame with a payload of `size` bytes (None: without); whether it was taken."""
        if not await self._room.enter(size, lambda: self._is_expected):
            return False
        self._frames.append((frame, size))
        self._arrived.unpark_all()
        return True

    async def wait_until_filled(self) -> None:
        while not self._frames:
            await self._arrived.park()

    def gather(self) -> list[Payload]:
        """The next bytes to send, as pieces, up to what one system call takes well."""
        pieces: list[Payload] = []
        size = 0
        for frame, _ in self._frames:
            pieces += frame
            size += sum(map(len, frame))
            if len(pieces) >= GATHERED_BUFFERS_MAX or size >= GATHERED_BYTES_MAX:
                break
        return _without_front(pieces, self._sent) if self._sent else pieces

    def sent(self, count: int) -> None:
        """The kernel has taken the first `count` bytes of what `gather` returned."""
        self._sent += count
        while self._frames and self._sent >= (length := sum(map(len, self._frames[0][0]))):
            _, size = self._frames.popleft()
            self._sent -= length
            self._room.leave(size)
        assert self._frames or self._sent == 0

    def expect_link(self) -> None:
        """A connection is about to be made: whoever finds no room waits for it."""
        self._is_expected = True

    def restart(self) -> None:
        """Another connection: what was partly sent over the last one starts again."""
        self._sent = 0

    def give_up_waiting(self) -> None:
        """The peer is out of reach: nobody waits for room until a link is expected again."""
        self._is_expected = False
        self._room.wake()


def _without_front(pieces: list[Payload], count: int) -> list[Payload]:
    """The pieces without their first `count` bytes, which end inside the first frame."""
    rest = list(pieces)
    while count >= len(rest[0]):
        count -= len(rest.pop(0))
    rest[0] = memoryview(rest[0])[count:]
    return rest
