"""Events of the restore as a whole, folded into a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol.topology import COORDINATOR
from increstore.view.shards import BarrierView

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.view.cluster import ClusterView

Facts = dict[str, Any]


def planned(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.restore = str(facts.get("restore", ""))
    view.mode = str(facts.get("mode", ""))
    view.scenario = str(facts.get("scenario", ""))
    view.title = str(facts.get("title", "") or view.scenario or facts.get("collection", ""))
    view.seed = facts.get("seed")
    view.shard(COORDINATOR)
    for table in facts.get("tables", ()):
        for name in (*table.get("sources", ()), *table.get("targets", ())):
            view.shard(str(name))
        for number in table.get("incrementals", ()):
            view.incremental_at(int(number)).expected = 0
    for table in facts.get("tables", ()):
        for number in table.get("incrementals", ()):
            view.incremental_at(int(number)).expected += len(table.get("sources", ()))
    last = int(facts.get("last_incremental", len(view.incrementals) - 1))
    if last >= 0:
        view.incremental_at(last)
    _planned_backups(view, facts)


def _planned_backups(view: ClusterView, facts: Facts) -> None:
    for number, backup in enumerate(facts.get("backups", ())):
        view.incremental_at(number).backup = str(backup)
    for number, rows in enumerate(facts.get("rows_by_backup", ())):
        view.incremental_at(number).rows_planned = int(rows)


def accepted(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.restore = str(facts.get("restore", view.restore))
    view.state = "running"


def generation(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.generation = int(facts.get("generation", 0))
    view.state = "running"
    coordinator = view.shard(COORDINATOR)
    coordinator.life = view.generation
    view.set_state(coordinator, "running", at)


def recovered(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    """What a coordinator has found durable: of an earlier command, it is told only here."""
    for record in facts["records"]:
        fold = _RECOVERED.get(str(record["event"]))
        if fold is not None:
            fold(view, record)
    view.began_at, view.rows_before = at, view.rows_applied


def _was_started(view: ClusterView, record: Facts) -> None:
    one = view.incremental_at(int(record["incremental"]))
    if one.state == "waiting":
        one.state, one.is_earlier = "running", True
        view.incremental = max(view.incremental, one.number)


def _was_reported(view: ClusterView, record: Facts) -> None:
    if record.get("status") != "success":
        return
    one = view.incremental_at(int(record["incremental"]))
    source, rows = str(record["source"]), int(record.get("rows", 0))
    view.rows_applied += rows - one.reported.get(source, 0)
    one.reported[source] = rows


def _was_sealed(view: ClusterView, record: Facts) -> None:
    one = view.incremental_at(int(record["incremental"]))
    one.sealed[str(record["target"])] = int(record.get("rows", 0))
    if one.state == "running":
        one.state = "sealing"


def _was_completed(view: ClusterView, record: Facts) -> None:
    view.incremental_at(int(record["incremental"])).state = "done"


_RECOVERED = {
    "incremental.started": _was_started,
    "scan.reported": _was_reported,
    "target.sealed": _was_sealed,
    "incremental.completed": _was_completed,
}


def ended(state: str) -> Callable[[ClusterView, str, Facts, int], None]:
    def fold(view: ClusterView, node: str, facts: Facts, at: int) -> None:
        view.state = state
        view.reason = str(facts.get("reason", ""))
        view.set_state(view.shard(COORDINATOR), state, at)

    return fold


def refused(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    """It never began; of a second restore, which a scenario tries, somebody else tells."""
    if node == COORDINATOR:
        ended("refused")(view, node, facts, at)


def resumed(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.state, view.reason = "running", ""
    view.set_state(view.shard(COORDINATOR), "running", at)


def incremental_started(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    number = int(facts["incremental"])
    one = view.incremental_at(number)
    one.state, one.started_at = "running", at
    view.incremental = number
    view.moved_at = at


def incremental_completed(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    one = view.incremental_at(int(facts["incremental"]))
    one.state, one.done_at = "done", at
    for shard in view.sources:
        if shard.incremental == one.number and shard.state == "reported":
            view.shard(shard.name).unapplied = 0


def barrier(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.barrier = BarrierView(
        at,
        str(facts.get("says", "")),
        str(facts.get("question", "")),
        int(facts.get("incremental", view.incremental)),
        int(facts.get("answered", 0)),
        tuple(facts.get("waiters", ())),
    )
