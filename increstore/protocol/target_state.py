"""What a target shard's store holds durably, as its core needs it after a start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from increstore.protocol.messages import ScanId, StreamEvidence


@dataclass(frozen=True, slots=True)
class StreamState:
    """The durable end of one scan's stream: `watermark` batches, their rows and their digest."""

    watermark: int
    rows: int
    digest: int


@dataclass(frozen=True, slots=True)
class TargetState:
    """Everything recovered: seals, live streams of the unsealed incremental, the final rows."""

    generation: int = 0
    sealed: dict[int, tuple[StreamEvidence, ...]] = field(default_factory=dict)
    streams: dict[ScanId, StreamState] = field(default_factory=dict)
    finalized: tuple[int, int] | None = None
    """(rows, digest) once the final rows are durable."""
