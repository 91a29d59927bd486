"""Events on their way from an engine to somebody who may be too slow for them.

Rules of this file:
- The engine never waits: `put` takes a moment, whoever reads and however slowly.
- What changes the story (facts) is kept, up to a bound that no healthy reader meets. Samples give
  way to the newest of their kind, and what is only many (batches, pages) is left out, once the
  reader is behind.
- What was left out is told, by a `stream.gap` in its place.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

from increstore.journal import JournalEvent

FACTS_MAX = 200_000
"""Events that may wait; beyond it even facts are left out."""
BEHIND_EVENTS = 20_000
"""With so many waiting the reader is behind."""
GAP = "stream.gap"

_SAMPLES = {
    "scan.progress": "source",
    "changes.applied": "source",
    "barrier.waits": "",
}
"""Events of which only the newest matters, and the fact that tells several of a node apart."""
_MANY = frozenset({"batch.applied", "page.read"})
_MANY_MESSAGES = frozenset({"ApplyChanges", "ChangesApplied", "ScanProgress"})


class EventRing:
    """One writer, one reader, in threads of their own or in the same one."""

    def __init__(self, *, facts_max: int = FACTS_MAX, behind: int = BEHIND_EVENTS) -> None:
        self.dropped = 0
        """Events that were offered and left out."""
        self._facts_max = facts_max
        self._behind = behind
        self._lock = Lock()
        self._events: deque[JournalEvent] = deque()
        self._newest: dict[tuple[str, str, str], JournalEvent] = {}
        """Samples that came while the reader was behind."""
        self._gap = 0
        self._ahead: deque[JournalEvent] = deque()
        """The reader's own: taken from the writer, not yet given."""

    def put(self, event: JournalEvent) -> None:
        """Offer an event. From one thread at a time."""
        with self._lock:
            waiting = len(self._events)
            if waiting < self._behind:
                self._keep(event)
            elif event.name in _SAMPLES:
                self._keep_newest(event)
            elif _is_one_of_many(event) or waiting >= self._facts_max:
                self._leave_out()
            else:
                self._keep(event)

    def take(self, limit: int) -> list[JournalEvent]:
        """The next events, at most `limit`. From one thread at a time."""
        if len(self._ahead) < limit:
            self._refill()
        ahead = self._ahead
        return [ahead.popleft() for _ in range(min(limit, len(ahead)))]

    @property
    def is_empty(self) -> bool:
        return not self._ahead and not self._events

    @property
    def is_behind(self) -> bool:
        """Whether so much waits that some of it may be left out soon."""
        return len(self._ahead) + len(self._events) > self._behind // 2

    def _refill(self) -> None:
        with self._lock:
            taken, self._events = self._events, deque()
            taken.extend(self._newest.values())
            self._newest = {}
            gap, self._gap = self._gap, 0
        if gap:
            at = taken[-1].at if taken else 0
            taken.append(JournalEvent(at, "stream", GAP, {"events": gap}))
        self._ahead.extend(taken)

    def _keep(self, event: JournalEvent) -> None:
        self._events.append(event)

    def _keep_newest(self, event: JournalEvent) -> None:
        key = (event.name, event.node, str(event.facts.get(_SAMPLES[event.name], "")))
        if key in self._newest:
            self._leave_out()
        self._newest[key] = event

    def _leave_out(self) -> None:
        self.dropped += 1
        self._gap += 1


def _is_one_of_many(event: JournalEvent) -> bool:
    if event.name in _MANY:
        return True
    return event.name.startswith("message.") and event.facts.get("kind") in _MANY_MESSAGES
