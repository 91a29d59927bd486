"""The heap of moments, and the hash of what happened in them."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    from collections.abc import Callable


class Timeline:
    """Moments in order; `now` is that of the one being played, in nanoseconds since the start."""

    def __init__(self) -> None:
        self.now = 0
        self.moments = 0
        """Moments played so far."""
        self._heap: list[tuple[int, int, int, Callable[[Any], None], Any]] = []
        self._ticket = 0
        self._hash = xxhash.xxh3_64()

    def at(self, moment: int, tie: int, act: Callable[[Any], None], arg: object) -> None:
        """Have `act(arg)` happen; among equal moments the smaller tie, then the first asked."""
        self._ticket += 1
        heapq.heappush(self._heap, (moment, tie, self._ticket, act, arg))

    @property
    def next_at(self) -> int | None:
        """The time of the next moment; None when there is none."""
        return self._heap[0][0] if self._heap else None

    @property
    def digest(self) -> str:
        """The hash of everything traced, in order: equal runs have equal digests."""
        return str(self._hash.hexdigest())

    def trace(self, happened: bytes) -> None:
        """Add to the digest that this happened now."""
        self._hash.update(self.now.to_bytes(8, "little"))
        self._hash.update(happened)

    def trace_text(self, happened: str) -> None:
        self.trace(happened.encode())
