"""All events of a run so far, compactly, and the view after any of them.

Rules of this file:
- The newest events are objects; older ones are packed, `CHUNK_EVENTS` together: about 30 bytes an
  event instead of 500. One unpacked chunk is kept at hand, because neighbours are asked for next.
- A checkpoint is a copy of the view, which shares with its neighbours what has not changed. There
  are at most `CHECKPOINTS_MAX`, and of large clusters so many that together they have at most
  `SHARDS_KEPT_MAX` shards. When there would be more, every other one goes and they are made half as
  often: seeking stays quick, and memory bounded.
- Whoever looked at a moment looks at its neighbours next: the last few chunk ends passed on the way
  there are kept as checkpoints of their own.
"""

from __future__ import annotations

import contextlib
import gc
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
CHECKPOINTS_MAX = 512
CHECKPOINTS_LEAST = 16
SHARDS_KEPT_MAX = 131_072
SPACING_FIRST = 1_000
STEPS_KEPT = 8
STEP_WITHIN = 2 * CHUNK_EVENTS
"""Chunk ends this near to the moment that is sought are kept."""
TROUBLE = frozenset(
    {
        "fault.injected", "node.crashed", "storage.failed", "storage.corrupted", "page.failed",
        "message.lost", "batch.rejected", "worker.died", "restore.failed", "restore.paused",
        "scan.retry_scheduled", "refused",
    }
)  # fmt: skip
"""Events that a person who looks for trouble looks for."""


class History:
    """An append-only sequence of events with random access and views."""

    def __init__(
        self, *, spacing: int = SPACING_FIRST, shards_kept_max: int = SHARDS_KEPT_MAX
    ) -> None:
        """`spacing`: events between the first checkpoints; `shards_kept_max`: of all together."""
        self._shards_kept_max = shards_kept_max
        self._packed: list[bytes] = []
        self._tail: list[JournalEvent] = []
        self._at_hand: tuple[int, list[JournalEvent]] = (-1, [])
        self._times: array[int] = array("q")
        self._troubles: array[int] = array("q")
        self._checkpoints: list[tuple[int, ClusterView]] = []
        self._steps: list[tuple[int, ClusterView]] = []
        self._spacing = spacing
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
            self._troubles.append(number)
        self._tail.append(event)
        if len(self._tail) >= CHUNK_EVENTS:
            # Whoever draws looks at the newest events next: not to be unpacked for that.
            self._at_hand = (len(self._packed), self._tail)
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
        start, nearest = self._nearest(count)
        view = nearest.snapshot()
        with _garbage_uncollected():
            while start < count:
                stop = min(count, (start // CHUNK_EVENTS + 1) * CHUNK_EVENTS)
                for event in self.events(start, stop):
                    view.apply(event)
                start = stop
                if stop % CHUNK_EVENTS == 0 and count - stop < STEP_WITHIN:
                    self._steps = [*self._steps[1 - STEPS_KEPT :], (stop, view.snapshot())]
        return view

    def _nearest(self, count: int) -> tuple[int, ClusterView]:
        """The last moment known that is not after `count`."""
        place = bisect_right(self._checkpoints, count, key=_moment)
        known = [(0, ClusterView()), *self._checkpoints[max(0, place - 1) : place]]
        return max([*known, *[step for step in self._steps if step[0] <= count]], key=_moment)

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
        past._troubles = self._troubles[: bisect_left(self._troubles, count)]
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

    def next_trouble(self, index: int) -> int | None:
        """The index of the first trouble after this one."""
        place = bisect_right(self._troubles, index)
        return self._troubles[place] if place < len(self._troubles) else None

    def previous_trouble(self, index: int) -> int | None:
        """The index of the last trouble before this one."""
        place = bisect_left(self._troubles, index)
        return self._troubles[place - 1] if place else None

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
        room = max(CHECKPOINTS_LEAST, self._shards_kept_max // max(len(self.live.shards), 1))
        if len(self._checkpoints) >= min(room, CHECKPOINTS_MAX):
            self._spacing *= 2
            self._checkpoints = [item for item in self._checkpoints if item[0] % self._spacing == 0]
            if number % self._spacing:
                return
        self._checkpoints.append((number, self.live.snapshot()))


@contextlib.contextmanager
def _garbage_uncollected() -> Iterator[None]:
    """Events are unpacked by the thousand and die at once; for their sake nobody need walk through
    all checkpoints, which takes longer than the whole seek."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _moment(checkpoint: tuple[int, ClusterView]) -> int:
    return checkpoint[0]


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
