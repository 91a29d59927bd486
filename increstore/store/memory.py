"""The table store without a disk: nodes are tried over it, and other stores are compared to it.

It checks what the durable store checks and folds by the same code; `recover` returns what it
holds, so a driver may throw its core away and start another over the same store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from increstore.chain.digest import DIGEST_MASK, rows_digest
from increstore.chain.fold import FoldLayout, align
from increstore.chain.merge import merge
from increstore.errors import LocalProtocolError
from increstore.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from increstore.chain.keys import Key
    from increstore.protocol.messages import StreamEvidence
    from increstore.protocol.ready import ApplyBatch
    from increstore.protocol.target_state import TargetState
    from increstore.store.seam import StoreLayout


@dataclass(frozen=True, slots=True)
class _KeptBatch:
    """The bytes of one batch, as they came."""

    payload: bytes
    schema: pa.Schema
    incremental: int
    layout: FoldLayout
    first: Key
    last: Key
    rows: int

    def load(self) -> pa.RecordBatch:
        batch = pa.ipc.read_record_batch(pa.py_buffer(self.payload), self.schema)
        return align(batch, self.incremental, self.layout)


class MemoryStore:
    """One target shard's rows in memory: as many bytes as were sent, plus the final rows."""

    def __init__(self, layout: StoreLayout) -> None:
        self._layout = layout
        self._fold = FoldLayout(layout.final, layout.column_since)
        self._ledger: Ledger[_KeptBatch] = Ledger(layout)
        self._runs: list[list[_KeptBatch]] = []
        self._generation = 0
        self._final: tuple[list[pa.RecordBatch], int, int] | None = None

    def recover(self) -> TargetState:
        finalized = None if self._final is None else self._final[1:]
        return self._ledger.state(self._generation, finalized)

    def append(self, batches: Sequence[ApplyBatch]) -> None:
        for checked in self._ledger.check(batches):
            batch = checked.batch
            kept = _KeptBatch(
                bytes(batch.payload),
                self._layout.batch_schemas[batch.scan.incremental],
                batch.scan.incremental,
                self._fold,
                checked.first,
                checked.last,
                batch.rows,
            )
            scan = batch.scan
            self._ledger.add(scan.source, scan.attempt, batch.order, batch.digest, kept)

    def record_generation(self, generation: int) -> None:
        self._generation = max(self._generation, generation)

    def seal(self, incremental: int, streams: Sequence[StreamEvidence]) -> None:
        if self._ledger.check_seal(incremental, streams):
            self._runs.append(self._ledger.run_of(streams))
            self._ledger.seal(incremental, streams)

    def finalize(self) -> tuple[int, int]:
        if self._final is None:
            if self._ledger.open_incremental() is not None:
                raise LocalProtocolError(
                    f"{self._layout.shard}: the final rows were asked for before incremental "
                    f"{self._ledger.open_incremental()} was sealed"
                )
            batches = list(merge(self._runs, self._fold, as_rows=True))
            digest = sum(rows_digest(batch, self._layout.final) for batch in batches) & DIGEST_MASK
            self._final = (batches, sum(batch.num_rows for batch in batches), digest)
        return self._final[1:]

    def final_rows(self) -> Iterator[pa.RecordBatch]:
        if self._final is None:
            raise LocalProtocolError(f"{self._layout.shard}: no final rows before finalize")
        return iter(self._final[0])

    def close(self) -> None:
        pass
