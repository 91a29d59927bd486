"""Details for journal files: messages, records, batches and plans as facts, without a payload.

Digests are 16 hex digits; times of records are whole nanoseconds since 1970. What is written here
`judging.journal_words` reads back; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.protocol.messages import Evidence, Message, ScanId, StreamEvidence
    from increstore.protocol.policy import CoordinatorConfig
    from increstore.protocol.ready import ApplyBatch, PageRead
    from increstore.protocol.records import Record
    from increstore.protocol.source_shard import SourceConfig
    from increstore.protocol.target_state import TargetState
    from increstore.protocol.topology import Topology


def of_message(message: Message) -> dict[str, Any]:
    """Every field but the payload; `kind` is the message's name."""
    facts: dict[str, Any] = {"kind": type(message).__name__}
    for field in fields(message):
        if field.name != "payload":
            facts.update(_fact(field.name, getattr(message, field.name)))
    return facts


def of_record(record: Record) -> dict[str, Any]:
    """The fields that the record's event does not tell to everybody."""
    return {
        name: value
        for field in fields(record)
        if field.name in _RECORD_DETAILS
        for name, value in _fact(field.name, getattr(record, field.name)).items()
    }


_RECORD_DETAILS = {
    "accepted_at", "applied", "cancelled_at", "completed_at", "digest", "evidence", "failed_at",
    "not_before", "paused_at", "reported_at", "resumed_at", "started_at",
}  # fmt: skip


def of_batch(batch: ApplyBatch) -> dict[str, Any]:
    """A batch without its payload."""
    return {
        **_fact("scan", batch.scan),
        "order": batch.order,
        "rows": batch.rows,
        "digest": hexadecimal(batch.digest),
    }


def of_page(page: PageRead) -> dict[str, Any]:
    """A page that was read, without its payloads."""
    return {
        **_fact("scan", page.scan),
        "page": page.page,
        "rows": page.rows,
        "last": page.last,
        "batches": [
            {"target": batch.target, "rows": batch.rows, "digest": hexadecimal(batch.digest)}
            for batch in page.batches
        ],
    }


def of_state(state: TargetState) -> dict[str, Any]:
    """What a target has found durable at the beginning of a life."""
    found: dict[str, Any] = {
        "generation": state.generation,
        "sealed": [
            {"incremental": incremental, "streams": of_streams(streams)}
            for incremental, streams in sorted(state.sealed.items())
        ],
        "streams": [
            {
                **_fact("scan", scan),
                "watermark": stream.watermark,
                "rows": stream.rows,
                "digest": hexadecimal(stream.digest),
            }
            for scan, stream in sorted(state.streams.items())
        ],
    }
    if state.finalized is not None:
        rows, digest = state.finalized
        found["finalized"] = {"rows": rows, "digest": hexadecimal(digest)}
    return found


def of_plan(
    topology: Topology, coordinator: CoordinatorConfig, source: SourceConfig
) -> dict[str, Any]:
    """Who takes part, what must come out, and the bounds that a checker holds the run to."""
    return {
        "restore": topology.restore,
        "last_incremental": topology.last_incremental,
        "tables": [
            {
                "table": table.table,
                "sources": list(table.sources),
                "targets": list(table.targets),
                "incrementals": list(table.incrementals),
                "rows": table.rows,
                "digest": None if table.digest is None else hexadecimal(table.digest),
            }
            for table in topology.tables
        ],
        "policy": {field.name: getattr(coordinator, field.name) for field in fields(coordinator)},
        "source_policy": {field.name: getattr(source, field.name) for field in fields(source)},
    }


def of_streams(streams: Sequence[StreamEvidence]) -> list[dict[str, Any]]:
    """Evidence, stream by stream."""
    return [
        {
            "source": stream.source,
            "attempt": stream.attempt,
            "rows": stream.rows,
            "batches": stream.batches,
            "digest": hexadecimal(stream.digest),
        }
        for stream in streams
    ]


def hexadecimal(digest: int) -> str:
    """A digest as journals have it: JSON numbers of 64 bits are not safe with every reader."""
    return f"{digest:016x}"


def _of_evidence(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    return [
        {
            "target": sent.target,
            "rows": sent.rows,
            "batches": sent.batches,
            "digest": hexadecimal(sent.digest),
        }
        for sent in evidence
    ]


def _fact(name: str, value: Any) -> dict[str, Any]:
    """A field as one fact or several: a scan is told by its parts."""
    match name:
        case "scan":
            return _of_scan(value)
        case "digest":
            return {name: hexadecimal(value)}
        case "evidence":
            return {name: _of_evidence(value)}
        case "sent" | "applied":
            return {"streams": of_streams(value)}
        case "status" | "reason":
            return {name: value if isinstance(value, str) else value.value}
        case "unapplied":
            return {name: dict(value)}
        case _:
            return {name: value}


def _of_scan(scan: ScanId | None) -> dict[str, Any]:
    if scan is None:
        return {}
    return {
        "restore": scan.restore,
        "incremental": scan.incremental,
        "source": scan.source,
        "attempt": scan.attempt,
    }
