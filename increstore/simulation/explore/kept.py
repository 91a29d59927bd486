"""What nodes keep when they die: a target's disk, and the coordinator's history with its facts.

Both are values; every change makes a new one and checks the laws of what is durable. They are
written apart from the cores, so that a mistake in a core cannot hide in its own bookkeeping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from increstore.protocol import records as r
from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import Status
from increstore.protocol.target_state import StreamState, TargetState
from increstore.simulation.explore.laws import expect
from increstore.simulation.explore.small_world import DIGESTS

if TYPE_CHECKING:
    from increstore.protocol.messages import ScanId, StreamEvidence
    from increstore.protocol.ready import ApplyBatch
    from increstore.simulation.explore.small_world import SmallWorld


@dataclass(frozen=True, slots=True)
class LiveStream:
    """The durable batches of one source's newest attempt, as (rows, digest) in order."""

    scan: ScanId
    batches: tuple[tuple[int, int], ...] = ()

    def state(self) -> StreamState:
        """What the cores say of it: watermark, rows and the digest that depends on the order."""
        digest = 0
        for order, (_, batch_digest) in enumerate(self.batches, 1):
            digest = fold_batch_digest(digest, order, batch_digest)
        return StreamState(len(self.batches), sum(rows for rows, _ in self.batches), digest)


@dataclass(frozen=True, slots=True)
class Disk:
    """One target shard's storage."""

    generation: int = 0
    sealed: tuple[tuple[int, tuple[StreamEvidence, ...]], ...] = ()
    streams: tuple[LiveStream, ...] = ()
    """Of incrementals that are not sealed yet."""
    folded: tuple[int, int] = (0, 0)
    """(rows, digest) of everything sealed."""
    finalized: tuple[int, int] | None = None

    def recovered(self) -> TargetState:
        """What the core is started from."""
        streams = {stream.scan: stream.state() for stream in self.streams}
        return TargetState(self.generation, dict(self.sealed), streams, self.finalized)

    def has_sealed(self, incremental: int) -> bool:
        return any(number == incremental for number, _ in self.sealed)

    def stream(self, source: str, incremental: int) -> LiveStream | None:
        for stream in self.streams:
            if (stream.scan.source, stream.scan.incremental) == (source, incremental):
                return stream
        return None

    def batches(self, scan: ScanId) -> tuple[tuple[int, int], ...]:
        """What is durable here of exactly this attempt."""
        stream = self.stream(scan.source, scan.incremental)
        return stream.batches if stream and stream.scan == scan else ()

    def remember(self, generation: int) -> Disk:
        told = f"generation {generation} is remembered after {self.generation}"
        expect(generation > self.generation, "S4", told)
        return replace(self, generation=generation)

    def append(self, batch: ApplyBatch) -> Disk:
        """With one batch more. A higher attempt begins the stream anew."""
        scan = batch.scan
        where = f"batch {batch.order} of {scan.source}, attempt {scan.attempt},"
        late = self.finalized is not None or self.has_sealed(scan.incremental)
        expect(not late, "T5", f"{where} is applied when incremental {scan.incremental} is sealed")
        stream = self.stream(scan.source, scan.incremental)
        if stream is None or stream.scan.attempt < scan.attempt:
            stream = LiveStream(scan)
        expect(stream.scan == scan, "E3", f"{where} is applied after {stream.scan.attempt} began")
        held = len(stream.batches)
        expect(batch.order > held, "E1", f"{where} is applied again")
        expect(batch.order == held + 1, "O5", f"{where} is applied after order {held}")
        grown = LiveStream(scan, (*stream.batches, (batch.rows, batch.digest)))
        return self._with(grown)

    def _with(self, grown: LiveStream) -> Disk:
        """With this stream in the place of the one it grew from, or of an earlier attempt."""
        scan = grown.scan
        old = self.stream(scan.source, scan.incremental)
        streams = [stream for stream in self.streams if stream is not old]
        return replace(self, streams=tuple(sorted([*streams, grown], key=lambda s: s.scan)))

    def seal(self, incremental: int, evidence: tuple[StreamEvidence, ...]) -> Disk:
        """What the evidence names counts from here on; other streams are forgotten."""
        rows, digest = self.folded
        for stream in self.streams:
            is_named = any(e.source == stream.scan.source for e in evidence)
            if is_named and stream.scan.incremental == incremental:
                rows += sum(batch[0] for batch in stream.batches)
                digest += sum(batch[1] for batch in stream.batches)
        sealed = (*self.sealed, (incremental, evidence))
        return replace(self, sealed=sealed, streams=(), folded=(rows, digest % DIGESTS))

    def finalize(self) -> Disk:
        return replace(self, finalized=self.folded)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a history says, read by the laws: nothing of it comes from the coordinator's ledger."""

    generation: int = 0
    started: int = -1
    """The last incremental that began."""
    attempts: frozenset[tuple[str, int]] = frozenset()
    """Of that incremental: (source, attempt) where it is not the first."""
    reported: frozenset[tuple[str, int]] = frozenset()
    """Of that incremental: (source, attempt) that have a terminal report."""
    succeeded: frozenset[tuple[int, str]] = frozenset()
    """(incremental, source) that have a durable success."""

    has_ended: bool = False

    def attempt(self, source: str) -> int:
        return dict(self.attempts).get(source, 1)

    def all_succeeded_before(self, incremental: int, world: SmallWorld) -> bool:
        return all(
            (number, source) in self.succeeded
            for number in range(incremental)
            for table in world.topology.tables_changed_in(number)
            for source in table.sources
        )


