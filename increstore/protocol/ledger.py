"""What is durable about a restore, as the coordinator needs it: a fold of its records.

Rules of this file:
- `apply` is the only way a durable fact changes, live and in a replay alike; a coordinator that
  was started again therefore stands where the old one stood after its last durable record.
- Nothing volatile lives here: who was asked, who was heard, and when, is of the phases.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from increstore.errors import StorageCorrupted, TargetRefused
from increstore.protocol import records as r
from increstore.protocol.messages import Evidence, ScanId, Status, StreamEvidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.protocol.topology import TableTopology, Topology


OPERATOR = "the operator asked for it"
"""The reason of a pause or cancel that a person wanted."""


class RestoreState(Enum):
    """Where a restore stands, as people read it."""

    RUNNING = "running"
    PAUSED = "paused"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


HALTED = (
    RestoreState.COMPLETED,
    RestoreState.FAILED,
    RestoreState.CANCELLED,
    RestoreState.PAUSED,
)
"""Nothing goes on by itself: it is over, or a person must resume it."""


class ScanState(Enum):
    """Where one source shard's scan of the current incremental stands."""

    AWAITED = "awaited"
    SUCCEEDED = "succeeded"
    TRANSIENT = "failed, may be tried again"
    FATAL = "failed for good"
    FORGIVEN = "failed before a person resumed"


class ScanEntry:
    """One source shard in the current incremental."""

    __slots__ = (
        "attempt", "error", "evidence", "not_before", "retries", "rows_best", "rows_scanned",
        "source", "state", "table",
    )  # fmt: skip

    def __init__(self, source: str, table: TableTopology) -> None:
        self.source = source
        self.table = table
        self.state = ScanState.AWAITED
        self.attempt = 1
        self.retries = 0
        """Failures in a row without progress."""
        self.not_before = 0
        """Wall clock; the attempt at hand may not begin earlier."""
        self.rows_best = 0
        """The most rows that a failed attempt had applied; more than that is progress."""
        self.rows_scanned = 0
        self.evidence: tuple[Evidence, ...] = ()
        self.error = ""


