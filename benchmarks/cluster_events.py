"""The events of a restore that never ends, over any number of shards: a load for the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from increstore.journal import JournalEvent

TABLE = "orders"
BATCH_ROWS = 500
BATCHES = 40
"""Batches of one scan."""
INCREMENTALS = 100
STEP_NS = 20_000
BEGAN_NS = 1_700_000_000_000_000_000
Said = tuple[str, str, dict[str, Any]]
"""Node, name and facts of an event."""


def events(shards: int, at: int = BEGAN_NS) -> Iterator[JournalEvent]:
    """Four sources to a target, an event every `STEP_NS`."""
    targets = [f"{TABLE}/t{number}" for number in range(max(1, shards // 5))]
    sources = [f"{TABLE}/s{number}" for number in range(shards - len(targets))]
    for node, name, facts in _said(sources, targets):
        at += STEP_NS
        yield JournalEvent(at, node, name, facts)


def _said(sources: list[str], targets: list[str]) -> Iterator[Said]:
    numbers = list(range(INCREMENTALS))
    table = {"table": TABLE, "sources": sources, "targets": targets, "incrementals": numbers}
    planned = {"restore": "load", "title": "a load", "tables": [table]}
    yield "coordinator", "restore.planned", {**planned, "last_incremental": INCREMENTALS - 1}
    yield "coordinator", "coordinator.started", {"generation": 1}
    for incremental in numbers:
        yield from _incremental(incremental, sources, targets)


def _incremental(incremental: int, sources: list[str], targets: list[str]) -> Iterator[Said]:
    yield "coordinator", "incremental.started", {"incremental": incremental}
    for source in sources:
        asked = {"incremental": incremental, "attempt": 1}
        yield "coordinator", "message.sent", {"kind": "StartScan", "to": source, **asked}
        yield "coordinator", "scan.asked", {"source": source, **asked}
    for order in range(1, BATCHES + 1):
        for number, source in enumerate(sources):
            target = targets[(number + order) % len(targets)]
            yield from _batch(incremental, order, source, target)
    for source in sources:
        done = {"incremental": incremental, "attempt": 1, "status": "success"}
        done["rows"] = BATCH_ROWS * BATCHES
        told = {"kind": "CompletionNotification", "to": "coordinator", **done}
        yield source, "message.sent", told
        yield "coordinator", "scan.reported", {"source": source, **done}
    for target in targets:
        yield "coordinator", "target.sealed", {"incremental": incremental, "target": target}
    yield "coordinator", "incremental.completed", {"incremental": incremental}


def _batch(incremental: int, order: int, source: str, target: str) -> Iterator[Said]:
    batch = {"incremental": incremental, "attempt": 1, "order": order}
    rows = BATCH_ROWS * order
    yield source, "message.sent", {"kind": "ApplyChanges", "to": target, **batch, "rows": 500}
    yield target, "message.received", {"kind": "ApplyChanges", "from": source, **batch}
    yield target, "batch.applied", {"source": source, **batch, "rows": BATCH_ROWS}
    progress = {"rows_scanned": rows, "rows_sent": rows, "rows_applied": rows - BATCH_ROWS}
    facts = {"source": source, "incremental": incremental, "attempt": 1, **progress}
    yield source, "scan.progress", {**facts, "unapplied": {target: 1}}
