"""What a broadcast has sent lately, kept once for all viewers, encoded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from increstore.runtime.stream_words import frame, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.journal import JournalEvent

BACKLOG_BYTES = 16 << 20
SEND_BYTES = 256 << 10
"""What is handed to one viewer at once."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some events as they are sent: `first` is the number of the first, `end` of the next."""

    first: int
    end: int
    frame: bytes


@dataclass(slots=True)
class Backlog:
    """Batches without a hole between them."""

    bytes_max: int = BACKLOG_BYTES
    size: int = 0
    end: int = 0
    """The number of the next event."""
    _batches: deque[Batch] = field(default_factory=deque)

    def add(self, events: Sequence[JournalEvent]) -> None:
        first, self.end = self.end, self.end + len(events)
        packed = frame(events=[plain(event) for event in events], seq=first)
        self._batches.append(Batch(first, self.end, packed))
        self.size += len(packed)
        while self.size > self.bytes_max and len(self._batches) > 1:
            self.size -= len(self._batches.popleft().frame)

    def since(self, number: int) -> list[Batch] | None:
        """What somebody gets who expects this number next; None when that is gone already.

        The first batch may begin before the number: who has some of it knows what he has.
        """
        if number == self.end:
            return []
        if number > self.end or number < self._batches[0].first:
            return None
        found: list[Batch] = []
        for batch in reversed(self._batches):
            if batch.end <= number:
                break
            found.append(batch)
        return _some(found[::-1])


def _some(batches: list[Batch]) -> list[Batch]:
    size = 0
    for count, batch in enumerate(batches, start=1):
        size += len(batch.frame)
        if size >= SEND_BYTES:
            return batches[:count]
    return batches
