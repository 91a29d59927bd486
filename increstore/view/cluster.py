"""A whole restore as people see it, folded from the events of its journal, one by one.

Rules of this file:
- Nothing is shown that no event has said. What the coordinator has is told by its durable records;
  what a shard does, by its own events; where both speak, the state is the sadder of the two.
- A source shard whose scan has ended and of which the coordinator has no report is *unnotified*:
  that is the state that must never be overlooked.
- Events of another version, and events that are not for a view, change nothing but the clock.
- Folding is O(1) an event; `dirty` names the shards that changed since it was last emptied.
- A snapshot shares what it copies with the view it was taken of. So whatever changes a part asks
  for it by `shard`, `incremental_at`, `stream` or `fault`: they copy what is not this view's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.topology import COORDINATOR
from increstore.view.folding import FOLDS
from increstore.view.shards import (
    BarrierView,
    FaultView,
    IncrementalView,
    ShardView,
    StreamView,
)

if TYPE_CHECKING:
    from increstore.journal import JournalEvent

DOWN = ("crashed", "stopped", "cut")
"""States that hide what a node was doing; it goes on with that when they end."""


class ClusterView:
    """The state of a restore after some number of events."""

    def __init__(self) -> None:
        self.title = ""
        self.restore = ""
        self.mode = ""
        self.seed: int | None = None
        self.scenario = ""
        self.state = "waiting"
        """A restore's state: "waiting", "running", "finalizing", "completed", "paused", .."""
        self.reason = ""
        self.generation = 0
        self.started_at = 0
        self.now = 0
        """Nanoseconds since 1970 of the last event."""
        self.events = 0
        """Events folded."""
        self.gaps = 0
        """Events that the source says were left out."""
        self.strange = 0
        """Events that lack what their name promises."""
        self.last_incremental = -1
        self.incremental = -1
        """The one that runs, or the last that did."""
        self.incrementals: list[IncrementalView] = []
        self.shards: dict[str, ShardView] = {}
        self.barrier: BarrierView | None = None
        self.faults: dict[str, FaultView] = {}
        self.rows_applied = 0
        """Rows of scans that have been reported, durably."""
        self.rows_before = 0
        """Those of them that were durable when the coordinator of now began."""
        self.began_at = 0
        """When that was; 0: it found nothing, or has not told."""
        self.moved_at = 0
        """When rows were last read, sent or applied, or a backup begun or sealed; 0: never."""
        self.dirty: dict[str, None] = {}
        self.version = 0
        """Rises with each event that changed anything to be seen."""
        self._own: set[object] = set()
        """Keys of the parts that no snapshot shares."""

    # --- What widgets ask.

    @property
    def sources(self) -> list[ShardView]:
        return [shard for shard in self.shards.values() if shard.role == "source"]

    @property
    def targets(self) -> list[ShardView]:
        return [shard for shard in self.shards.values() if shard.role == "target"]

    @property
    def unnotified(self) -> list[ShardView]:
        """Sources that have ended a scan of which the coordinator knows nothing."""
        return [shard for shard in self.shards.values() if shard.state == "unnotified"]

    @property
    def active_faults(self) -> list[FaultView]:
        return [fault for fault in self.faults.values() if fault.state == "active"]

    @property
    def rows_moved(self) -> int:
        """Rows that are applied: of scans that have been reported, and of those that run."""
        if not 0 <= self.incremental < len(self.incrementals):
            return self.rows_applied
        reported = self.incrementals[self.incremental].reported
        return self.rows_applied + sum(
            shard.rows_applied
            for shard in self.shards.values()
            if shard.role == "source"
            and shard.incremental == self.incremental
            and shard.name not in reported
        )

    @property
    def elapsed_ns(self) -> int:
        return max(0, self.now - self.started_at) if self.started_at else 0

    def table_names(self) -> list[str]:
        return list(dict.fromkeys(shard.table for shard in self.shards.values() if shard.table))

    def snapshot(self) -> ClusterView:
        """A copy that does not change when this view does, and the other way: a checkpoint."""
        copy = ClusterView.__new__(ClusterView)
        vars(copy).update(vars(self))
        copy.incrementals = self.incrementals.copy()
        copy.shards = self.shards.copy()
        copy.faults = self.faults.copy()
        copy.dirty = dict.fromkeys(self.shards)
        self._own, copy._own = set(), set()
        return copy

    # --- Folding.

    def apply(self, event: JournalEvent) -> None:
        """Take in one event."""
        if not self.started_at:
            self.started_at = event.at
        self.now = max(self.now, event.at)
        self.events += 1
        fold = FOLDS.get(event.name)
        if fold is None:
            return
        try:
            fold(self, event.node, event.facts, event.at)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            # A journal is read as it is: what one event lacks must not hide all the others.
            self.strange += 1
        self.version += 1

    def shard(self, name: str) -> ShardView:
        """The shard of this name, to be changed; one that nobody has told of yet is made."""
        self.dirty[name] = None
        if name in self._own:
            return self.shards[name]
        self._own.add(name)
        shared = self.shards.get(name)
        found = self.shards[name] = _new_shard(name, self.now) if shared is None else shared.clone()
        return found

    def incremental_at(self, number: int) -> IncrementalView:
        """The incremental of this number, to be changed; those before it exist as well then."""
        while len(self.incrementals) <= number:
            self.incrementals.append(IncrementalView(len(self.incrementals)))
        self.last_incremental = max(self.last_incremental, number)
        if number not in self._own:
            self._own.add(number)
            self.incrementals[number] = self.incrementals[number].clone()
        return self.incrementals[number]

    def stream(self, source: str, target: str, incremental: int, attempt: int) -> StreamView:
        """The stream of both ends, to be changed; that of an earlier attempt is forgotten."""
        theirs, ours = self.shard(source).streams, self.shard(target).streams
        key = (source, target)
        found = ours.get(key)
        if found is None or (found.incremental, found.attempt) < (incremental, attempt):
            found = StreamView(source, target, incremental, attempt)
            self._own.add(key)
        elif key not in self._own:
            found = found.clone()
            self._own.add(key)
        theirs[key] = ours[key] = found
        return found

    def fault(self, name: str, kind: str, at: int) -> FaultView:
        """The fault of this name, to be changed; one that struck for the first time is made."""
        shared = self.faults.get(name)
        found = FaultView(name, kind, "active", at, hits=0) if shared is None else shared.clone()
        self.faults[name] = found
        return found

    def set_state(self, shard: ShardView, state: str, at: int) -> None:
        """What the shard does now. One that is down stays down until it is said to be back."""
        is_down_for_all_that = shard.state in DOWN and state not in DOWN
        if shard.state != state and not is_down_for_all_that:
            shard.state, shard.since = state, at


def _new_shard(name: str, now: int) -> ShardView:
    """A shard as its name tells it: `<table>/s<n>`, `<table>/t<n>`, or the coordinator."""
    table, _, last = name.rpartition("/")
    role = {"s": "source", "t": "target"}.get(last[:1], COORDINATOR) if table else COORDINATOR
    return ShardView(name, role, table, since=now)
