"""The seam of the table store: where one target shard keeps its rows.

A store is synchronous and used from one worker thread at a time. Every method either returns with
its effect durable, or raises and leaves what was durable before intact (a raising `append` may or
may not have happened: the owner recovers before writing again).

Contract (tests/store/test_contract.py runs it over every implementation):
- rows and watermark of an append are one atomic durable write;
- `recover` after any crash returns exactly the appends that were acknowledged, plus possibly some
  that were under way, in order, without a gap;
- readers of the final rows see nothing before they are published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from increstore.chain.keys import Key
    from increstore.chain.schema import TableSchema
    from increstore.protocol.messages import StreamEvidence
    from increstore.protocol.ready import ApplyBatch
    from increstore.protocol.records import CoordinatorRecord
    from increstore.protocol.target_state import TargetState

GROUP_BATCHES_MAX = 32
"""Batches that one sync makes durable: what a target hands to its store at once, at most."""


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """What a store must know about the table and the shard it keeps.

    `batch_schemas` gives, per incremental that changes the table, the schema of its batches as
    sent. `column_since` gives, per column of `final`, the incremental from which its values count.
    The shard owns the keys `low <= key < high`; None is unbounded.
    """

    restore: str
    table: str
    shard: str
    batch_schemas: Mapping[int, pa.Schema]
    final: TableSchema
    column_since: Mapping[str, int]
    low: Key | None
    high: Key | None


class BatchInvalid(Exception):
    """A batch that can never be applied; nothing of its group was written."""

    def __init__(self, batch: ApplyBatch, error: str) -> None:
        super().__init__(error)
        self.batch = batch
        self.error = error


class TableStore(Protocol):
    """Where one target shard keeps what it was sent, and makes its final rows."""

    def recover(self) -> TargetState:
        """Open (or open again) and return what is durable; a torn tail is cut.

        Raises: StorageCorrupted for damage before the tail; StorageFailed when it cannot be read.
        """
        ...

    def append(self, batches: Sequence[ApplyBatch]) -> None:
        """Durably append the group, all or a prefix of it after a crash; one fsync.

        Raises: BatchInvalid before anything is written; StorageFailed when the write fails.
        """
        ...

    def record_generation(self, generation: int) -> None:
        """Durably remember the highest coordinator generation obeyed."""
        ...

    def seal(self, incremental: int, streams: Sequence[StreamEvidence]) -> None:
        """Durably mark the incremental complete; only the named streams' batches count."""
        ...

    def finalize(self) -> tuple[int, int]:
        """Fold every sealed run into the final rows, durable, not visible; (rows, digest)."""
        ...

    def final_rows(self) -> Iterator[pa.RecordBatch]:
        """The final rows in key order. Raises: LocalProtocolError before `finalize`."""
        ...

    def close(self) -> None: ...


class HistoryLog(Protocol):
    """Where a coordinator keeps its history (tests/store/test_coordinator_log.py)."""

    def append(self, records: Sequence[CoordinatorRecord]) -> None:
        """Durably append all records in order, or none. Raises: StorageFailed (indeterminate)."""
        ...

    def replay(self) -> list[CoordinatorRecord]:
        """Every record acknowledged, in order. Raises: StorageCorrupted."""
        ...

    def close(self) -> None: ...
