"""From the facts of a journal back to messages, records and states that they were made of."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from increstore.judging.config import JudgeConfig
from increstore.protocol import messages as m
from increstore.protocol import records as r
from increstore.protocol.policy import CoordinatorConfig
from increstore.protocol.ready import Batch
from increstore.protocol.source_scan import SourceConfig
from increstore.protocol.target_state import StreamState, TargetState
from increstore.protocol.topology import TableTopology, Topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    Facts = Mapping[str, Any]

_KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(m.Message)}

RECORDS: dict[str, type] = {
    "restore.accepted": r.RestoreAccepted,
    "coordinator.started": r.GenerationStarted,
    "incremental.started": r.IncrementalStarted,
    "scan.reported": r.ScanReported,
    "scan.retry_scheduled": r.RetryScheduled,
    "target.sealed": r.TargetSealed,
    "incremental.completed": r.IncrementalCompleted,
    "restore.finalizing": r.FinalizingStarted,
    "target.finalized": r.TargetFinalized,
    "restore.completed": r.RestoreCompleted,
    "restore.paused": r.RestorePaused,
    "restore.resumed": r.RestoreResumed,
    "restore.failed": r.RestoreFailed,
    "restore.cancelled": r.RestoreCancelled,
    "shard.obeys": r.GenerationSeen,
}
"""The record that each event of the history tells of."""


def message_of(facts: Facts) -> m.Message | None:
    """The message, without its payload; None when this version has no such kind.

    Raises: KeyError, TypeError, ValueError when a fact is missing or of another kind.
    """
    kind = _KINDS.get(facts["kind"])
    return None if kind is None else _build(kind, facts, "")


def record_of(event: str, facts: Facts, restore: str) -> Any:
    """The record that an event tells of; what it does not tell (without details) is 0 or empty."""
    return _build(RECORDS[event], {**_UNTOLD, **facts}, restore)


_UNTOLD: dict[str, Any] = {
    "error": "", "evidence": (), "streams": (), "digest": "0", "accepted_at": 0, "started_at": 0,
    "reported_at": 0, "not_before": 0, "completed_at": 0, "paused_at": 0, "resumed_at": 0,
    "failed_at": 0, "cancelled_at": 0,
}  # fmt: skip


def scan_of(facts: Facts, restore: str = "") -> m.ScanId:
    """The scan that an event tells of; a journal of one restore need not name it each time."""
    return m.ScanId(
        facts.get("restore", restore), facts["incremental"], facts["source"], facts["attempt"]
    )


def streams_of(facts: Facts) -> tuple[m.StreamEvidence, ...]:
    """The evidence that an event tells, stream by stream."""
    return tuple(
        m.StreamEvidence(
            told["source"], told["attempt"], told["rows"], told["batches"], int(told["digest"], 16)
        )
        for told in facts["streams"]
    )


def batches_of(facts: Facts) -> tuple[Batch, ...]:
    """The batches of a page, without their payload."""
    return tuple(
        Batch(told["target"], told["rows"], int(told["digest"], 16), b"")
        for told in facts["batches"]
    )


def state_of(facts: Facts) -> TargetState:
    """What a target shard said that it had recovered."""
    final = facts.get("finalized")
    return TargetState(
        facts["generation"],
        {told["incremental"]: streams_of(told) for told in facts["sealed"]},
        {
            scan_of(told): StreamState(told["watermark"], told["rows"], int(told["digest"], 16))
            for told in facts["streams"]
        },
        None if final is None else (final["rows"], int(final["digest"], 16)),
    )


def topology_of(facts: Facts) -> Topology:
    """Who takes part, as `restore.planned` tells it."""
    return Topology(
        facts["restore"],
        facts["last_incremental"],
        tuple(
            TableTopology(
                told["table"],
                tuple(told["sources"]),
                tuple(told["targets"]),
                tuple(told["incrementals"]),
                told["rows"],
                None if told["digest"] is None else int(told["digest"], 16),
            )
            for told in facts["tables"]
        ),
    )


def last_backup_of(facts: Facts) -> str | None:
    """The name of the last backup that was restored; None where there are no backups on disk."""
    names = facts.get("backups")
    return str(names[-1]) if isinstance(names, list) and names else None


def config_of(facts: Facts, slack_ns: int) -> JudgeConfig:
    """The bounds of a run; policies that this version does not know are ignored."""
    coordinator = _known(CoordinatorConfig, facts["policy"])
    return JudgeConfig.of(
        coordinator, _known(SourceConfig, facts["source_policy"]), slack_ns=slack_ns
    )


def _known(kind: Any, facts: Facts) -> Any:
    names = {field.name for field in fields(kind)}  # Only ever asked for membership.
    return kind(**{name: value for name, value in facts.items() if name in names})


def _build(kind: Any, facts: Facts, restore: str) -> Any:
    return kind(**{name: _value(name, facts, restore) for name in _names(kind)})


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _value(name: str, facts: Facts, restore: str) -> Any:
    """One field of a message or record: most are facts of the same name."""
    read = _READ.get(name)
    return facts[name] if read is None else read(facts, restore)


_READ: dict[str, Any] = {
    "scan": lambda facts, restore: scan_of(facts, restore) if "source" in facts else None,
    "digest": lambda facts, _: int(facts["digest"], 16),
    "sent": lambda facts, _: streams_of(facts),
    "applied": lambda facts, _: streams_of(facts),
    "status": lambda facts, _: m.Status(facts["status"]),
    "rows_scanned": lambda facts, _: facts["rows_scanned"] if "kind" in facts else facts["rows"],
    "reason": lambda facts, _: m.Reason(facts["reason"]) if "kind" in facts else facts["reason"],
    "unapplied": lambda facts, _: tuple(facts["unapplied"].items()),
    "payload": lambda _, __: b"",
    "fingerprint": lambda facts, _: facts["plan"],
    "evidence": lambda facts, _: tuple(
        m.Evidence(told["target"], told["rows"], told["batches"], int(told["digest"], 16))
        for told in facts["evidence"]
    ),
}
"""Fields that are told otherwise than by a fact of their name."""
