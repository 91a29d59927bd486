"""What the roles say to each other: frozen values without behaviour.

| message | way | says |
|---|---|---|
| `StartScan` | coordinator to source | scan your part of this incremental |
| `ApplyChanges` / `ChangesApplied` | source / target | batch number o / applied durably up to w |
| `OpenStream` / `StreamOpened` | source / target | where are you? / your watermark is w |
| `CompletionNotification` | source to coordinator | the scan has ended: success or why not |
| `ScanProgress` | source to coordinator | alive, and how far |
| `SealIncremental` / `IncrementalSealed` | coordinator / target | complete / what I applied |
| `Finalize` / `Finalized` | coordinator / target | make the final rows / their count, digest |
| `CancelRestore` | coordinator to all | stop working for this restore |
| `Refused` | anyone to the asker | no, and why |

Counts are rows or batches; digests are unsigned 64-bit integers; orders are 1-based and a
watermark of 0 means that nothing is applied. Sender and receiver are named by the envelope.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from increstore.protocol.frozen import frozen

Payload: TypeAlias = bytes | bytearray | memoryview
"""The bytes of one batch. Cores carry it and never look inside."""


class Status(Enum):
    """How a scan ended. The source shard reports the cause; the coordinator owns the policy."""

    SUCCESS = "success"
    TRANSIENT = "transient"
    FATAL = "fatal"


class Reason(Enum):
    """Why a request was refused."""

    STALE_GENERATION = "stale generation"
    STALE_ATTEMPT = "stale attempt"
    STALE_INCREMENTAL = "stale incremental"
    INCREMENTAL_NOT_DUE = "incremental not due"
    UNKNOWN_RESTORE = "unknown restore"
    UNKNOWN_SHARD = "unknown shard"
    STORAGE_FAILED = "storage failed"
    STORAGE_CORRUPTED = "storage corrupted"
    BATCH_REJECTED = "batch rejected"
    EVIDENCE_MISMATCH = "evidence mismatch"
    FINALIZE_FAILED = "finalize failed"


@dataclass(frozen=True, slots=True, order=True)
class ScanId:
    """One try of one source shard at one incremental of one restore."""

    restore: str
    incremental: int
    source: str
    attempt: int


@frozen
class Evidence:
    """What one scan sent to one target: compared with what the target applied."""

    target: str
    rows: int
    batches: int
    digest: int


@frozen
class StreamEvidence:
    """What one target was sent (or has applied) by one source shard's scan."""

    source: str
    attempt: int
    rows: int
    batches: int
    digest: int


@frozen
class StartScan:
    """Scan your part of this incremental; asked again until the scan has ended."""

    scan: ScanId
    generation: int


@frozen
class OpenStream:
    """May I go on sending the changes of this scan to you, and from which order on?"""

    scan: ScanId
    generation: int


@frozen
class StreamOpened:
    """You may: everything up to `watermark` is durably applied."""

    scan: ScanId
    generation: int
    watermark: int


@frozen
class ApplyChanges:
    """Batch number `order` of a scan's stream, which the first one opens; `digest` is the XXH3-64
    of `payload`."""

    scan: ScanId
    generation: int
    order: int
    rows: int
    digest: int
    payload: Payload


@frozen
class ChangesApplied:
    """Every batch of the scan up to `watermark` is durably applied."""

    scan: ScanId
    generation: int
    watermark: int


@frozen
class CompletionNotification:
    """The report that ends a scan. Success means: all that was sent is durably applied."""

    scan: ScanId
    generation: int
    status: Status
    rows_scanned: int
    evidence: tuple[Evidence, ...]
    error: str


@frozen
class ScanProgress:
    """A sample, not a fact: how far a living scan is. `unapplied` is (target, batches) owed."""

    scan: ScanId
    generation: int
    rows_scanned: int
    rows_sent: int
    rows_applied: int
    unapplied: tuple[tuple[str, int], ...]


@frozen
class SealIncremental:
    """Every scan of this incremental has ended; `sent` is what the sources say you were sent."""

    restore: str
    incremental: int
    generation: int
    sent: tuple[StreamEvidence, ...]


@frozen
class IncrementalSealed:
    """It is sealed, durably; `applied` is what was applied, stream by stream."""

    restore: str
    incremental: int
    generation: int
    applied: tuple[StreamEvidence, ...]


@frozen
class Finalize:
    """Every incremental is sealed: make the final rows."""

    restore: str
    generation: int


@frozen
class Finalized:
    """This target's final rows are durable but not yet visible; `digest` is their state digest."""

    restore: str
    generation: int
    rows: int
    digest: int


@frozen
class CancelRestore:
    """Stop working for this restore, in every generation up to this one."""

    restore: str
    generation: int


@frozen
class Refused:
    """The answer "no" to whatever concerned `incremental` (and `scan`, when it was one scan)."""

    restore: str
    generation: int
    incremental: int
    scan: ScanId | None
    reason: Reason
    detail: str


Message: TypeAlias = (
    StartScan
    | OpenStream
    | StreamOpened
    | ApplyChanges
    | ChangesApplied
    | CompletionNotification
    | ScanProgress
    | SealIncremental
    | IncrementalSealed
    | Finalize
    | Finalized
    | CancelRestore
    | Refused
)
