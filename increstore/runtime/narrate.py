"""From what a driver sees (events, durable records) to journal events.

The names are a contract: dashboards, `--json`, benchmarks and checkers read them. Facts that are
samples (`scan.progress`, `changes.applied`) may be coalesced by a reader; the others may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol import messages as m
from increstore.protocol import records as r
from increstore.protocol.ready import (
    BatchesApplied,
    BatchRejected,
    FinalizeFailed,
    OperatorAsked,
    PageFailed,
    PublishFailed,
    Received,
    RowsFinalized,
    RunSealed,
    StoreFailed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.journal import Journal
    from increstore.protocol.ready import Event
    from increstore.protocol.records import Record


def narrate_records(journal: Journal, node: str, records: Sequence[Record]) -> None:
    """Tell of records that have just become durable."""
    for record in records:
        name, facts = _of_record(record)
        journal.emit(node, name, **facts)


def narrate_event(journal: Journal, node: str, event: Event) -> None:
    """Tell of an event that a core has just been given, when people or checkers care for it."""
    told = _of_received(event.sender, event.message) if isinstance(event, Received) else _of(event)
    if told is not None:
        name, facts = told
        journal.emit(node, name, **facts)


def _scan(scan: m.ScanId) -> dict[str, Any]:
    return {"incremental": scan.incremental, "source": scan.source, "attempt": scan.attempt}


def _of_record(record: Record) -> tuple[str, dict[str, Any]]:  # noqa: C901 - one line a record
    match record:
        case r.RestoreAccepted():
            return "restore.accepted", {"restore": record.restore, "plan": record.fingerprint}
        case r.GenerationStarted():
            return "coordinator.started", {"generation": record.generation}
        case r.IncrementalStarted():
            return "incremental.started", {"incremental": record.incremental}
        case r.ScanReported():
            return "scan.reported", {
                **_scan(record.scan),
                "status": record.status.value,
                "rows": record.rows_scanned,
                "batches": sum(evidence.batches for evidence in record.evidence),
                **({"error": record.error} if record.error else {}),
            }
        case r.RetryScheduled():
            return "scan.retry_scheduled", {**_scan(record.scan), "retries": record.retries}
        case r.TargetSealed():
            return "target.sealed", {
                "incremental": record.incremental,
                "target": record.target,
                "rows": sum(stream.rows for stream in record.applied),
            }
        case r.IncrementalCompleted():
            return "incremental.completed", {"incremental": record.incremental}
        case r.FinalizingStarted():
            return "restore.finalizing", {}
        case r.TargetFinalized():
            return "target.finalized", {"target": record.target, "rows": record.rows}
        case r.RestoreCompleted():
            return "restore.completed", {}
        case r.RestorePaused():
            return "restore.paused", {"reason": record.reason}
        case r.RestoreResumed():
            return "restore.resumed", {}
        case r.RestoreFailed():
            return "restore.failed", {"reason": record.reason}
        case r.RestoreCancelled():
            return "restore.cancelled", {}
        case r.GenerationSeen():
            return "shard.obeys", {"generation": record.generation}


def _of_received(sender: str, message: m.Message) -> tuple[str, dict[str, Any]] | None:
    match message:
        case m.ScanProgress():
            return "scan.progress", {
                **_scan(message.scan),
                "rows_scanned": message.rows_scanned,
                "rows_sent": message.rows_sent,
                "rows_applied": message.rows_applied,
                "unapplied": {target: batches for target, batches in message.unapplied if batches},
            }
        case m.StartScan():
            return "scan.asked", {**_scan(message.scan), "generation": message.generation}
        case m.CompletionNotification():
            return "completion.received", {**_scan(message.scan), "status": message.status.value}
        case m.Refused():
            return "refused", {
                "by": sender,
                "incremental": message.incremental,
                "reason": message.reason.value,
                "detail": message.detail,
            }
        case _:
            return None


def _of(event: Event) -> tuple[str, dict[str, Any]] | None:
    match event:
        case BatchesApplied():
            return "changes.applied", {**_scan(event.scan), "watermark": event.watermark}
        case RunSealed():
            return "run.sealed", {"incremental": event.incremental}
        case RowsFinalized():
            return "rows.finalized", {"rows": event.rows, "digest": f"{event.digest:016x}"}
        case PageFailed():
            return "page.failed", {**_scan(event.scan), "page": event.page, "error": event.error}
        case BatchRejected():
            return "batch.rejected", {
                **_scan(event.scan), "order": event.order, "error": event.error
            }  # fmt: skip
        case StoreFailed() | FinalizeFailed() | PublishFailed():
            return "storage.failed", {"error": event.error}
        case OperatorAsked():
            return "operator.asked", {"verb": event.verb, "value": event.value}
        case _:
            return None
