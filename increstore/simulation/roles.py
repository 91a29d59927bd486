"""The shards of the simulated world: what each keeps, reads and writes.

They follow the drivers in `runtime`: a target whose write failed ends its life and starts again
from what is durable.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, cast

from increstore.protocol.ready import (
    ApplyBatch,
    BatchesApplied,
    BatchRejected,
    FinalizeFailed,
    FinalizeRows,
    PageFailed,
    PageRead,
    ReadPage,
    RowsFinalized,
    RunSealed,
    SealRun,
    StoreFailed,
)
from increstore.protocol.source_shard import SourceShard
from increstore.protocol.target_shard import TargetShard
from increstore.protocol.topology import table_of
from increstore.runtime.narrate import (
    narrate_applied,
    narrate_recovery,
    narrate_seal,
)
from increstore.scenario.garble import garbled
from increstore.simulation.ambient import MS, Span
from increstore.simulation.digest import state_digest
from increstore.simulation.disk import DiskCorrupted
from increstore.simulation.disk_node import OF_RECORDS, REFUSED, DiskNode, Fate
from increstore.simulation.nodes import SimulatedNode
from increstore.simulation.store import SimulatedStore, batch_frame
from increstore.simulation.strikes import Strike
from increstore.simulation.workload import payload_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.journal import Journal
    from increstore.protocol.messages import ScanId, StreamEvidence
    from increstore.protocol.ready import Effect, Event
    from increstore.protocol.records import Record
    from increstore.simulation.disk import Frame
    from increstore.simulation.world import World

READ_SPAN = Span(MS // 2, MS)
STORE_RESTART_NS = 500 * MS


class SimulatedSource(SimulatedNode):
    """A source shard; the chain it reads is never lost."""

    def make_core(self) -> SourceShard:
        table = self.world.topology.table(table_of(self.name))
        return SourceShard(self.name, table.targets, self.world.source_config)

    def append(self, records: Sequence[Record]) -> None:
        raise AssertionError("a source shard keeps no durable records")

    def perform(self, effect: Effect) -> None:
        assert isinstance(effect, ReadPage)
        self.give_later(self.delay("read", READ_SPAN), self._read(effect))

    def _read(self, effect: ReadPage) -> PageRead | PageFailed:
        world, scan, page = self.world, effect.scan, effect.page
        fault = world.director.page_fault(world.now, self.name, scan, page)
        if fault is not None:
            world.tell_of_faults()
            if not fault.garbles:
                return PageFailed(scan, page, fault.transient, fault.error)
        pages = world.workload.pages(self.name, scan.incremental)
        if page >= len(pages):
            if page == 0:
                self.judge.scan_read(world.now, self.name, scan, 0, 0, (), True)
            return PageRead(scan, page, rows=0, batches=(), last=True)
        if world.strikes(world.ambient.page_failure, self, "page failure"):
            if world.strikes_kept is not None:
                world.strikes_kept.append(_page_strike(world.now, scan, page))
            return PageFailed(scan, page, transient=True, error="the disk hiccups (drawn)")
        batches = pages[page]
        rows = sum(batch.rows for batch in batches)
        last = page + 1 == len(pages)
        self.judge.scan_read(world.now, self.name, scan, page, rows, batches, last)
        read = PageRead(scan, page, rows, batches, last)
        return read if fault is None else garbled(read)


def _page_strike(now: int, scan: ScanId, page: int) -> Strike:
    return Strike(
        "page", now, scan.source, number=page, incremental=scan.incremental, attempt=scan.attempt
    )


class SimulatedTarget(DiskNode):
    """A target shard with its store."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._table = world.topology.table(table_of(name))
        self.store: SimulatedStore
        """What is durable, as of the last start and what was written since."""
        self._seal: Sequence[StreamEvidence] = ()
        """The streams of the last seal that was written."""
        self._rejected: dict[str, ScanId] = {}
        """By source: the scan of which a batch was unfit in this life."""
        self._failure = ""
        """Why a write has failed in this life: what is durable is not known any more."""

    def narrate(self, journal: Journal, event: Event) -> None:
        if isinstance(event, RunSealed):
            narrate_seal(journal, self.name, event.incremental, self._seal)
        else:
            super().narrate(journal, event)

    def make_core(self) -> TargetShard | None:
        self.store = SimulatedStore(self.world.workload, self._table.table)
        self._rejected.clear()
        self._failure = ""
        try:
            for frame in self.disk.read():
                self.store.apply(frame)
        except DiskCorrupted as error:
            self.world.storage_corrupted(self.name, str(error))
            return None
        state = self.store.state()
        self.judge.recovered(self.world.now, self.name, state)
        if self.world.journal is not None:
            narrate_recovery(self.world.journal, self.name, state)
        return TargetShard(self.name, self._table, self.world.topology.restore, state)

    def append(self, records: Sequence[Record]) -> None:
        self.enqueue("generation", records)

    def perform(self, effect: Effect) -> None:
        match effect:
            case ApplyBatch(scan):
                if scan != self._rejected.get(scan.source):
                    self.enqueue("append", effect)
            case SealRun():
                self.enqueue("seal", effect)
            case _:
                assert isinstance(effect, FinalizeRows)
                self._finalize(effect)

    def _finalize(self, effect: FinalizeRows) -> None:
        """As the store does: what is final already stays so, and every batch is read again."""
        found = self.store.finalized
        if found is not None:
            self.give_later(self.delay("read", READ_SPAN), RowsFinalized(*found))
        elif self.disk.damaged and (place := self._damaged_batch()):
            error = f"storage corrupted: frame {place} is not what was written"
            failed = FinalizeFailed(transient=False, error=error)
            self.give_later(self.delay("read", READ_SPAN), failed)
        else:
            self.enqueue("finalize", effect)

    def _damaged_batch(self) -> int:
        """The place (1-based) of the first batch that is damaged; 0 when none is."""
        for place, frame in enumerate(self.disk.frames):
            if place in self.disk.damaged and frame[0] == "batch":
                return place + 1
        return 0

    def rested(self, event: Event) -> None:
        if isinstance(event, StoreFailed):
            self.world.at(self.world.now + STORE_RESTART_NS, 0, self.start, None)
            self.stop()

    def fate_of_write(self, operation: str) -> Fate:
        """As the real performer does it: records that wait for the disk fail as the write before
        them, and are not written."""
        if self._failure and operation == "generation":
            return Fate(0, REFUSED, self._failure)
        return super().fate_of_write(operation)

    def leaves_parts(self, operation: str) -> bool:
        """Segment files grow in place; final rows are made under a name that does not count."""
        return operation != "finalize"

    def unfit(self, work: list[Any]) -> ApplyBatch | None:
        """The first batch that the real store would refuse: its payload has gone bad on the way."""
        for batch in work:
            if payload_digest(batch.payload) != batch.digest:
                self._rejected[batch.scan.source] = batch.scan
                error = "the payload is not what its digest says; nothing of its group was written"
                self.give_later(0, BatchRejected(batch.scan, batch.order, error))
                return cast("ApplyBatch", batch)
        return None

    def frames_of(self, operation: str, work: list[Any]) -> list[Frame]:
        match operation:
            case "append":
                return [batch_frame(batch) for batch in work]
            case "generation":
                return [("generation", record.generation) for record in work[0]]
            case "seal":
                return [("seal", work[0].incremental, work[0].streams)]
            case _:
                values = self.store.values
                return [("final", len(values), state_digest(values))]

    def written(self, operation: str, work: list[Any], frames: list[Frame]) -> None:
        now, judge, name = self.world.now, self.judge, self.name
        for frame in frames:
            self.store.apply(frame)
        match operation:
            case "append":
                self._applied(work)
            case "generation":
                self.appended()
            case "seal":
                judge.sealed(now, name, work[0].incremental, work[0].streams)
                self._seal = work[0].streams
                self.handle(RunSealed(work[0].incremental))
            case _:
                rows, digest = frames[0][1:]
                judge.finalized(now, name, rows, digest)
                self.handle(RowsFinalized(rows, digest))

    def take_hold(self, operation: str, work: list[Any], frames: list[Frame]) -> None:
        """Only final rows are looked for again in the same life."""
        if operation == "finalize":
            self.store.apply(frames[0])
            self.judge.finalized(self.world.now, self.name, *frames[0][1:])

    def _applied(self, batches: list[ApplyBatch]) -> None:
        now, judge = self.world.now, self.judge
        ends: dict[Any, int] = {}
        for batch in batches:
            judge.applied(now, self.name, batch.scan, batch.order, batch.rows, batch.digest)
            ends[batch.scan] = batch.order
        if self.world.journal is not None:
            narrate_applied(self.world.journal, self.name, batches)
        for scan, order in ends.items():
            self.handle(BatchesApplied(scan, order))

    def write_failed(self, operation: str, work: list[Any], error: str) -> None:
        if operation == "finalize":
            self.handle(FinalizeFailed(transient=True, error=error))
            return
        self.judge.write_failed(self.world.now, self.name)
        self._failure = error
        self._work = deque(waiting for waiting in self._work if waiting[0] in OF_RECORDS)
        failure = StoreFailed(error, corrupted=False)
        if operation == "generation":
            self.append_failed(failure)
        else:
            self.handle(failure)
