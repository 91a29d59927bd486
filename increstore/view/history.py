"""All events of a run so far, compactly, and the view after any of them.

Rules of this file:
- The newest events are objects; older ones are packed, `CHUNK_EVENTS` together: about 30 bytes an
  event instead of 500. One unpacked chunk is kept at hand, because neighbours are asked for next.
- A checkpoint is a copy of the view. There are at most `CHECKPOINTS_MAX`; when there would be more,
  every other one goes and they are made half as often, so that seeking stays quick and memory
  bounded by the size of the cluster.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import msgpack

from increstore.journal import JournalEvent
from increstore.view.cluster import ClusterView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK_EVENTS = 512
CHECKPOINTS_MAX = 128
SPACING_FIRST = 1_000
TROUBLE = frozenset(
    {
        "fault.injected", "node.crashed", "storage.failed", "storage.corrupted", "page.failed",
        "message.lost", "batch.rejected", "worker.died", "restore.failed", "restore.paused",
        "scan.retry_scheduled", "refused",
    }
)  # fmt: skip
"""Events that a person who looks for trouble looks for."""
NOTIFICATIONS = frozenset({"scan.reported", "completion.received"})


class History:
    """An append-only sequence of events with random access and views."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._tail: list[JournalEvent] = []
        self._at_hand: tuple[int, list[JournalEvent]] = (-1, [])
        self._times: array[int] = array("q")
        self._marks: dict[str, array[int]] = {"trouble": array("q"), "notification": array("q")}
        self._checkpoints: list[tuple[int, ClusterView]] = []
        self._spacing = SPACING_FIRST
        self.live = ClusterView()
        """The view after the last event."""

    def __len__(self) -> int:
        return len(self._times)

    def append(self, event: JournalEvent) -> None:
        """Add the next event and fold it into `live`."""
        number = len(self._times)
        if number % self._spacing == 0:
            self._add_checkpoint(number)
        # Times never go back here, so that they can be searched; clocks of processes may.
        last = self._times[-1] if self._times else event.at
        self._times.append(max(event.at, last))
        if event.name in TROUBLE:
            self._marks["trouble"].append(number)
        elif event.name in NOTIFICATIONS:
            self._marks["notification"].append(number)
        self._tail.append(event)
        if len(self._tail) >= CHUNK_EVENTS:
            self._packed.append(_pack(self._tail))
            self._tail = []
        self.live.apply(event)

    def event(self, index: int) -> JournalEvent:
        """The event of this index (0-based). Raises: IndexError."""
        if not 0 <= index < len(self._times):
            raise IndexError(f"event {index} of {len(self._times)}")
        chunk, place = divmod(index, CHUNK_EVENTS)
        return self._chunk(chunk)[place]

    def events(self, start: int, stop: int) -> Iterator[JournalEvent]:
        """Those from `start` up to, not including, `stop`."""
        index, stop = max(0, start), min(stop, len(self._times))
        while index < stop:
            chunk, place = divmod(index, CHUNK_EVENTS)
            found = self._chunk(chunk)[place : place + stop - index]
            yield from found
            index += len(found)

    def view_at(self, count: int) -> ClusterView:
        """The view after the first `count` events: a copy of the caller's own."""
        count = min(max(count, 0), len(self._times))
        place = bisect_right(self._checkpoints, count, key=lambda item: item[0]) - 1
        start, view = (
            (0, ClusterView())
            if place < 0
            else (self._checkpoints[place][0], self._checkpoints[place][1].snapshot())
        )
        for event in self.events(start, count):
            view.apply(event)
        return view

    def cut(self, count: int) -> History:
        """Another history, of the first `count` events; this one stays as it is.

        What is packed is shared, so that it costs no more than a look at that moment.
        """
        count = min(max(count, 0), len(self._times))
        chunks, rest = divmod(count, CHUNK_EVENTS)
        past = History()
        past._packed = self._packed[:chunks]
        past._tail = self._chunk(chunks)[:rest] if rest else []
        past._times = self._times[:count]
        past._marks = {
            kind: marks[: bisect_left(marks, count)] for kind, marks in self._marks.items()
        }
        past._checkpoints = [item for item in self._checkpoints if item[0] < count]
        past._spacing = self._spacing
        past.live = self.view_at(count)
        return past

    # --- Finding.

    def count_at(self, at: int) -> int:
        """How many events had happened at this time (nanoseconds since 1970)."""
        return bisect_right(self._times, at)

    def time_of(self, index: int) -> int:
        """When the event of this index happened."""
        return self._times[index]

    def next_mark(self, kind: str, index: int) -> int | None:
        """The first "trouble" or "notification" after this index."""
        marks = self._marks[kind]
        place = bisect_right(marks, index)
        return marks[place] if place < len(marks) else None

    def previous_mark(self, kind: str, index: int) -> int | None:
        """The last one before this index."""
        marks = self._marks[kind]
        place = bisect_left(marks, index)
        return marks[place - 1] if place else None

    def find(
        self, matches: Callable[[JournalEvent], bool], start: int, *, backwards: bool, most: int
    ) -> int | None:
        """The index of the first match from `start` on, looking at `most` events at the most."""
        step = -1 if backwards else 1
        end = len(self._times) if step > 0 else -1
        for index in range(start, end, step)[:most]:
            if matches(self.event(index)):
                return index
        return None

    # --- Packing.

    def _chunk(self, number: int) -> list[JournalEvent]:
        if number == len(self._packed):
            return self._tail
        if self._at_hand[0] != number:
            self._at_hand = (number, _unpack(self._packed[number]))
        return self._at_hand[1]

    def _add_checkpoint(self, number: int) -> None:
        if len(self._checkpoints) >= CHECKPOINTS_MAX:
            self._spacing *= 2
            self._checkpoints = [item for item in self._checkpoints if item[0] % self._spacing == 0]
            if number % self._spacing:
                return
        self._checkpoints.append((number, self.live.snapshot()))


def _pack(events: list[JournalEvent]) -> bytes:
    rows = [
        (event.at, event.node, event.name, event.facts, event.details, event.is_detail)
        for event in events
    ]
    return zlib.compress(msgpack.packb(rows, default=str, unicode_errors="surrogatepass"), 1)


def _unpack(packed: bytes) -> list[JournalEvent]:
    rows = msgpack.unpackb(
        zlib.decompress(packed), strict_map_key=False, unicode_errors="surrogatepass"
    )
    return [JournalEvent(*row) for row in rows]
