"""`timeline` for the compiled build, where Python's heap would call somebody for each comparison.

It does what `timeline` does; where it is not compiled, it only takes longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.simulation.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable


class Moment:
    """Something that is going to happen."""

    __slots__ = ("act", "arg", "at", "ticket", "tie")

    def __init__(
        self, at: int, tie: int, ticket: int, act: Callable[[Any], None], arg: object
    ) -> None:
        self.at = at
        self.tie = tie
        self.ticket = ticket
        self.act = act
        self.arg = arg

    def is_before(self, other: Moment) -> bool:
        if self.at != other.at:
            return self.at < other.at
        if self.tie != other.tie:
            return self.tie < other.tie
        return self.ticket < other.ticket


class Timeline(Trace):
    """Moments in order; `now` is that of the one being played."""

    def __init__(self, stops_at: int) -> None:
        super().__init__()
        self.stops_at = stops_at
        """Nothing is played after this moment, unless `is_over` says that it must go on."""
        self._heap: list[Moment] = []
        """Neither of the moments at 2n + 1 and 2n + 2 is before the one at n."""
        self._ticket = 0

    def at(self, moment: int, tie: int, act: Callable[[Any], None], arg: object) -> None:
        """Have `act(arg)` happen; among equal moments the smaller tie, then the first asked."""
        self._ticket = ticket = self._ticket + 1
        _push(self._heap, Moment(moment, tie, ticket, act, arg))

    def play(self, moments: int) -> bool:
        """Play so many moments; False when there is nothing left to play."""
        heap = self._heap
        for _played in range(moments):
            if (not heap or heap[0].at > self.stops_at) and self.is_over():
                return False
            moment = _pop(heap)
            self.now = moment.at
            moment.act(moment.arg)
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
        return self._heap[0].at if self._heap else None


def _push(heap: list[Moment], moment: Moment) -> None:
    place = len(heap)
    heap.append(moment)
    while place:
        above = heap[(place - 1) >> 1]
        if not moment.is_before(above):
            break
        heap[place] = above
        place = (place - 1) >> 1
    heap[place] = moment


def _pop(heap: list[Moment]) -> Moment:
    """The first of them; there is one."""
    first, moment = heap[0], heap.pop()
    size, place, below = len(heap), 0, 1
    if not size:
        return first
    while below < size:
        if below + 1 < size and heap[below + 1].is_before(heap[below]):
            below += 1
        if not heap[below].is_before(moment):
            break
        heap[place] = heap[below]
        place, below = below, 2 * below + 1
    heap[place] = moment
    return first
