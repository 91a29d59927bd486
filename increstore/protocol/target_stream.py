"""Streams as their target sees them: what was accepted, and what of it is durable."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import Reason, StreamEvidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from increstore.protocol.fence import Objection
    from increstore.protocol.messages import ApplyChanges, ScanId
    from increstore.protocol.target_state import StreamState


class TargetStream:
    """The batches of one scan, accepted strictly one after the other.

    Invariant: 0 <= watermark <= accepted; rows and digest speak of the first `watermark` batches.
    """

    __slots__ = ("_pending", "accepted", "digest", "rejection", "rows", "scan", "watermark")

    def __init__(self, scan: ScanId, durable: StreamState | None = None) -> None:
        self.scan = scan
        self.watermark = durable.watermark if durable else 0
        self.rows = durable.rows if durable else 0
        self.digest = durable.digest if durable else 0
        self.accepted = self.watermark
        self.rejection = ""
        """Why a batch of this attempt can never be applied; nothing after it is accepted."""
        self._pending: deque[tuple[int, int]] = deque()

    @property
    def evidence(self) -> StreamEvidence:
        """What is durably applied."""
        scan = self.scan
        return StreamEvidence(scan.source, scan.attempt, self.rows, self.watermark, self.digest)

    def accept(self, message: ApplyChanges) -> None:
        """Take in the next batch, whose write is now under way."""
        assert message.order == self.accepted + 1
        self.accepted += 1
        self._pending.append((message.rows, message.digest))

    def make_durable(self, watermark: int) -> bool:
        """Count everything up to `watermark`; False when that is nothing new."""
        assert watermark <= self.accepted, "the store cannot have more than it was given"
        is_new = watermark > self.watermark
        while self.watermark < watermark:
            rows, digest = self._pending.popleft()
            self.watermark += 1
            self.rows += rows
            self.digest = fold_batch_digest(self.digest, self.watermark, digest)
        return is_new

    def reject(self, error: str) -> None:
        """A batch was found unfit; what is pending from it on will not be written."""
        self.rejection = error
        self.accepted = self.watermark
        self._pending.clear()


class StreamTable:
    """The streams of the incremental that is due: of each source shard its newest attempt."""

    __slots__ = ("_name", "by_source")

    def __init__(self, name: str, due: int | None, durable: Mapping[ScanId, StreamState]) -> None:
        self._name = name
        self.by_source: dict[str, TargetStream] = {}
        for scan in sorted(durable):
            if scan.incremental == due:
                self.by_source[scan.source] = TargetStream(scan, durable[scan])

    def find(self, scan: ScanId) -> TargetStream | None:
        """The stream of exactly this attempt, unless a batch of it was rejected."""
        stream = self.by_source.get(scan.source)
        if stream is None or stream.scan != scan or stream.rejection:
            return None
        return stream

    def open(self, scan: ScanId) -> TargetStream:
        """The stream of this attempt, begun anew when it is the first of it."""
        stream = self.by_source.get(scan.source)
        if stream is None or stream.scan != scan:
            stream = self.by_source[scan.source] = TargetStream(scan)
        return stream

    def objection(self, scan: ScanId) -> Objection | None:
        """Why this attempt may not send (any more), or None."""
        stream = self.by_source.get(scan.source)
        if stream is None or scan.attempt > stream.scan.attempt:
            return None
        if scan.attempt < stream.scan.attempt:
            return Reason.STALE_ATTEMPT, f"{self._name} is at attempt {stream.scan.attempt}"
        if stream.rejection:
            return Reason.BATCH_REJECTED, stream.rejection
        return None
