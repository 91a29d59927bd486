"""The barrier's words as journal events: whenever somebody else is awaited, and now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol.ledger import HALTED
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from increstore.journal import Journal
    from increstore.protocol.barrier import BarrierReport, Waiter
    from increstore.protocol.coordinator import Coordinator

PERIOD_NS = 500_000_000
"""How long the same wait goes on before it is told again."""
LOOK_PERIOD_S = 0.05
"""How often a driver with a clock of its own looks: changes in between are told as one."""
WAITERS_TOLD_MAX = 12
"""Those that have been silent longest; of the others there is a number."""


class BarrierTeller:
    """Looks at a coordinator and tells the journal for whom it waits."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._mark: object = None
        self._told_at = 0

    def look(self, core: Coordinator, now: int) -> None:
        """Cheap when nothing is to be told. `now` is the clock of the coordinator's steps.

        A restore that stands waits for nobody, and its last event says why it stands.
        """
        mark = core.awaited_mark
        if core.state in HALTED:
            self._mark = mark
            return
        if mark == self._mark and now - self._told_at < PERIOD_NS:
            return
        self._mark, self._told_at = mark, now
        self._journal.tell(COORDINATOR, "barrier.waits", facts_of(core.waiting(), now))

    def look_for_nobody(self, now: int) -> None:
        """There is no coordinator now."""
        if self._mark is not None or now - self._told_at >= PERIOD_NS:
            self._mark, self._told_at = None, now
            self._journal.emit(COORDINATOR, "barrier.waits", says="the coordinator is down")


def facts_of(report: BarrierReport, now: int) -> dict[str, Any]:
    """The report as docs/JSON.md has it; durations count back (or ahead) from `now`."""
    return {
        "says": report.explain(now),
        "question": report.question.value,
        "incremental": report.incremental,
        "answered": report.answered,
        "awaited": len(report.waiters),
        "waiters": [_waiter(waiter, now) for waiter in report.waiters[:WAITERS_TOLD_MAX]],
    }


def _waiter(waiter: Waiter, now: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"shard": waiter.shard, "since_s": _seconds(now - waiter.since)}
    if waiter.scan is not None:
        facts["attempt"] = waiter.scan.attempt
    if waiter.heard_at is not None:
        facts["heard_s"] = _seconds(now - waiter.heard_at)
    if waiter.next_retry_at is not None:
        facts["retry_s"] = _seconds(max(0, waiter.next_retry_at - now))
    if waiter.unapplied:
        facts["unapplied"] = dict(waiter.unapplied)
    if waiter.error:
        facts["error"] = waiter.error
    return facts


def _seconds(duration_ns: int) -> float:
    return round(duration_ns / 1e9, 3)
