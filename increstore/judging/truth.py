"""What is true of a restore as far as it was observed: the ground on which invariants are judged.

Rules of this file:
- A fact is taken in after it was judged; nothing here objects.
- What was once durable stays known (`best`, `totals`) even when a fault has taken it away, because
  whoever was told of it rightly still says so; what is durable now is `end`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from increstore.judging.history import COMPLETED, History
from increstore.judging.streams import Owed, Source, Stream, Target
from increstore.protocol.messages import (
    CompletionNotification,
    Finalize,
    Finalized,
    IncrementalSealed,
    ScanId,
    SealIncremental,
    StartScan,
)
from increstore.protocol.records import GenerationStarted, IncrementalCompleted
from increstore.protocol.target_state import StreamState
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from increstore.protocol.ready import Batch
    from increstore.protocol.target_state import TargetState
    from increstore.protocol.topology import Topology


class Truth:
    """Everything observed of one restore."""

    def __init__(self, topology: Topology, cap: int) -> None:
        self.topology = topology
        self.restore = topology.restore
        self.cap = cap
        self.sources: dict[str, Source] = {}
        self.targets: dict[str, Target] = {}
        for table in topology.tables:
            self.sources.update((name, Source(name, table)) for name in table.sources)
            self.targets.update((name, Target(name, table)) for name in table.targets)
        self._spoken_of: dict[str, dict[str, Stream]] = {name: {} for name in self.targets}
        """By target and source, the stream that was asked for last: nearly always the next one."""
        self.histories: dict[str, History] = {COORDINATOR: History(COORDINATOR, topology)}
        self.by_generation: dict[int, History] = {}
        """Whose history a message of this generation rests on."""
        self.generation = 0
        """The highest ever recorded."""
        self.overtaken: dict[int, str] = {}
        """By generation, the shard that has told its coordinator that it obeys a newer one."""
        self.completed = -1
        """The highest incremental that any coordinator has ever completed."""
        self.is_published = False
        self.is_healed = False
        self.moved_at = 0
        """When something was last made durable."""
        self.decided_at: int | None = None
        """When the coordinator made its last step; None when steps are not told."""
        self.rolled_back: dict[str, None] = {}
        """Nodes that have lost durable data to a fault since they last came up."""
        self.clocks_changed: dict[str, None] = {}
        self._said: dict[tuple[Any, ...], list[Any]] = {}
        """Questions, reports and answers that were ever sent (see `_said`)."""
        self.reports_heard: dict[tuple[str, int, int], list[CompletionNotification]] = {}
        """By (source, incremental, attempt)."""
        self.refusals_heard: dict[tuple[str, int, int], None] = {}
        self.seals_heard: dict[tuple[str, int], IncrementalSealed] = {}
        self.finals_heard: dict[str, Finalized] = {}
        self.rows_applied: dict[tuple[str, int, int], int] = {}
        """Rows that were ever durable, by (source, incremental, attempt)."""
        self._owed: dict[tuple[str, int], Owed] = {}
        self._parts: dict[int, dict[str, None]] = {}

    def takes_part(self, shard: str, incremental: int) -> bool:
        """Whether the incremental changes the shard's table."""
        parts = self._parts.get(incremental)
        if parts is None:
            parts = self._parts[incremental] = {
                name: None
                for table in self.topology.tables_changed_in(incremental)
                for name in (*table.sources, *table.targets)
            }
        return shard in parts

    @property
    def knows_steps(self) -> bool:
        """Whether every step of the only coordinator is told, so that times are exact."""
        return self.decided_at is not None and len(self.histories) == 1

    def decided(self, now: int) -> int:
        """When the coordinator decided what has become durable, or is said, now."""
        if self.decided_at is None or len(self.histories) > 1:
            return now
        return self.decided_at

    def owed(self, source: str, incremental: int) -> Owed:
        """What the source has to send for the incremental, as far as it was read."""
        owed = self._owed.get((source, incremental))
        if owed is None:
            owed = self._owed[source, incremental] = Owed()
        return owed

    def stream(self, target: str, scan: ScanId) -> Stream | None:
        """The stream, made when it is first spoken of; None when it cannot be of this restore."""
        spoken_of = self._spoken_of.get(target)
        if spoken_of is None or scan.restore != self.restore:
            return None
        stream = spoken_of.get(scan.source)
        if (
            stream is None
            or stream.incremental != scan.incremental
            or stream.attempt != scan.attempt
        ):
            stream = self._find_stream(self.targets[target], scan)
            if stream is not None:
                spoken_of[scan.source] = stream
        return stream

    def _find_stream(self, at: Target, scan: ScanId) -> Stream | None:
        stream = at.streams.get((scan.source, scan.incremental, scan.attempt))
        if stream is not None:
            return stream
        source = self.sources.get(scan.source)
        if source is None or source.table is not at.table:
            return None
        stream = Stream(at, source, scan, self.owed(scan.source, scan.incremental))
        at.add_stream(stream)
        return stream

    def has_succeeded(self, source: str, incremental: int) -> bool:
        """Whether any coordinator has a durable success of it."""
        for history in self.histories.values():
            if source in history.reports.get(incremental, ()):
                return True
        return False

    def usurp(self, overtaken: str) -> None:
        """The coordinator goes on as `overtaken`; another begins from the same history."""
        old = self.histories[COORDINATOR]
        new = old.fork(COORDINATOR)
        new.begin_life()
        old.name = overtaken
        self.histories = {**self.histories, overtaken: old, COORDINATOR: new}

    def was_said(self, message: Said, shard: str = "") -> bool:
        """Whether this question, report or answer was ever sent; `shard` is who is asked, or
        answers."""
        key, told = _said(message, shard)
        return told in self._said.get(key, ())

    # --- What is taken in.

    def say(self, message: Said, shard: str = "") -> None:
        """A question, report or answer is sent (see `was_said`)."""
        key, told = _said(message, shard)
        before = self._said.setdefault(key, [])
        if told not in before:
            before.append(told)

    def read(self, scan: ScanId, page: int, batches: Sequence[Batch], last: bool) -> None:
        owed = self.owed(scan.source, scan.incremental)
        if owed.page(page) is None:
            told = tuple([(batch.target, batch.rows, batch.digest) for batch in batches])
            owed.take(page, told, last)

    def record(self, now: int, history: History, record: Any) -> None:
        """A coordinator's record is durable."""
        history.take(self.decided(now), record)
        if type(record) is GenerationStarted:
            self.generation = max(self.generation, record.generation)
            self.by_generation[record.generation] = history
            self.overtaken.pop(record.generation, None)
        elif type(record) is IncrementalCompleted:
            self.completed = max(self.completed, record.incremental)
        elif history.halt == COMPLETED:
            self.is_published = True

    def count_applied(self, stream: Stream, rows: int) -> None:
        """Rows of a scan are durable that never were before."""
        key = (stream.source.name, stream.incremental, stream.attempt)
        self.rows_applied[key] = self.rows_applied.get(key, 0) + rows

    def recover_history(self, now: int, name: str, found: Iterable[Any]) -> None:
        """A coordinator has come up with these records."""
        records = list(found)
        history = self.histories[name]
        if self.rolled_back.pop(name, True) is None:
            history = self.histories[name] = History(name, self.topology)
        for record in records[len(history.records) :]:
            self.record(now, history, record)
        history.begin_life()

    def recover_target(self, target: Target, state: TargetState) -> None:
        """A target has come up with what is in its store."""
        self.rolled_back.pop(target.name, None)
        target.generation = state.generation
        target.sealed = dict(state.sealed)
        target.finalized = state.finalized
        target.find_due()
        durable = {
            (scan.source, scan.incremental, scan.attempt): stream
            for scan, stream in state.streams.items()
        }
        for incremental, streams in state.sealed.items():
            for told in streams:
                durable[told.source, incremental, told.attempt] = StreamState(
                    told.batches, told.rows, told.digest
                )
        for source, incremental, attempt in (*target.streams, *durable):
            stream = self.stream(target.name, ScanId(self.restore, incremental, source, attempt))
            if stream is not None:
                found = durable.get((source, incremental, attempt))
                self.count_applied(stream, stream.recover(found))
        target.forget()


Said: TypeAlias = (
    StartScan | CompletionNotification | SealIncremental | IncrementalSealed | Finalize | Finalized
)


def _said(it: Said, shard: str) -> tuple[tuple[Any, ...], object]:
    """What tells two questions, reports or answers apart, and what they say; `shard` is who is
    asked, or answers."""
    if isinstance(it, StartScan):
        scan = it.scan
        return (StartScan, scan.source, scan.incremental, scan.attempt, it.generation), None
    if isinstance(it, CompletionNotification):
        scan = it.scan
        told = (it.status, it.rows_scanned, it.evidence)
        return (scan.source, scan.incremental, scan.attempt, it.generation), told
    if isinstance(it, SealIncremental):
        return (SealIncremental, shard, it.incremental, it.generation), it.sent
    if isinstance(it, IncrementalSealed):
        return (IncrementalSealed, shard, it.incremental, it.generation), it.applied
    if isinstance(it, Finalized):
        return (Finalized, shard, it.generation), (it.rows, it.digest)
    return (Finalize, shard, it.generation), None
