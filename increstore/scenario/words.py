"""The words a scenario file may use: messages, records, events with their facts.

Events are those of docs/JSON.md; a test keeps this table and that page together.
"""

from __future__ import annotations

import dataclasses
import re
import typing

from increstore.protocol import messages, ready, records

MODES = ("simulation", "memory", "tcp")

MESSAGES: dict[str, type] = {cls.__name__: cls for cls in typing.get_args(messages.Message)}
WORK = (ready.ApplyBatch, ready.SealRun, ready.FinalizeRows, ready.PublishTables)
"""Effects that write: a crash may strike around them as around records."""
RECORDS: dict[str, type] = {cls.__name__: cls for cls in (*typing.get_args(records.Record), *WORK)}

_SCAN = ("incremental", "source", "attempt")
EVENTS: dict[str, tuple[str, ...]] = {
    "restore.accepted": ("restore", "plan"),
    "coordinator.started": ("generation",),
    "restore.resumed": (),
    "incremental.started": ("incremental",),
    "scan.reported": (*_SCAN, "status", "rows", "batches", "error"),
    "scan.retry_scheduled": (*_SCAN, "retries"),
    "target.sealed": ("incremental", "target", "rows"),
    "incremental.completed": ("incremental",),
    "restore.finalizing": (),
    "target.finalized": ("target", "rows"),
    "restore.completed": (),
    "restore.paused": ("reason",),
    "restore.failed": ("reason",),
    "restore.cancelled": (),
    "shard.obeys": ("generation",),
    "page.failed": (*_SCAN, "page", "error"),
    "batch.rejected": (*_SCAN, "order", "error"),
    "storage.failed": ("error",),
    "shard.restarting": ("delay_s",),
    "refused": ("by", "incremental", "reason", "detail"),
    "coordinator.usurped": ("overtaken",),
    "worker.died": ("deaths",),
    "events.lost": ("events",),
    "restore.interrupted": ("signal",),
    "restore.abandoned": ("signal",),
    "scan.asked": (*_SCAN, "generation"),
    "scan.progress": (*_SCAN, "rows_scanned", "rows_sent", "rows_applied"),
    "changes.applied": (*_SCAN, "watermark"),
    "completion.received": (*_SCAN, "status"),
    "run.sealed": ("incremental",),
    "rows.finalized": ("rows", "digest"),
    "barrier.waits": ("says", "question", "incremental", "answered", "awaited"),
    "operator.asked": ("verb", "value"),
    "storage.corrupted": ("error",),
    "disk.power_lost": ("fate",),
    "restore.refused": ("reason", "exit_code"),
    "node.started": ("incarnation",),
    "node.restarted": (),
    "node.crashed": ("incarnation", "fault", "why"),
    "fault.injected": ("fault", "kind", "where", "detail"),
    "fault.ended": ("fault", "kind", "where", "detail"),
    "fault.skipped": ("fault", "kind", "where", "detail"),
}
"""Every event that may trigger or end a fault, with the facts that may narrow it."""

DETAILS = (
    "message.sent", "message.received", "message.lost", "batch.applied", "page.read",
    "shard.recovered", "life.began", "restore.planned", "history.recovered",
    "tables.published", "data.lost", "clock.changed",
)  # fmt: skip
"""Events that only a run with a journal file has: a fault that waits for one would make the file's
presence change the run."""

NODE_FACTS = ("source", "target", "by", "to", "from")
"""Facts that name a node: matched by selectors instead of by equality."""
TEXT_FACTS = ("reason", "error", "detail", "says", "why")
"""Facts for people: matched when they contain the text."""

FAULT_MARK = "fault: "
DROP_MARK = "dropped: "

DROPS: tuple[str, ...] = (
    "of another restore",
    "of another generation",
    "of another incremental",
    "of another attempt",
    "of a scan that is not at hand",
    "reported before",
    "after the end",
    "overtaken StartScan",
    "CancelRestore of another restore or generation",
    "batch of a stream that is not open",
    "batch that is applied",
    "batch that is being applied",
    "batch after a gap",
    "write of an attempt that is over",
    "stale generation",
    "unknown restore",
    "refused: stale attempt",
    "refused: stale incremental",
    "refused: incremental not due",
    "refused: storage failed",
    "refused: finalize failed",
)
"""Why a core drops a message, as marks name it after "dropped: "; each is asked for by a shipped
scenario."""

PHASES = ("nothing is", "scans are", "seals are", "final rows are")
"""What is awaited when an answer to another question comes."""

VERBS_REFUSED = ("pause", "resume", "cancel")
"""What a person may ask in vain; a number of scans that cannot be is refused with its file."""

DROPS_UNSEEN: tuple[str, ...] = (
    "of another shard",
    *(why.value for why in messages.Reason if why.value not in DROPS),
    *(told for why in messages.Reason if (told := f"refused: {why.value}") not in DROPS),
)
"""For what no node of ours sends, such as a report in the name of another shard: cores drop that
too, and a scenario may say that it is never seen, but not that it must be."""

_FORMS = re.compile(
    rf"[A-Z]\w+ while ({'|'.join(PHASES)}) awaited"
    rf"|operator: cannot ({'|'.join(VERBS_REFUSED)}) now"
)
_FORMS_UNSEEN = re.compile(
    r"[A-Z]\w+ (is nothing for a (coordinator|source shard|target shard)"
    r"|while nothing is published)"
    r"|operator: cannot cap now"
)


def is_drop(why: str) -> bool:
    """Whether a core may drop something with this reason."""
    return is_seen(why) or why in DROPS_UNSEEN or _FORMS_UNSEEN.fullmatch(why) is not None


def is_seen(why: str) -> bool:
    """Whether there are runs in which something is dropped with this reason."""
    return why in DROPS or _FORMS.fullmatch(why) is not None


def message_fields(name: str) -> frozenset[str]:
    """Which of the narrowing keys of a message fault such a message has."""
    fields = {field.name for field in dataclasses.fields(MESSAGES[name])}
    if "scan" in fields:
        fields |= {"incremental", "attempt"}
    return frozenset(fields)