class Ledger:
    """The fold of a coordinator's records over the topology."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.fingerprint = ""
        self.accepted_at: int | None = None
        self.resumed_at = 0
        self.generation = 0
        self.halt: RestoreState | None = None
        self.reason = ""
        self.incremental = -1
        """The incremental that runs, or the last one that completed; -1 before the first."""
        self.is_incremental_open = False
        self.stage_started_at = 0
        self.scans: dict[str, ScanEntry] = {}
        self.scans_left = 0
        self.sealed: dict[str, tuple[StreamEvidence, ...]] = {}
        self.is_finalizing = False
        self.finalized: dict[str, tuple[int, int]] = {}

    @property
    def state(self) -> RestoreState:
        if self.halt is not None:
            return self.halt
        return RestoreState.FINALIZING if self.is_finalizing else RestoreState.RUNNING

    @property
    def is_publishable(self) -> bool:
        """Whether every target has its final rows; from here on tables may be visible."""
        targets = sum(len(table.targets) for table in self.topology.tables)
        return self.is_finalizing and len(self.finalized) == targets

    def apply(self, record: r.CoordinatorRecord) -> None:
        """Advance by one durable fact.

        Raises: StorageCorrupted when the fact cannot follow the ones before it.
        """
        _APPLY[type(record)](self, record)

    # --- One method per record.

    def _accepted(self, record: r.RestoreAccepted) -> None:
        self.accepted_at = record.accepted_at
        self.fingerprint = record.fingerprint

    def _generation_started(self, record: r.GenerationStarted) -> None:
        self._expect(record.generation > self.generation, record)
        self.generation = record.generation

    def _incremental_started(self, record: r.IncrementalStarted) -> None:
        follows = record.incremental == self.incremental + 1
        self._expect(follows and not self.is_incremental_open and not self.is_finalizing, record)
        self.incremental = record.incremental
        self.is_incremental_open = True
        self.stage_started_at = record.started_at
        self.scans = {
            source: ScanEntry(source, table)
            for table in self.topology.tables_changed_in(record.incremental)
            for source in table.sources
        }
        self.scans_left = len(self.scans)
        self.sealed = {}

    def _scan_reported(self, record: r.ScanReported) -> None:
        entry = self._entry(record.scan, record)
        self._expect(
            entry.state is ScanState.AWAITED and record.scan.attempt == entry.attempt, record
        )
        entry.rows_scanned = record.rows_scanned
        entry.error = record.error
        if record.status is Status.SUCCESS:
            self._take_success(entry, record)
        elif record.status is Status.FATAL:
            entry.state = ScanState.FATAL
        else:
            entry.state = ScanState.TRANSIENT
            applied = sum(evidence.rows for evidence in record.evidence)
            if applied > entry.rows_best:
                entry.rows_best = applied
                entry.retries = 0

    def _take_success(self, entry: ScanEntry, record: r.ScanReported) -> None:
        """A success counts only when its evidence adds up; if not, someone counts wrongly."""
        objection = objection_to_evidence(record, entry.table)
        if objection is not None:
            entry.state = ScanState.FATAL
            entry.error = objection
            return
        entry.state = ScanState.SUCCEEDED
        entry.evidence = record.evidence
        self.scans_left -= 1
        assert self.scans_left >= 0, "a scan succeeds once"

    def _retry_scheduled(self, record: r.RetryScheduled) -> None:
        entry = self._entry(record.scan, record)
        self._expect(record.scan.attempt == entry.attempt + 1, record)
        entry.attempt = record.scan.attempt
        entry.retries = record.retries
        entry.not_before = record.not_before
        entry.state = ScanState.AWAITED

    def _target_sealed(self, record: r.TargetSealed) -> None:
        self._expect(record.incremental == self.incremental and self.is_incremental_open, record)
        self.sealed[record.target] = record.applied

    def _incremental_completed(self, record: r.IncrementalCompleted) -> None:
        self._expect(record.incremental == self.incremental and self.scans_left == 0, record)
        self.is_incremental_open = False
        self.scans = {}
        self.sealed = {}

    def _finalizing_started(self, record: r.FinalizingStarted) -> None:
        is_last = self.incremental == self.topology.last_incremental
        self._expect(is_last and not self.is_incremental_open, record)
        self.is_finalizing = True
        self.stage_started_at = record.started_at

    def _target_finalized(self, record: r.TargetFinalized) -> None:
        self._expect(self.is_finalizing, record)
        self.finalized[record.target] = (record.rows, record.digest)

    def _completed(self, record: r.RestoreCompleted) -> None:
        self._expect(self.is_finalizing, record)
        self._stop(RestoreState.COMPLETED, "")

    def _paused(self, record: r.RestorePaused) -> None:
        self._stop(RestoreState.PAUSED, record.reason)

    def _failed(self, record: r.RestoreFailed) -> None:
        self._stop(RestoreState.FAILED, record.reason)

    def _cancelled(self, _: r.RestoreCancelled) -> None:
        self._stop(RestoreState.CANCELLED, OPERATOR)

    def _stop(self, state: RestoreState, reason: str) -> None:
        self.halt = state
        self.reason = reason

    def _resumed(self, record: r.RestoreResumed) -> None:
        """A person takes it up again: budgets are fresh, and failed scans are tried once more."""
        self.halt = None
        self.reason = ""
        self.resumed_at = record.resumed_at
        for entry in self.scans.values():
            entry.retries = 0
            if entry.state in (ScanState.TRANSIENT, ScanState.FATAL):
                entry.state = ScanState.FORGIVEN

    # --- Helpers.

    def _entry(self, scan: ScanId, record: object) -> ScanEntry:
        self._expect(scan.incremental == self.incremental and scan.source in self.scans, record)
        return self.scans[scan.source]

    def _expect(self, condition: bool, record: object) -> None:
        if not condition:
            raise StorageCorrupted(
                f"coordinator history: {record} cannot follow what is recorded before it "
                f"(incremental {self.incremental}, generation {self.generation}); the log is "
                "damaged or belongs to another restore; start over into a new target"
            )


_APPLY: dict[type, Callable[[Ledger, Any], None]] = {
    r.RestoreAccepted: Ledger._accepted,
    r.GenerationStarted: Ledger._generation_started,
    r.IncrementalStarted: Ledger._incremental_started,
    r.ScanReported: Ledger._scan_reported,
    r.RetryScheduled: Ledger._retry_scheduled,
    r.TargetSealed: Ledger._target_sealed,
    r.IncrementalCompleted: Ledger._incremental_completed,
    r.FinalizingStarted: Ledger._finalizing_started,
    r.TargetFinalized: Ledger._target_finalized,
    r.RestoreCompleted: Ledger._completed,
    r.RestorePaused: Ledger._paused,
    r.RestoreResumed: Ledger._resumed,
    r.RestoreFailed: Ledger._failed,
    r.RestoreCancelled: Ledger._cancelled,
}


def replay(topology: Topology, history: Sequence[r.CoordinatorRecord], fingerprint: str) -> Ledger:
    """The ledger after `history`.

    Raises: TargetRefused when it is of another plan; StorageCorrupted when it is no history.
    """
    ledger = Ledger(topology)
    for record in history:
        if isinstance(record, r.RestoreAccepted):
            _check_plan(record, topology.restore, fingerprint)
        ledger.apply(record)
    return ledger


def _check_plan(record: r.RestoreAccepted, restore: str, fingerprint: str) -> None:
    if record.restore != restore:
        raise TargetRefused(
            f"coordinator history: it is of restore {record.restore}, expected {restore}; nothing "
            "was changed; use a new target"
        )
    if record.fingerprint != fingerprint:
        raise TargetRefused(
            f"coordinator history: restore {restore} was begun with another plan (fingerprint "
            f"{record.fingerprint}, expected {fingerprint}): another chain, other tables or other "
            "numbers of shards; nothing was changed; call it as it was begun, or use a new target"
        )


def objection_to_evidence(record: r.ScanReported, table: TableTopology) -> str | None:
    """The sentence that turns a success into a failure, or None when its evidence adds up."""
    where = f"{record.scan.source}: incremental {record.scan.incremental}"
    targets = [evidence.target for evidence in record.evidence]
    if len(set(targets)) != len(targets) or not set(targets) <= set(table.targets):
        return f"{where}: evidence names {', '.join(targets)}; expected each target at most once"
    sent = sum(evidence.rows for evidence in record.evidence)
    if sent != record.rows_scanned:
        return f"{where}: {record.rows_scanned} rows were scanned but {sent} rows were sent"
    return None
