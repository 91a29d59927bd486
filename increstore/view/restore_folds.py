"""Events of the restore as a whole, folded into a view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.view.shards import BarrierView

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.view.cluster import ClusterView

COORDINATOR = "coordinator"
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
    for number, backup in enumerate(facts.get("backups", ())):
        view.incremental_at(number).backup = str(backup)


def accepted(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.restore = str(facts.get("restore", view.restore))
    view.state = "running"


def generation(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.generation = int(facts.get("generation", 0))
    view.state = "running"
    coordinator = view.shard(COORDINATOR)
    coordinator.life = view.generation
    view.set_state(coordinator, "running", at)


def ended(state: str) -> Callable[[ClusterView, str, Facts, int], None]:
    def fold(view: ClusterView, node: str, facts: Facts, at: int) -> None:
        view.state = state
        view.reason = str(facts.get("reason", ""))
        view.set_state(view.shard(COORDINATOR), state, at)

    return fold


def resumed(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    view.state, view.reason = "running", ""
    view.set_state(view.shard(COORDINATOR), "running", at)


def incremental_started(view: ClusterView, node: str, facts: Facts, at: int) -> None:
    number = int(facts["incremental"])
    one = view.incremental_at(number)
    one.state, one.started_at = "running", at
    view.incremental = number


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
