"""Events of lives, disks and faults, folded into a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView

Facts = dict[str, Any]


def crashed(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.set_state(view.shard(node), "crashed", at)


def back(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    """A new life: what the one before was doing is not known to it."""
    shard = view.shard(node)
    if shard.state == "crashed":
        shard.life += 1
        shard.state, shard.since = "idle", at
        if shard.role == "source":
            shard.incremental = shard.attempt = -1
            shard.streams.clear()
        if shard.role == COORDINATOR:
            shard.state = "running"


def storage_failed(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    shard = view.shard(node)
    shard.error = str(facts.get("error", ""))
    view.set_state(shard, "broken", at)


def restarting(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    shard = view.shard(node)
    shard.life += 1
    view.set_state(shard, "idle", at)


def fault_injected(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    name = str(facts.get("fault", "?"))
    fault = view.fault(name, str(facts.get("kind", "")), at)
    fault.state, fault.ended_at, fault.ending = "active", None, ""
    fault.hits += 1
    fault.where = str(facts.get("where", "") or fault.where)
    fault.detail = str(facts.get("detail", "") or fault.detail)


def fault_ended(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    name = str(facts.get("fault", "?"))
    if name in view.faults:
        fault = view.fault(name, "", at)
        fault.state, fault.ended_at = "ended", at
        fault.ending = str(facts.get("detail", ""))


def gap(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.gaps += int(facts.get("events", 0))
