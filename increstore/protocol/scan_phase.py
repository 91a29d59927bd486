"""Waiting for every source shard's completion notification of one incremental.

Rules of this file:
- Only a report that names this restore, generation, incremental, shard and attempt counts, and
  only the first of each attempt. Everything else is counted by why, and dropped.
- The report is recorded before anything follows from it.
- Only the scan that failed is tried again; a shard that makes progress may fail as often as it
  likes, one that makes none has a budget, and a spent budget pauses the restore.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from increstore.protocol.barrier import Question
from increstore.protocol.ledger import ScanState
from increstore.protocol.messages import (
    CompletionNotification,
    Message,
    Reason,
    Refused,
    ScanId,
    ScanProgress,
    StartScan,
    Status,
)
from increstore.protocol.phase import Phase
from increstore.protocol.records import RetryScheduled, ScanReported

if TYPE_CHECKING:
    from increstore.protocol.desk import Desk
    from increstore.protocol.ledger import ScanEntry

_MISDIRECTED = (Reason.UNKNOWN_RESTORE, Reason.UNKNOWN_SHARD)
_OVERTAKEN = (Reason.STALE_INCREMENTAL, Reason.STALE_ATTEMPT)
"""Of the scan that is awaited: the shard was asked for a later one, and our history has lost it."""


class ScanPhase(Phase):
    """The barrier of the incremental that runs now."""

    question: ClassVar[Question] = Question.SCAN

    def __init__(self, desk: Desk) -> None:
        self._scans = desk.ledger.scans
        owing = [e.source for e in self._scans.values() if e.state is not ScanState.SUCCEEDED]
        super().__init__(desk, owing, total=len(self._scans))
        self._incremental = desk.ledger.incremental
        self._failed: deque[ScanEntry] = deque()
        self.samples: dict[str, ScanProgress] = {}
        """The last sample of each scan at hand; for people, never for decisions."""
        for source in owing:
            self._take_up(self._scans[source])

    def message_to(self, shard: str) -> StartScan:
        return StartScan(self._scan(self._scans[shard]), self.desk.generation)

    def hear(self, sender: str, message: Message) -> None:
        match message:
            case CompletionNotification():
                if self._is_of_an_awaited_scan(sender, message.scan):
                    self._take_report(message)
            case ScanProgress():
                if self._is_of_an_awaited_scan(sender, message.scan):
                    self.samples[sender] = message
                    self.asking.hear(sender, self.desk.now)
            case Refused():
                self._hear_refusal(sender, message)
            case _:
                self.desk.drop(f"{type(message).__name__} while scans are awaited")

    def advance(self) -> None:
        while self._failed and self.desk.is_active:
            self._settle(self._failed.popleft())
        if self.desk.is_active:
            super().advance()

    def resumed(self) -> None:
        """Failures that were left alone during the pause are tried again now."""
        self._failed.clear()
        for entry in self._scans.values():
            if entry.state is ScanState.FORGIVEN:
                self._failed.append(entry)

    def scan_of(self, shard: str) -> ScanId | None:
        return self._scan(self._scans[shard])

    def unapplied_of(self, shard: str) -> tuple[tuple[str, int], ...]:
        sample = self.samples.get(shard)
        return sample.unapplied if sample else ()

    def error_of(self, shard: str) -> str:
        return self._scans[shard].error

    # --- Reports.

    def _is_of_an_awaited_scan(self, sender: str, scan: ScanId) -> bool:
        """Whether `scan` is the one awaited of `sender`; if not, why is counted."""
        entry = self._scans.get(scan.source)
        if scan.incremental != self._incremental:
            self.desk.drop("of another incremental")
        elif entry is None or sender != scan.source:
            self.desk.drop("of another shard")
        elif entry.state is ScanState.SUCCEEDED:
            self.desk.drop("reported before")
        elif scan.attempt != entry.attempt:
            self.desk.drop("of another attempt")
        elif entry.state is not ScanState.AWAITED:
            self.desk.drop("reported before")
        else:
            return True
        return False

    def _take_report(self, report: CompletionNotification) -> None:
        scan = report.scan
        self.desk.record(
            ScanReported(
                scan,
                report.status,
                report.rows_scanned,
                report.evidence,
                report.error,
                self.desk.wall(self.desk.now),
            )
        )
        self.samples.pop(scan.source, None)
        self.asking.hear(scan.source, self.desk.now)
        self._take_up(self._scans[scan.source])

    def _take_up(self, entry: ScanEntry) -> None:
        """Do what the state of a scan asks for, whether it was just reported or recovered."""
        if entry.state is ScanState.SUCCEEDED:
            self.asking.finish(entry.source)
        elif entry.state is not ScanState.AWAITED:
            self.asking.hold(entry.source)
            self._failed.append(entry)
        elif entry.not_before:
            self._delay(entry)

    # --- Failures.

    def _settle(self, entry: ScanEntry) -> None:
        """Retry, pause or fail: the policy for one scan that has failed."""
        config = self.desk.config
        if entry.state is ScanState.FATAL:
            self.desk.fail(f"{self._name(entry)} failed: {entry.error}")
        elif entry.state is ScanState.FORGIVEN:
            self._schedule(entry, wait_ns=0, retries=0)
        elif entry.retries >= config.retries_max:
            self.desk.pause(
                f"{self._name(entry)} failed {entry.retries + 1} times without progress; "
                f"the last time: {entry.error}"
            )
        else:
            retries = entry.retries + 1
            wait_ns = config.backoff(retries, entry.source, entry.attempt)
            self._schedule(entry, wait_ns, retries)

    def _schedule(self, entry: ScanEntry, wait_ns: int, retries: int) -> None:
        not_before = self.desk.wall(self.desk.now) + wait_ns
        next_scan = self._scan(entry, attempt=entry.attempt + 1)
        self.desk.record(RetryScheduled(next_scan, not_before, retries))
        self._delay(entry)

    def _delay(self, entry: ScanEntry) -> None:
        """Hold the scan back as recorded, however far the wall clock was set back meanwhile."""
        now = self.desk.now
        due = min(self.desk.monotonic(entry.not_before), now + self.desk.config.backoff_longest_ns)
        self.asking.delay(entry.source, max(due, now))

    def _hear_refusal(self, sender: str, refused: Refused) -> None:
        if refused.scan is not None and self._is_of_an_awaited_scan(sender, refused.scan):
            if refused.reason in _MISDIRECTED:
                self._take_report(_as_report(refused.scan, refused))
                return
            if refused.reason in _OVERTAKEN:
                self.desk.fail(f"{_refusal_of(sender, refused)}; the log has lost records")
                return
            self.asking.hear(sender, self.desk.now)
        elif refused.scan is None and refused.reason is Reason.STORAGE_CORRUPTED:
            self.desk.fail(_refusal_of(sender, refused))
            return
        self.desk.drop(f"refused: {refused.reason.value}")

    # --- Helpers.

    def _scan(self, entry: ScanEntry, attempt: int | None = None) -> ScanId:
        restore = self.desk.topology.restore
        number = entry.attempt if attempt is None else attempt
        return ScanId(restore, self._incremental, entry.source, number)

    def _name(self, entry: ScanEntry) -> str:
        return f"incremental {self._incremental}: {entry.source}, attempt {entry.attempt},"


def _as_report(scan: ScanId, refused: Refused) -> CompletionNotification:
    """A shard that says it is not the one meant will never scan: the same as a fatal report."""
    error = f"{refused.reason.value}: {refused.detail}"
    return CompletionNotification(scan, refused.generation, Status.FATAL, 0, (), error)


def _refusal_of(sender: str, refused: Refused) -> str:
    return f"{sender}: {refused.reason.value}: {refused.detail}"
