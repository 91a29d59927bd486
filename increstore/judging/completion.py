"""Completion is true: success is reported, believed and acted on only when all of it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.history import COMPLETED, FATAL, FORGIVEN, SUCCEEDED, TRANSIENT
from increstore.judging.monitor import Monitor, invariant, part_of
from increstore.protocol.messages import Status

if TYPE_CHECKING:
    from increstore.judging.history import History
    from increstore.judging.streams import Source, Stream, Totals
    from increstore.protocol.messages import (
        CompletionNotification,
        Evidence,
        ScanId,
        SealIncremental,
        StartScan,
    )
    from increstore.protocol.records import (
        IncrementalCompleted,
        RestoreCompleted,
        RetryScheduled,
        ScanReported,
        TargetFinalized,
        TargetSealed,
    )


class Completion(Monitor):
    group = "completion"

    @invariant("C1", "completion-truth", "sent CompletionNotification")
    def completion_truth(self, now: int, source: Source, report: CompletionNotification) -> None:
        """A source shard reports success only when every batch that it sent for this incremental is
        durably applied at its target: rows, batches and digest of the evidence are those of what
        the target has made durable for exactly this attempt, and the target has told it so."""
        if report.status is not Status.SUCCESS:
            return
        for evidence in report.evidence:
            stream = self.truth.stream(evidence.target, report.scan)
            if stream is None or not self._is_out_of_sight(stream, evidence.batches):
                self._require_durable(now, source, report, evidence, stream)
            if stream is not None and evidence.batches > stream.told:
                raise self.violated(
                    "C1", now, source.name,
                    f"reported success of incremental {report.scan.incremental}, attempt "
                    f"{report.scan.attempt}, with {evidence.batches} batches for "
                    f"{evidence.target}, which has told it of {stream.told}",
                )  # fmt: skip

    def _is_out_of_sight(self, stream: Stream, batches: int) -> bool:
        return stream.target.is_blind and batches > stream.best

    def _require_durable(
        self,
        now: int,
        source: Source,
        report: CompletionNotification,
        evidence: Evidence,
        stream: Stream | None,
    ) -> None:
        durable = stream.totals.get(evidence.batches) if stream is not None else None
        if durable != (evidence.rows, evidence.digest):
            applied = stream.best if stream is not None else 0
            raise self.violated(
                "C1", now, source.name,
                f"reported success of incremental {report.scan.incremental}, attempt "
                f"{report.scan.attempt}, with {_totals(evidence.rows, evidence.digest)} in "
                f"{evidence.batches} batches for {evidence.target}, where {applied} batches are "
                f"applied{_and(durable)}",
            )  # fmt: skip

    @invariant("C2", "one-outcome", "sent CompletionNotification")
    def one_outcome(self, now: int, source: Source, report: CompletionNotification) -> None:
        """Within one life a source shard reports one outcome of an attempt, however often it is
        asked: a scan that failed or was aborted never reports success."""
        scan = report.scan
        before = source.reports.get((scan.incremental, scan.attempt))
        if before is not None and (
            before.status is not report.status or before.evidence != report.evidence
        ):
            raise self.violated(
                "C2", now, source.name,
                f"reported {report.status.value} of incremental {scan.incremental}, attempt "
                f"{scan.attempt}, after it had reported {before.status.value}"
                f"{'' if before.status is not report.status else ' with other evidence'}",
            )  # fmt: skip

    @invariant("C3", "silence-is-no-success", "recorded ScanReported")
    def silence_is_no_success(self, now: int, history: History, record: ScanReported) -> None:
        """What a coordinator records as reported was said to it, so and not otherwise, by that
        shard: absence, silence, a broken link or an earlier answer is never success."""
        scan = record.scan
        key = (scan.source, scan.incremental, scan.attempt)
        if record.status is Status.FATAL and key in self.truth.refusals_heard:
            return
        said = self.truth.reports_heard.get(key, ())
        for report in said:
            if is_same(report, record):
                return
        raise self.violated(
            "C3", now, history.name,
            f"{record.status.value} of incremental {scan.incremental}, {scan.source}, attempt "
            f"{scan.attempt} was recorded, but {_heard(said)}",
        )  # fmt: skip

    @part_of("C3", "recorded TargetSealed")
    def seal_was_said(self, now: int, history: History, record: TargetSealed) -> None:
        said = self.truth.seals_heard.get((record.target, record.incremental))
        if said is None or said.applied != record.applied:
            raise self.violated(
                "C3", now, history.name,
                f"a seal of incremental {record.incremental} by {record.target} was recorded that "
                f"it {'never told' if said is None else 'told otherwise'}",
            )  # fmt: skip

    @part_of("C3", "recorded TargetFinalized")
    def final_rows_were_said(self, now: int, history: History, record: TargetFinalized) -> None:
        said = self.truth.finals_heard.get(record.target)
        if said is None or (said.rows, said.digest) != (record.rows, record.digest):
            raise self.violated(
                "C3", now, history.name,
                f"final rows of {record.target} were recorded that it "
                f"{'never told' if said is None else 'told otherwise'}",
            )  # fmt: skip

    @invariant("C4", "first-report-wins", "recorded ScanReported")
    def first_report_wins(self, now: int, history: History, record: ScanReported) -> None:
        """The first terminal report of an attempt is the only one that is recorded of it: a success
        that comes after a failure does not mask it."""
        scan = history.scans.get(record.scan.source)
        if scan is None or record.scan.attempt != scan.attempt:
            return  # Not of what is awaited: S2 judges that.
        if scan.state in (TRANSIENT, FATAL, FORGIVEN):
            raise self.violated(
                "C4", now, history.name,
                f"incremental {record.scan.incremental}, {record.scan.source}: "
                f"{record.status.value} of attempt {scan.attempt} was recorded after its failure",
            )  # fmt: skip

    @part_of("C4", "recorded RetryScheduled")
    def only_what_failed_is_retried(
        self, now: int, history: History, record: RetryScheduled
    ) -> None:
        name, scan = record.scan.source, history.scans.get(record.scan.source)
        if scan is None or scan.state not in (TRANSIENT, FORGIVEN):
            state = "not awaited" if scan is None else scan.state
            raise self.violated(
                "C4", now, history.name,
                f"a retry of incremental {record.scan.incremental}, {name} was scheduled, whose "
                f"scan is {state}",
            )  # fmt: skip
        if record.scan.attempt != scan.attempt + 1:
            raise self.violated(
                "C4", now, history.name,
                f"attempt {record.scan.attempt} of incremental {record.scan.incremental}, {name} "
                f"was scheduled; expected {scan.attempt + 1}",
            )  # fmt: skip

    @invariant("C5", "complete-means-all", "recorded IncrementalCompleted")
    def complete_means_all(self, now: int, history: History, record: IncrementalCompleted) -> None:
        """An incremental is complete when every source shard of it has succeeded and every target
        shard has sealed it; a restore, when all incrementals are complete, every target has its
        final rows, and the tables are visible."""
        n = record.incremental
        if not history.is_open or n != history.incremental:
            raise self.violated(
                "C5", now, history.name, f"incremental {n} was completed, which is not open"
            )
        for table in self.truth.topology.tables_changed_in(n):
            for source in table.sources:
                if history.scans[source].state is not SUCCEEDED:
                    raise self.violated(
                        "C5", now, history.name,
                        f"incremental {n} was completed while {source} was "
                        f"{history.scans[source].state}",
                    )  # fmt: skip
            for target in table.targets:
                if target not in history.seals[n]:
                    raise self.violated(
                        "C5", now, history.name,
                        f"incremental {n} was completed before {target} had sealed it",
                    )  # fmt: skip

    @part_of("C5", "recorded RestoreCompleted")
    def completed_restore(self, now: int, history: History, _: RestoreCompleted) -> None:
        last = self.truth.topology.last_incremental
        missing = [name for name in self.truth.targets if name not in history.finals]
        if history.incremental != last or history.is_open or missing:
            raise self.violated(
                "C5", now, history.name,
                f"the restore was completed with incremental {history.incremental} of {last}"
                f"{f', without the final rows of {missing[0]}' if missing else ''}",
            )  # fmt: skip
        if not self.truth.is_published:
            raise self.violated(
                "C5", now, history.name,
                "the restore was completed before its tables were visible",
            )  # fmt: skip

    @part_of("C5", "ended")
    def said_as_recorded(self, now: int, state: str, reason: str) -> None:
        histories = self.truth.histories.values()
        if state == COMPLETED and not any(h.halt == COMPLETED for h in histories):
            raise self.violated(
                "C5", now, "coordinator",
                "the restore was told to be completed, and that is not durable",
            )  # fmt: skip

    @invariant("C6", "nobody-else-is-asked", "sent StartScan")
    def nobody_else_is_asked(
        self, now: int, history: History, receiver: str, message: StartScan
    ) -> None:
        """An incremental asks the shards of the tables that it changes and no others; one that
        changes no table completes without asking anybody."""
        self._require_changed(now, receiver, message.scan.source, message.scan.incremental)

    @part_of("C6", "sent SealIncremental")
    def nobody_else_seals(
        self, now: int, history: History, receiver: str, message: SealIncremental
    ) -> None:
        self._require_changed(now, receiver, receiver, message.incremental)

    def _require_changed(self, now: int, receiver: str, shard: str, incremental: int) -> None:
        if receiver != shard or not self.truth.takes_part(shard, incremental):
            raise self.violated(
                "C6", now, receiver,
                f"{receiver} was asked for incremental {incremental} of {shard}, which does not "
                "take part in it",
            )  # fmt: skip

    @invariant("C7", "nothing-left-out", "sent CompletionNotification")
    def nothing_left_out(self, now: int, source: Source, report: CompletionNotification) -> None:
        """A success covers all that the scan owes: every page was read, and the evidence names each
        target with all its rows and batches, and no other."""
        scan = report.scan
        if report.status is not Status.SUCCESS or source.is_blind:
            return
        owed = self.truth.owed(scan.source, scan.incremental)
        if not owed.is_complete:
            raise self.violated(
                "C7", now, source.name,
                f"reported success of {_of(scan)} before it had read all pages",
            )  # fmt: skip
        told = {e.target: (e.batches, e.rows, e.digest) for e in report.evidence}
        if told != owed.everything() or report.rows_scanned != owed.rows:
            raise self.violated(
                "C7", now, source.name,
                f"reported success of {_of(scan)} with {report.rows_scanned} rows, "
                f"{_by_target(told)}; it owes {owed.rows} rows, {_by_target(owed.everything())}",
            )  # fmt: skip


def is_same(report: CompletionNotification, record: ScanReported) -> bool:
    """Whether the record says what the report said; the error is for people."""
    return (
        report.status is record.status
        and report.rows_scanned == record.rows_scanned
        and report.evidence == record.evidence
    )


def _of(scan: ScanId) -> str:
    return f"incremental {scan.incremental}, attempt {scan.attempt}"


def _heard(said: Any) -> str:
    if not said:
        return "the shard has said nothing of it"
    return "the shard has said " + ", ".join(
        f"{report.status.value} with {report.rows_scanned} rows" for report in said
    )


def _totals(rows: int, digest: int) -> str:
    return f"{rows} rows (digest {digest:016x})"


def _and(durable: Totals | None) -> str:
    return "" if durable is None else f", those so far with {_totals(*durable)}"


def _by_target(told: dict[str, tuple[int, int, int]]) -> str:
    parts = [f"{rows} in {batches} batches for {t}" for t, (batches, rows, _) in told.items()]
    return "; ".join(parts) or "nothing for any target"
