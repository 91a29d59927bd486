"""A whole view as one event, for those who come late or have missed something.

What a newer version adds is ignored, and what an older one does not say keeps its default.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from increstore.journal import JournalEvent
from increstore.view.shards import (
    AttemptView,
    BarrierView,
    FaultView,
    IncrementalView,
    ShardView,
    StreamView,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from increstore.view.cluster import ClusterView

SNAPSHOT = "view.snapshot"
T = TypeVar("T")
_OWN = ("events", "version", "dirty", "gaps")
"""What a view counts for itself."""


def snapshot_event(view: ClusterView) -> JournalEvent:
    """The event that makes any other view show what this one shows."""
    facts: dict[str, Any] = {
        name: value
        for name, value in vars(view).items()
        if name not in _OWN and isinstance(value, str | int | None) and name != "barrier"
    }
    facts["barrier"] = None if view.barrier is None else _plain(view.barrier)
    facts["incrementals"] = [_plain(one) for one in view.incrementals]
    facts["shards"] = [_plain_shard(shard) for shard in view.shards.values()]
    facts["faults"] = [_plain(fault) for fault in view.faults.values()]
    return JournalEvent(view.now, "stream", SNAPSHOT, facts)


def take_snapshot(view: ClusterView, node: str, facts: dict[str, Any], at: int) -> None:
    """Show what the snapshot shows; what was shown before is forgotten."""
    for name, value in facts.items():
        if name in vars(view) and name not in (*_OWN, *_LISTS):
            setattr(view, name, value)
    barrier = facts.get("barrier")
    if barrier is not None:
        barrier = _made(BarrierView, {**barrier, "waiters": tuple(barrier.get("waiters", ()))})
    view.barrier = barrier
    view.incrementals = [_made(IncrementalView, one) for one in facts.get("incrementals", ())]
    shards = [_made_shard(one) for one in facts.get("shards", ())]
    view.shards = {shard.name: shard for shard in shards}
    faults = [_made(FaultView, one) for one in facts.get("faults", ())]
    view.faults = {fault.id: fault for fault in faults}
    view.dirty = dict.fromkeys(view.shards)


_LISTS = ("barrier", "incrementals", "shards", "faults")


def _plain(value: Any) -> dict[str, Any]:
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    # The event must stay as it is while the view goes on.
    return {name: dict(x) if isinstance(x, dict) else x for name, x in found.items()}


def _plain_shard(shard: ShardView) -> dict[str, Any]:
    return {
        **_plain(shard),
        "attempts": [_plain(attempt) for attempt in shard.attempts],
        "streams": [_plain(stream) for stream in shard.streams.values()],
    }


def _made(cls: type[T], plain: Mapping[str, Any]) -> T:
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in plain.items() if name in known})


def _made_shard(plain: Mapping[str, Any]) -> ShardView:
    shard = _made(ShardView, plain)
    shard.attempts = [_made(AttemptView, one) for one in plain.get("attempts", ())]
    streams = [_made(StreamView, one) for one in plain.get("streams", ())]
    shard.streams = {(stream.source, stream.target): stream for stream in streams}
    return shard
