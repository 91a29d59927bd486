"""Room in a bounded buffer: how much is held, and who waits for more.

Rows and everything else have a room each. Rows are bounded by bytes; the small messages, by count
alone. So an acknowledgement never queues for room behind megabytes of rows: were it to, two hosts
that send each other rows could each wait for the acknowledgement the other cannot hand over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class BufferLimits:
    """How much one buffer holds. One message always fits an empty buffer, however large it is."""

    messages_max: int = 1024
    payload_bytes_max: int = 32 << 20

    def __post_init__(self) -> None:
        assert self.messages_max >= 1
        assert self.payload_bytes_max >= 1


class _Lane:
    """Room for `messages_max` messages of together `bytes_max`; first come, first let in."""

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self.messages = 0
        self.bytes = 0
        self._turn = trio.StrictFIFOLock()
        self._changed = trio.lowlevel.ParkingLot()

    async def enter(self, size: int, may_wait: Callable[[], bool]) -> bool:
        must_wait = self._turn.locked() or not self._fits(size)
        if must_wait and not await self._wait(size, may_wait):
            return False
        self.messages += 1
        self.bytes += size
        return True

    async def _wait(self, size: int, may_wait: Callable[[], bool]) -> bool:
        async with self._turn:
            while not self._fits(size):
                if not may_wait():
                    return False
                await self._changed.park()
            return True

    def leave(self, size: int) -> None:
        assert self.messages > 0
        assert self.bytes >= size
        self.messages -= 1
        self.bytes -= size
        self._changed.unpark_all()

    def wake(self) -> None:
        self._changed.unpark_all()

    def _fits(self, size: int) -> bool:
        if self.messages == 0:
            return True
        return self.messages < self._messages_max and self.bytes + size <= self._bytes_max


class Room:
    """The two lanes of one buffer. A size is that of the payload in bytes, or None without one."""

    def __init__(self, limits: BufferLimits) -> None:
        self._small = _Lane(limits.messages_max, limits.payload_bytes_max)
        self._rows = _Lane(limits.messages_max, limits.payload_bytes_max)

    @property
    def messages(self) -> int:
        return self._small.messages + self._rows.messages

    @property
    def payload_bytes(self) -> int:
        return self._rows.bytes

    async def enter(self, size: int | None, may_wait: Callable[[], bool]) -> bool:
        """Take room, waiting while there is none and `may_wait()`; whether it was taken.

        `may_wait` is asked again after every `wake`. No checkpoint follows the taking, so what
        was taken is never lost to a cancellation.
        """
        return await self._lane(size).enter(size or 0, may_wait)

    def leave(self, size: int | None) -> None:
        """Give back what one message took."""
        self._lane(size).leave(size or 0)

    def wake(self) -> None:
        """Whether waiting still makes sense has changed: everybody asks again."""
        self._small.wake()
        self._rows.wake()

    def _lane(self, size: int | None) -> _Lane:
        return self._small if size is None else self._rows
