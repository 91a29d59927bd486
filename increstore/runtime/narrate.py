"""From what a driver sees (events, durable records, messages) to journal events.

The names are a contract: dashboards, `--json`, benchmarks and checkers read them. Facts that are
samples (`scan.progress`, `changes.applied`) may be coalesced by a reader; the others may not. What
`details` makes is for journal files and checkers, and is made only when one of them listens.
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
    PageRead,
    PublishFailed,
    Received,
    RowsFinalized,
    RunSealed,
    StoreFailed,
    TablesPublished,
)
from increstore.runtime import details as d

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.journal import Journal
    from increstore.protocol.policy import CoordinatorConfig
    from increstore.protocol.ready import ApplyBatch, Event
    from increstore.protocol.records import CoordinatorRecord, Record
    from increstore.protocol.source_shard import SourceConfig
    from increstore.protocol.target_state import TargetState
    from increstore.protocol.topology import Topology


def narrate_records(journal: Journal, node: str, records: Sequence[Record]) -> None:
    """Tell of records that have just become durable."""
    for record in records:
        name, facts = of_record(record)
        more = d.of_record(record) if journal.wants_details else None
        journal.tell(node, name, facts, more)


def narrate_event(journal: Journal, node: str, event: Event) -> None:
    """Tell of an event that a core has just been given, when people or checkers care for it."""
    told = _of_received(event.sender, event.message) if isinstance(event, Received) else _of(event)
    if told is not None:
        name, facts = told
        journal.tell(node, name, facts, _MORE.get(type(event)))
    if journal.wants_details:
        _narrate_detail(journal, node, event)


def narrate_messages(
    journal: Journal, node: str, messages: Sequence[tuple[str, m.Message]]
) -> None:
    """A detail: what a core has said, after the records of the same step are durable."""
    if journal.wants_details:
        for receiver, message in messages:
            facts = {"to": receiver, **d.of_message(message)}
            journal.tell(node, "message.sent", facts, is_detail=True)


def narrate_loss(
    journal: Journal, sender: str, receiver: str, message: m.Message, why: str
) -> None:
    """A detail: a message that was sent will not arrive (or one copy of it)."""
    if journal.wants_details:
        facts = {"from": sender, "to": receiver, "why": why, **d.of_message(message)}
        journal.tell(sender, "message.lost", facts, is_detail=True)


def narrate_applied(journal: Journal, node: str, batches: Sequence[ApplyBatch]) -> None:
    """A detail: batches that are durable now, each with its watermark."""
    if journal.wants_details:
        for batch in batches:
            journal.tell(node, "batch.applied", d.of_batch(batch), is_detail=True)


def narrate_seal(
    journal: Journal, node: str, incremental: int, streams: Sequence[m.StreamEvidence]
) -> None:
    """A seal is durable; as a detail, what it names."""
    more = {"streams": d.of_streams(streams)} if journal.wants_details else None
    journal.tell(node, "run.sealed", {"incremental": incremental}, more)


def narrate_recovery(journal: Journal, node: str, state: TargetState) -> None:
    """A detail: what a target has found durable, before its life begins."""
    if journal.wants_details:
        journal.tell(node, "shard.recovered", d.of_state(state), is_detail=True)


def narrate_life(journal: Journal, node: str) -> None:
    """A detail: a node begins a life."""
    if journal.wants_details:
        journal.tell(node, "life.began", {}, is_detail=True)


def narrate_plan(
    journal: Journal,
    node: str,
    topology: Topology,
    coordinator: CoordinatorConfig,
    source: SourceConfig,
    history: Sequence[CoordinatorRecord],
    mode: str,
) -> None:
    """Details: who takes part, under which policies, and what the coordinator has found durable.

    `mode` is "simulation", "memory" or "tcp": whether the events of shards can be late or missing.
    """
    if journal.wants_details:
        facts = {"mode": mode, **journal.about, **d.of_plan(topology, coordinator, source)}
        journal.tell(node, "restore.planned", facts, is_detail=True)
        found = [_as_event(record) for record in history]
        journal.tell(node, "history.recovered", {"records": found}, is_detail=True)


def _as_event(record: Record) -> dict[str, Any]:
    name, facts = of_record(record)
    return {"event": name, **facts, **d.of_record(record)}


def _narrate_detail(journal: Journal, node: str, event: Event) -> None:
    match event:
        case Received(sender, message):
            facts = {"from": sender, **d.of_message(message)}
            journal.tell(node, "message.received", facts, is_detail=True)
        case PageRead():
            journal.tell(node, "page.read", d.of_page(event), is_detail=True)
        case TablesPublished():
            journal.tell(node, "tables.published", {}, is_detail=True)
        case _:
            pass


_MORE: dict[type, dict[str, Any]] = {StoreFailed: {"ends_life": True}}
"""Details of events that are told to everybody."""


def _scan(scan: m.ScanId) -> dict[str, Any]:
    return {"incremental": scan.incremental, "source": scan.source, "attempt": scan.attempt}


def of_record(record: Record) -> tuple[str, dict[str, Any]]:  # noqa: C901 - one line a record
    """The event that a durable record makes: its name and its facts."""
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