@dataclass(frozen=True, slots=True)
class History:
    """The coordinator's log."""

    records: tuple[r.CoordinatorRecord, ...] = ()
    facts: Facts = Facts()

    def append(self, records: tuple[Any, ...], world: SmallWorld) -> History:
        facts = self.facts
        for record in records:
            facts = _after(facts, record, world)
        return History((*self.records, *records), facts)


def _after(facts: Facts, record: r.CoordinatorRecord, world: SmallWorld) -> Facts:
    expect(not facts.has_ended, "S6", f"{type(record).__name__} is recorded after the end")
    match record:
        case r.GenerationStarted(generation=generation):
            expect(generation > facts.generation, "K2", f"generation {generation} starts again")
            return replace(facts, generation=generation)
        case r.IncrementalStarted(incremental=incremental):
            expect(incremental == facts.started + 1, "O4", f"incremental {incremental} starts now")
            told = f"incremental {incremental} begins, and a scan before it has not succeeded"
            expect(facts.all_succeeded_before(incremental, world), "O1", told)
            return replace(facts, started=incremental, attempts=frozenset(), reported=frozenset())
        case r.ScanReported():
            return _reported(facts, record)
        case r.RetryScheduled(scan=scan):
            attempts = dict(facts.attempts) | {scan.source: scan.attempt}
            return replace(facts, attempts=frozenset(attempts.items()))
        case r.FinalizingStarted() | r.RestoreCompleted():
            last = world.topology.last_incremental
            is_all = facts.all_succeeded_before(last + 1, world)
            expect(is_all, "C5", "the restore ends, and a scan has not succeeded")
    has_ended = isinstance(record, r.RestoreCompleted | r.RestoreCancelled)
    return replace(facts, has_ended=True) if has_ended else facts


def _reported(facts: Facts, record: r.ScanReported) -> Facts:
    scan = record.scan
    told = f"a report of {scan.source} on incremental {scan.incremental}, attempt {scan.attempt},"
    awaited = (facts.started, facts.attempt(scan.source))
    where = f"while incremental {awaited[0]}, attempt {awaited[1]}, is awaited"
    expect((scan.incremental, scan.attempt) == awaited, "S2", f"{told} counts {where}")
    key = (scan.source, scan.attempt)
    expect(key not in facts.reported, "C4", f"{told} counts a second time")
    reported, succeeded = facts.reported | {key}, facts.succeeded
    if record.status is Status.SUCCESS:
        succeeded |= {(scan.incremental, scan.source)}
    return replace(facts, reported=reported, succeeded=succeeded)
