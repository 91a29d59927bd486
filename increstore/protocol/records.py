"""What is durable: the coordinator's history, and the little a target must remember besides rows.

Times are wall-clock nanoseconds since 1970, because deadlines and retry times outlive a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from increstore.protocol.frozen import frozen

if TYPE_CHECKING:
    from increstore.protocol.messages import Evidence, ScanId, Status, StreamEvidence


# --- Coordinator.


@frozen
class RestoreAccepted:
    """The restore exists. `fingerprint` names the plan; another plan may not continue it."""

    restore: str
    fingerprint: str
    accepted_at: int


@frozen
class GenerationStarted:
    generation: int
    started_at: int


@frozen
class IncrementalStarted:
    incremental: int
    started_at: int


@frozen
class ScanReported:
    """The first terminal report of one (scan, attempt), as the source shard sent it."""

    scan: ScanId
    status: Status
    rows_scanned: int
    evidence: tuple[Evidence, ...]
    error: str
    reported_at: int


@frozen
class RetryScheduled:
    """`scan` is the attempt to come, not before `not_before`; `retries` counts the budget used."""

    scan: ScanId
    not_before: int
    retries: int


@frozen
class TargetSealed:
    incremental: int
    target: str
    applied: tuple[StreamEvidence, ...]


@frozen
class IncrementalCompleted:
    incremental: int
    completed_at: int


@frozen
class FinalizingStarted:
    started_at: int


@frozen
class TargetFinalized:
    target: str
    rows: int
    digest: int


@frozen
class RestoreCompleted:
    completed_at: int


@frozen
class RestorePaused:
    """Nothing is lost; running the same command resumes."""

    reason: str
    paused_at: int


@frozen
class RestoreResumed:
    resumed_at: int


@frozen
class RestoreFailed:
    reason: str
    failed_at: int


@frozen
class RestoreCancelled:
    cancelled_at: int


# --- Target shard.


@frozen
class GenerationSeen:
    """The highest coordinator generation this target has obeyed: lower ones are refused."""

    generation: int


CoordinatorRecord: TypeAlias = (
    RestoreAccepted
    | GenerationStarted
    | IncrementalStarted
    | ScanReported
    | RetryScheduled
    | TargetSealed
    | IncrementalCompleted
    | FinalizingStarted
    | TargetFinalized
    | RestoreCompleted
    | RestorePaused
    | RestoreResumed
    | RestoreFailed
    | RestoreCancelled
)

Record: TypeAlias = CoordinatorRecord | GenerationSeen
