"""What a coordinator has made durable, as a judge folds it: by other code than the coordinator's.

Rules of this file:
- `take` believes every record; whether it may follow is judged before (see `coordinator`).
- Nothing is forgotten: what was once reported, sealed or made final can be asked for later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol import records as r
from increstore.protocol.messages import Status
from increstore.protocol.topology import table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.protocol.messages import Evidence, StreamEvidence
    from increstore.protocol.topology import Topology

AWAITED = "awaited"
SUCCEEDED = "succeeded"
TRANSIENT = "transient"
FATAL = "fatal"
FORGIVEN = "forgiven"
"""How a scan stands."""

PAUSED = "paused"
FAILED = "failed"
CANCELLED = "cancelled"
COMPLETED = "completed"
"""How a restore has halted."""


Claim = tuple[str, int, int, int, int]
"""(source, attempt, rows, batches, digest) of what a target was sent."""


class Scan:
    """One source shard in the open incremental."""

    __slots__ = (
        "attempt", "evidence", "not_before", "reported_at", "retries", "rows", "rows_best", "state",
    )  # fmt: skip

    def __init__(self) -> None:
        self.attempt = 1
        self.state = AWAITED
        self.retries = 0
        self.rows = 0
        self.rows_best = 0
        self.reported_at = 0
        """Wall clock of the last report."""
        self.not_before = 0
        """Wall clock; the attempt at hand may not be asked for earlier."""
        self.evidence: tuple[Evidence, ...] = ()


class Question:
    """What a shard was asked and has not answered: how often, and since when."""

    __slots__ = ("asks", "since", "what")

    def __init__(self, what: object, since: int) -> None:
        self.what = what
        self.since = since
        self.asks = 1


class History:
    """The fold of one coordinator's records, over all of its lives."""

    def __init__(self, name: str, topology: Topology) -> None:
        self.name = name
        self.topology = topology
        self.records: list[Any] = []
        self.is_accepted = False
        self.generation = 0
        self.incremental = -1
        """The one that is open, or the last one completed."""
        self.is_open = False
        self.is_finalizing = False
        self.halt = ""
        self.reason = ""
        self.scans: dict[str, Scan] = {}
        self.fatal = ""
        """Who has failed for good, until that has ended the restore or a person resumes."""
        self.reports: dict[int, dict[str, r.ScanReported]] = {}
        """The successes, by incremental and source."""
        self.seals: dict[int, dict[str, tuple[StreamEvidence, ...]]] = {}
        self.finals: dict[str, tuple[int, int]] = {}
        self.accepted_at = 0
        self.resumed_at = 0
        self.stage_started_at = 0
        self.wall_offset: int | None = None
        """From the judge's clock to this life's wall clock, as far as it is known."""
        self.asked: dict[str, None] = {}
        """Shards asked in this life that have not answered."""
        self.questions: dict[str, Question] = {}
        """What each shard was asked last in this life, answered or not."""
        self.barrier_held = -1
        """Up to which incremental the barrier was looked at and held: it does not open again."""
        self._owed: dict[str, list[Claim]] | None = None
        self.must_begin = True
        """Whether this life has yet to record its generation."""
        self.untold: dict[str, None] = {}
        """Shards that this life has not told of the failure or cancellation it has recorded."""

    def fork(self, name: str) -> History:
        """The same history for another coordinator, who asks on its own account."""
        other = History(name, self.topology)
        for record in self.records:
            other.take(0, record)
        other.wall_offset = self.wall_offset
        other.asked = dict(self.asked)
        other.questions = dict(self.questions)
        other.must_begin = self.must_begin
        other.untold = {}
        return other

    def begin_life(self) -> None:
        """The coordinator has come up: it has asked nobody yet, and its clocks are anew."""
        self.asked = {}
        self.questions = {}
        self.wall_offset = None
        self.must_begin = True
        self.untold = {}

    def ask(self, now: int, shard: str, message: object) -> None:
        """Note a question, or that it was repeated."""
        self.asked[shard] = None
        question = self.questions.get(shard)
        if question is not None and question.what == message:
            question.asks += 1
        else:
            self.questions[shard] = Question(message, now)

    @property
    def is_active(self) -> bool:
        """Whether it may ask for anything."""
        return not self.halt

    def owed(self, target: str) -> Sequence[Claim]:
        """What the open incremental's successes say this target was sent, in order of source."""
        if self._owed is None:
            owed: dict[str, list[Claim]] = {}
            for source, report in self.reports.get(self.incremental, {}).items():
                for sent in report.evidence:
                    claim = (source, report.scan.attempt, sent.rows, sent.batches, sent.digest)
                    owed.setdefault(sent.target, []).append(claim)
            for claims in owed.values():
                claims.sort()
            self._owed = owed
        return self._owed.get(target, [])

    def take(self, now: int, record: Any) -> None:
        """Fold one durable record."""
        self.records.append(record)
        _TAKE[type(record)](self, now, record)

    # --- One method per record.

    def _accepted(self, _: int, record: r.RestoreAccepted) -> None:
        self.is_accepted = True
        self.accepted_at = record.accepted_at

    def _generation_started(self, now: int, record: r.GenerationStarted) -> None:
        self.generation = record.generation
        self.wall_offset = record.started_at - now
        self.must_begin = False
        self.asked = {}

    def _incremental_started(self, _: int, record: r.IncrementalStarted) -> None:
        self.incremental = record.incremental
        self.is_open = True
        self.stage_started_at = record.started_at
        self._owed = None
        tables = self.topology.tables_changed_in(record.incremental)
        self.scans = {source: Scan() for table in tables for source in table.sources}
        self.reports.setdefault(record.incremental, {})
        self.seals.setdefault(record.incremental, {})
        self.asked = {}

    def _scan_reported(self, _: int, record: r.ScanReported) -> None:
        source = record.scan.source
        self.asked.pop(source, None)
        self._owed = None
        scan = self.scans.get(source)
        if scan is None:
            return
        scan.reported_at = record.reported_at
        scan.evidence = record.evidence
        scan.rows = record.rows_scanned
        if record.status is Status.SUCCESS and self._adds_up(record):
            scan.state = SUCCEEDED
            self.reports[self.incremental][source] = record
        elif record.status is Status.TRANSIENT:
            scan.state = TRANSIENT
            self._count_progress(scan)
        else:
            scan.state = FATAL
            self.fatal = source

    def _adds_up(self, record: r.ScanReported) -> bool:
        """Whether a success has sent what it scanned, to each target of its table at most once."""
        named = [evidence.target for evidence in record.evidence]
        known = self.topology.table(table_of(record.scan.source)).targets
        sent = sum(evidence.rows for evidence in record.evidence)
        return (
            sent == record.rows_scanned
            and len(dict.fromkeys(named)) == len(named)
            and all(target in known for target in named)
        )

    def _count_progress(self, scan: Scan) -> None:
        applied = sum(evidence.rows for evidence in scan.evidence)
        if applied > scan.rows_best:
            scan.rows_best = applied
            scan.retries = 0

    def _retry_scheduled(self, _: int, record: r.RetryScheduled) -> None:
        self.asked.pop(record.scan.source, None)
        scan = self.scans.get(record.scan.source)
        if scan is not None:
            scan.attempt = record.scan.attempt
            scan.retries = record.retries
            scan.state = AWAITED
            scan.not_before = record.not_before

    def _target_sealed(self, _: int, record: r.TargetSealed) -> None:
        self.seals.setdefault(record.incremental, {})[record.target] = record.applied
        self.asked.pop(record.target, None)

    def _incremental_completed(self, _: int, __: r.IncrementalCompleted) -> None:
        self.is_open = False
        self.scans = {}
        self.asked = {}

    def _finalizing_started(self, _: int, record: r.FinalizingStarted) -> None:
        self.is_finalizing = True
        self.stage_started_at = record.started_at

    def _target_finalized(self, _: int, record: r.TargetFinalized) -> None:
        self.finals[record.target] = (record.rows, record.digest)
        self.asked.pop(record.target, None)

    def _completed(self, _: int, __: r.RestoreCompleted) -> None:
        self._stop(COMPLETED, "")

    def _paused(self, _: int, record: r.RestorePaused) -> None:
        self._stop(PAUSED, record.reason)

    def _failed(self, _: int, record: r.RestoreFailed) -> None:
        self._stop(FAILED, record.reason)
        self._owe_an_end()

    def _cancelled(self, _: int, __: r.RestoreCancelled) -> None:
        self._stop(CANCELLED, "")
        self._owe_an_end()

    def _owe_an_end(self) -> None:
        """Every shard is to be told to stop."""
        for table in self.topology.tables:
            self.untold.update(dict.fromkeys((*table.sources, *table.targets)))

    def _stop(self, halt: str, reason: str) -> None:
        self.halt = halt
        self.reason = reason
        self.fatal = ""

    def _resumed(self, _: int, record: r.RestoreResumed) -> None:
        self.halt = self.reason = self.fatal = ""
        self.untold = {}
        self.resumed_at = record.resumed_at
        for scan in self.scans.values():
            scan.retries = 0
            if scan.state in (TRANSIENT, FATAL):
                scan.state = FORGIVEN


_TAKE: dict[type, Callable[[History, int, Any], None]] = {
    r.RestoreAccepted: History._accepted,
    r.GenerationStarted: History._generation_started,
    r.IncrementalStarted: History._incremental_started,
    r.ScanReported: History._scan_reported,
    r.RetryScheduled: History._retry_scheduled,
    r.TargetSealed: History._target_sealed,
    r.IncrementalCompleted: History._incremental_completed,
    r.FinalizingStarted: History._finalizing_started,
    r.TargetFinalized: History._target_finalized,
    r.RestoreCompleted: History._completed,
    r.RestorePaused: History._paused,
    r.RestoreResumed: History._resumed,
    r.RestoreFailed: History._failed,
    r.RestoreCancelled: History._cancelled,
}
