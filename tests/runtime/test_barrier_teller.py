"""When the driver tells the journal for whom the restore waits, and when it keeps silent."""

from __future__ import annotations

from increstore.journal import Journal
from increstore.protocol.ready import OperatorAsked, TablesPublished
from increstore.runtime.barrier import PERIOD_NS, BarrierTeller
from tests.protocol.test_coordinator import (
    a_coordinator,
    a_finalizing_coordinator,
    finalize_all,
)


def a_teller() -> tuple[BarrierTeller, list[str]]:
    told: list[str] = []
    journal = Journal()
    journal.subscribe(lambda event: told.append(event.facts["says"]))
    return BarrierTeller(journal), told


def test_the_same_wait_is_told_at_once_and_then_once_a_period():
    bench = a_coordinator()
    teller, told = a_teller()

    for passed in (0, 1, PERIOD_NS - 1, PERIOD_NS, PERIOD_NS + 1):
        teller.look(bench.core, bench.now + passed)

    assert len(told) == 2


def test_a_completed_restore_waits_for_nobody_so_its_end_stays_the_last_word():
    bench = a_finalizing_coordinator()
    finalize_all(bench)
    teller, told = a_teller()
    teller.look(bench.core, bench.now)
    bench.event(TablesPublished())

    for passed in (1, PERIOD_NS, 3 * PERIOD_NS):
        teller.look(bench.core, bench.now + passed)

    assert told == ["every target has its final rows; waiting for the tables to become visible"]


def test_a_paused_restore_is_silent_until_it_is_resumed():
    bench = a_coordinator()
    teller, told = a_teller()
    teller.look(bench.core, bench.now)
    bench.event(OperatorAsked("pause"))
    teller.look(bench.core, bench.now + PERIOD_NS)
    bench.event(OperatorAsked("resume"))
    teller.look(bench.core, bench.now + PERIOD_NS + 1)

    assert len(told) == 2
    assert "paused" not in " ".join(told)
