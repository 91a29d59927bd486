"""The heap of moments: what happens in a world, one after the other.

Where it is compiled, `timeline_compiled` takes the place of this module: whatever changes here
changes there.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from increstore.simulation.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable


class Timeline(Trace):
    """Moments in order; `now` is that of the one being played."""

    def __init__(self, stops_at: int) -> None:
        super().__init__()
        self.stops_at = stops_at
        """Nothing is played after this moment, unless `is_over` says that it must go on."""
        self._heap: list[tuple[Any, ...]] = []
        """(moment, tie, ticket, act, arg) of each."""
        self._ticket = 0

    def at(self, moment: int, tie: int, act: Callable[[Any], None], arg: object) -> None:
        """Have `act(arg)` happen; among equal moments the smaller tie, then the first asked."""
        self._ticket = ticket = self._ticket + 1
        heappush(self._heap, (moment, tie, ticket, act, arg))

    def play(self, moments: int) -> bool:
        """Play so many moments; False when there is nothing left to play."""
        heap = self._heap
        for _played in range(moments):
            if (not heap or heap[0][0] > self.stops_at) and self.is_over():
                return False
            moment = heappop(heap)
            self.now = moment[0]
            moment[3](moment[4])
        return True

    def is_over(self) -> bool:
        """Asked when no moment is left, or none before `stops_at`."""
        return True

    def forget(self) -> None:
        """Nothing is played any more."""
        self._heap.clear()

    @property
    def moments(self) -> int:
        """Moments played so far, with the one being played."""
        return self._ticket - len(self._heap)

    @property
    def next_at(self) -> int | None:
        """The time of the next moment; None when there is none."""
        return self._heap[0][0] if self._heap else None
