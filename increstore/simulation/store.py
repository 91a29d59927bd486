"""What a simulated target shard keeps: frames on a simulated disk, and the rows they stand for.

The same frames are applied while it runs and after a crash, so recovery is a replay and nothing
else. Rows are folded here by plain dictionaries, one change at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import ScanId
from increstore.protocol.target_state import StreamState, TargetState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from increstore.protocol.messages import StreamEvidence
    from increstore.protocol.ready import ApplyBatch
    from increstore.simulation.disk import Frame
    from increstore.simulation.model import Key, Row, Value
    from increstore.simulation.workload import Workload

RESET = 1
ERASE = 2


class SimulatedStore:
    """One target shard's rows and marks, as its frames say."""

    __slots__ = (
        "_decode", "_nulls", "_restore", "finalized", "generation", "sealed", "streams", "values",
    )  # fmt: skip

    def __init__(self, workload: Workload, table: str) -> None:
        self._restore = workload.topology.restore
        self._nulls: Row = dict.fromkeys(workload.model.columns(table))
        self._decode = workload.decode
        self.generation = 0
        self.sealed: dict[int, tuple[StreamEvidence, ...]] = {}
        self.streams: dict[str, tuple[int, int, list[Frame]]] = {}
        """Live streams by source: (incremental, attempt, batch frames in order)."""
        self.finalized: tuple[int, int] | None = None
        self.values: dict[Key, Mapping[str, Value]] = {}
        """The rows after the sealed incrementals, to be read only: they may be the chain's own."""

    def apply(self, frame: Frame) -> None:
        """Count one durable frame."""
        match frame[0]:
            case "batch":
                self._add(frame)
            case "generation":
                self.generation = max(self.generation, frame[1])
            case "seal":
                self._seal(frame[1], frame[2])
            case _:
                assert frame[0] == "final"
                self.finalized = (frame[1], frame[2])

    def state(self) -> TargetState:
        """All of it, as the core needs it after a start."""
        streams = {}
        for source, (incremental, attempt, batches) in self.streams.items():
            scan = ScanId(self._restore, incremental, source, attempt)
            rows = digest = 0
            for _, _, order, batch_rows, batch_digest, _ in batches:
                rows += batch_rows
                digest = fold_batch_digest(digest, order, batch_digest)
            streams[scan] = StreamState(len(batches), rows, digest)
        return TargetState(self.generation, dict(self.sealed), streams, self.finalized)

    def _add(self, frame: Frame) -> None:
        scan: ScanId = frame[1]
        stream = self.streams.get(scan.source)
        if stream is None or scan.attempt > stream[1]:
            stream = self.streams[scan.source] = (scan.incremental, scan.attempt, [])
        stream[2].append(frame)

    def _seal(self, incremental: int, evidence: Sequence[StreamEvidence]) -> None:
        for named in evidence:
            stream = self.streams.get(named.source)
            for frame in stream[2] if stream else ():
                self._fold(frame[5])
        self.sealed[incremental] = tuple(evidence)
        self.streams.clear()

    def _fold(self, payload: bytes) -> None:
        values, nulls = self.values, self._nulls
        for key, operation, columns in self._decode(payload):
            if operation == ERASE:
                values.pop(key, None)
                continue
            if len(columns) < len(nulls):
                row = values.get(key)
                if row is None or operation == RESET:
                    row = nulls
                columns = {**row, **columns}
            values[key] = columns


def batch_frame(batch: ApplyBatch) -> Frame:
    """The record of one batch, with its order: both are durable, or neither is."""
    return ("batch", batch.scan, batch.order, batch.rows, batch.digest, bytes(batch.payload))
