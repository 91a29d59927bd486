"""The target shard: applies batches exactly once and in order, and seals what the evidence says.

Rules of this file:
- A higher generation is remembered durably before anything is done for it; a lower one is refused.
- Only the one incremental that is due accepts batches: the first of the table's that has no seal.
- A stream belongs to one attempt of one source shard; a higher attempt begins it anew. It is
  opened by its first batch, or by the question where it is.
- The watermark that is told is the durable one, never the accepted one.
- A seal needs the evidence of the source shards to equal what is durable here, stream by stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.chain_position import ChainPosition
from increstore.protocol.fence import Fence, Objection
from increstore.protocol.messages import (
    ApplyChanges,
    CancelRestore,
    ChangesApplied,
    Finalize,
    Finalized,
    IncrementalSealed,
    Message,
    OpenStream,
    Reason,
    Refused,
    ScanId,
    SealIncremental,
    StreamEvidence,
    StreamOpened,
)
from increstore.protocol.outbox import Outbox
from increstore.protocol.ready import (
    ApplyBatch,
    BatchesApplied,
    BatchRejected,
    Core,
    Event,
    FinalizeFailed,
    FinalizeRows,
    Ready,
    Received,
    RowsFinalized,
    RunSealed,
    SealRun,
    StoreFailed,
    TimePassed,
)
from increstore.protocol.records import GenerationSeen
from increstore.protocol.seal_check import objection_to_seal
from increstore.protocol.target_stream import StreamTable
from increstore.protocol.topology import COORDINATOR, TableTopology

if TYPE_CHECKING:
    from increstore.protocol.target_state import TargetState


class TargetShard(Core):
    """One target shard, started from what its store recovered."""

    def __init__(self, name: str, table: TableTopology, restore: str, state: TargetState) -> None:
        self.name = name
        self.dropped: dict[str, int] = {}
        """Messages that had no effect, counted by why."""
        self._sources = frozenset(table.sources)  # Only ever asked for membership.
        self._restore = restore
        self._fence = Fence(name, restore, state.generation)
        self._chain = ChainPosition(name, table.incrementals, state.sealed)
        self._streams = StreamTable(name, self._chain.due, state.streams)
        self._finalized = state.finalized
        self._is_finalizing = False
        self._broken: Objection | None = None
        self._outbox = Outbox()

    def step(self, now: int, event: Event) -> Ready:
        """Advance by one event. A target waits for nobody, so it never asks to be woken."""
        if isinstance(event, Received):
            self._hear(event.sender, event.message)
        elif not isinstance(event, TimePassed):
            self._hear_store(event)
        return self._outbox.take(None)

    @property
    def generation(self) -> int:
        """The highest coordinator generation obeyed so far."""
        return self._fence.generation

    @property
    def streams(self) -> tuple[StreamEvidence, ...]:
        """Durably applied so far, per stream of the incremental that is due."""
        return tuple(stream.evidence for stream in self._streams.by_source.values())

    # --- The gate: what other nodes say.

    def _hear(self, sender: str, message: Message) -> None:
        match message:
            case ApplyChanges() | OpenStream():
                self._hear_source(sender, message)
            case SealIncremental() | Finalize():
                self._hear_coordinator(sender, message)
            case CancelRestore():
                if not self._fence.cancel(message):
                    self._drop("CancelRestore of another restore or generation")
            case _:
                self._drop(f"{type(message).__name__} is nothing for a target shard")

    def _hear_source(self, sender: str, message: ApplyChanges | OpenStream) -> None:
        scan = message.scan
        objection = self._admit(scan.restore, message.generation)
        objection = objection or self._objection_to_scan(sender, scan)
        if objection is not None:
            self._refuse(sender, scan.incremental, scan, objection, message.generation)
        elif isinstance(message, ApplyChanges):
            self._apply_changes(sender, message)
        else:
            self._open_stream(sender, message)

    def _hear_coordinator(self, sender: str, message: SealIncremental | Finalize) -> None:
        objection = self._admit(message.restore, message.generation)
        if isinstance(message, SealIncremental):
            incremental = message.incremental
            objection = objection or self._seal(sender, message)
        else:
            incremental = self._chain.last
            objection = objection or self._finalize(sender)
        if objection is not None:
            refused = Refused(message.restore, message.generation, incremental, None, *objection)
            self._outbox.send(sender, refused)

    def _admit(self, restore: str, generation: int) -> Objection | None:
        """The fences of every request; a higher generation that passes is remembered first."""
        objection = self._fence.objection(restore, generation)
        if objection is None:
            objection = self._broken
        if objection is None and self._fence.adopt(restore, generation):
            self._outbox.record(GenerationSeen(generation))
        return objection

    def _objection_to_scan(self, sender: str, scan: ScanId) -> Objection | None:
        if scan.source not in self._sources or sender != scan.source:
            told = f"{self.name} takes no changes of {scan.source} from {sender}"
            return Reason.UNKNOWN_SHARD, told
        objection = self._chain.objection_to_changes(scan.incremental)
        return objection or self._streams.objection(scan)

    # --- Streams.

    def _open_stream(self, sender: str, message: OpenStream) -> None:
        stream = self._streams.open(message.scan)
        opened = StreamOpened(message.scan, self.generation, stream.watermark)
        self._outbox.send(sender, opened)

    def _apply_changes(self, sender: str, message: ApplyChanges) -> None:
        stream = self._streams.find(message.scan)
        if stream is None and message.order == 1:
            stream = self._streams.open(message.scan)
        if stream is None:
            self._drop("batch of a stream that is not open")
        elif message.order == stream.accepted + 1:
            stream.accept(message)
            batch = ApplyBatch(
                message.scan, message.order, message.rows, message.digest, message.payload
            )
            self._outbox.effect(batch)
        elif message.order <= stream.watermark:
            self._drop("batch that is applied")
            applied = ChangesApplied(message.scan, self.generation, stream.watermark)
            self._outbox.send(sender, applied)
        elif message.order <= stream.accepted:
            self._drop("batch that is being applied")  # Its write will be answered.
        else:
            self._drop("batch after a gap")  # The source asks where we are when nothing moves.

    # --- Seal and final rows.

    def _seal(self, sender: str, message: SealIncremental) -> Objection | None:
        incremental, chain = message.incremental, self._chain
        if incremental in chain.sealed:
            self._say_sealed(sender, incremental)
            return None
        objection = chain.objection_to_turn(incremental)
        if objection is not None or chain.sealing is not None:
            return objection  # None: the answer is under way.
        streams = self._streams.by_source
        mismatch = objection_to_seal(self.name, incremental, message.sent, streams)
        if mismatch is not None:
            return Reason.EVIDENCE_MISMATCH, mismatch
        chain.sealing = message.sent
        self._outbox.effect(SealRun(incremental, message.sent))
        return None

    def _finalize(self, sender: str) -> Objection | None:
        objection = self._chain.objection_to_turn(None)
        if objection is not None:
            return objection
        if self._finalized is not None:
            self._say_finalized(sender)
        elif not self._is_finalizing:
            self._is_finalizing = True
            self._outbox.effect(FinalizeRows())
        return None

    # --- What the store says.

    def _hear_store(self, event: Event) -> None:
        match event:
            case BatchesApplied():
                self._batches_applied(event.scan, event.watermark)
            case BatchRejected(scan, order, error):
                self._batch_rejected(scan, order, error)
            case RunSealed():
                self._run_sealed(event.incremental)
            case RowsFinalized() | FinalizeFailed():
                self._finalize_ended(event)
            case StoreFailed():
                self._store_failed(event)
            case _:
                self._drop(f"{type(event).__name__} is nothing for a target shard")

    def _batches_applied(self, scan: ScanId, watermark: int) -> None:
        stream = self._streams.find(scan)
        if stream is None:
            self._drop("write of an attempt that is over")
        elif stream.make_durable(watermark):
            applied = ChangesApplied(scan, self.generation, stream.watermark)
            self._outbox.send(scan.source, applied)

    def _batch_rejected(self, scan: ScanId, order: int, error: str) -> None:
        stream = self._streams.find(scan)
        if stream is None:
            self._drop("write of an attempt that is over")
            return
        stream.reject(f"batch {order} of incremental {scan.incremental}: {error}")
        objection = (Reason.BATCH_REJECTED, stream.rejection)
        self._refuse(scan.source, scan.incremental, scan, objection)

    def _run_sealed(self, incremental: int) -> None:
        self._chain.finish_sealing(incremental)
        self._streams.by_source.clear()
        self._say_sealed(COORDINATOR, incremental)

    def _finalize_ended(self, event: RowsFinalized | FinalizeFailed) -> None:
        self._is_finalizing = False
        if isinstance(event, RowsFinalized):
            self._finalized = (event.rows, event.digest)
            self._say_finalized(COORDINATOR)
            return
        # Only the first of the two is worth asking again for; the reason tells them apart.
        reason = Reason.STORAGE_FAILED if event.transient else Reason.FINALIZE_FAILED
        self._refuse(COORDINATOR, self._chain.last, None, (reason, event.error))

    def _store_failed(self, event: StoreFailed) -> None:
        """Nothing is certain until the store was opened anew: say so to everyone who waits."""
        reason = Reason.STORAGE_CORRUPTED if event.corrupted else Reason.STORAGE_FAILED
        self._broken = (reason, event.error)
        for stream in self._streams.by_source.values():
            scan = stream.scan
            self._refuse(scan.source, scan.incremental, scan, self._broken)
        incremental = self._chain.last if self._chain.due is None else self._chain.due
        self._refuse(COORDINATOR, incremental, None, self._broken)

    # --- Helpers.

    def _say_sealed(self, receiver: str, incremental: int) -> None:
        applied = self._chain.sealed[incremental]
        self._outbox.send(
            receiver, IncrementalSealed(self._restore, incremental, self.generation, applied)
        )

    def _say_finalized(self, receiver: str) -> None:
        assert self._finalized is not None
        self._outbox.send(receiver, Finalized(self._restore, self.generation, *self._finalized))

    def _refuse(
        self,
        receiver: str,
        incremental: int,
        scan: ScanId | None,
        objection: Objection,
        asker_generation: int | None = None,
    ) -> None:
        """Say no, under the generation of the asker; under ours when nobody asked."""
        generation = self.generation if asker_generation is None else asker_generation
        restore = scan.restore if scan else self._restore
        self._outbox.send(receiver, Refused(restore, generation, incremental, scan, *objection))

    def _drop(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1
