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
    """A coordinator has started, and fences all that were before it."""

    generation: int
    started_at: int


@frozen
class IncrementalStarted:
    """The incremental has begun; its deadline counts from here, over restarts."""

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
    """A target has sealed the incremental; `applied` is the evidence that it gave."""

    incremental: int
    target: str
    applied: tuple[StreamEvidence, ...]


@frozen
class IncrementalCompleted:
    """Every scan has succeeded and every target has sealed: the next one may begin."""

    incremental: int
    completed_at: int


@frozen
class FinalizingStarted:
    """Every incremental is completed; the targets make their final rows."""

    started_at: int


@frozen
class TargetFinalized:
    """A target has made its final rows; `digest` is their state digest."""

    target: str
    rows: int
    digest: int


@frozen
class RestoreCompleted:
    """The tables are visible."""

    completed_at: int


@frozen
class RestorePaused:
    """Nothing is lost; running the same command resumes."""

    reason: str
    paused_at: int


@frozen
class RestoreResumed:
    """What was paused or had failed goes on."""

    resumed_at: int


@frozen
class RestoreFailed:
    """It cannot go on by itself; the same command tries again."""

    reason: str
    failed_at: int


@frozen
class RestoreCancelled:
    """A person has ended the restore for good."""

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
