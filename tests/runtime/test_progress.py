"""How far a restore is, folded from its events."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from increstore.journal import JournalEvent
from increstore.runtime.progress import RestoreProgress

SECOND = 1_000_000_000


@dataclass
class Step:
    incremental: int
    rows: int


@dataclass
class Table:
    table: str
    steps: list[Step]


@dataclass
class Plan:
    """What progress reads of a plan."""

    tables: list[Table] = field(
        default_factory=lambda: [
            Table("shop/orders", [Step(0, 100), Step(1, 10), Step(2, 20)]),
            Table("people", [Step(0, 50), Step(2, 5)]),
        ]
    )
    backups: tuple[str, ...] = ("full", "one", "two")


def _progress(*events: tuple[str, dict], done: list[int] | None = None) -> RestoreProgress:
    """After these events, one a second."""
    progress = RestoreProgress(Plan())
    progress.count_done(done or [])
    for number, (name, facts) in enumerate(events):
        progress(JournalEvent(number * SECOND, "node", name, facts))
    return progress


def _sample(source: str, rows: int, incremental: int = 0) -> tuple[str, dict]:
    return "scan.progress", {"source": source, "incremental": incremental, "rows_applied": rows}


def _reported(source: str, rows: int, incremental: int, status: str = "success"):
    facts = {"source": source, "incremental": incremental, "rows": rows, "status": status}
    return "scan.reported", facts


STARTED = ("incremental.started", {"incremental": 0})


def test_nothing_is_applied_before_the_first_sample():
    progress = _progress(STARTED)
    assert (progress.rows, progress.rows_applied, progress.rate()) == (185, 0, None)


def test_samples_of_all_sources_of_a_table_add_up():
    progress = _progress(STARTED, _sample("shop/orders/s0", 30), _sample("shop/orders/s1", 20))
    assert progress.tables["shop/orders"].rows_applied == 50
    assert progress.rows_applied == 50


def test_a_later_sample_replaces_the_earlier_one_of_its_source():
    progress = _progress(STARTED, _sample("people/s0", 30), _sample("people/s0", 40))
    assert progress.rows_applied == 40


def test_a_completed_incremental_counts_its_rows_once():
    done = ("incremental.completed", {"incremental": 0})
    progress = _progress(STARTED, _reported("people/s0", 50, 0), done)
    assert progress.rows_applied == 150
    assert progress.incrementals_done == 1


def test_a_failed_scan_adds_no_rows():
    progress = _progress(STARTED, _reported("people/s0", 17, 0, "transient"))
    assert progress.rows_applied == 0


def test_a_late_sample_of_an_earlier_incremental_changes_nothing():
    progress = _progress(
        STARTED,
        ("incremental.completed", {"incremental": 0}),
        ("incremental.started", {"incremental": 1}),
        _sample("shop/orders/s0", 99, incremental=0),
    )
    assert progress.rows_applied == 150


def test_a_resumed_incremental_that_is_not_started_again_is_followed_all_the_same():
    progress = _progress(
        ("scan.asked", {"source": "people/s0", "incremental": 2}),
        _sample("people/s0", 3, incremental=2),
        done=[0, 1],
    )
    assert progress.incremental == 2
    assert progress.state == "applying"
    assert progress.rows_applied == 163


def test_a_restore_resumed_after_every_incremental_is_merging():
    progress = _progress(done=[0, 1, 2])
    assert progress.state == "merging"
    assert progress.rows_applied == progress.rows


def test_rate_and_time_left_come_from_the_last_samples():
    progress = _progress(STARTED, _sample("people/s0", 10), _sample("people/s0", 30))
    assert progress.rate() == pytest.approx(20.0)
    assert progress.seconds_left() == pytest.approx((185 - 30) / 20)


def test_what_was_awaited_is_forgotten_when_the_wait_is_over():
    waits = ("barrier.waits", {"says": "incremental 0 waits for people/s0"})
    assert _progress(STARTED, waits).waits == "incremental 0 waits for people/s0"
    assert _progress(STARTED, waits, ("incremental.completed", {"incremental": 0})).waits == ""
    assert _progress(STARTED, waits, ("restore.finalizing", {})).waits == ""


@pytest.mark.parametrize("end", ["completed", "failed", "paused", "cancelled", "interrupted"])
def test_the_end_is_the_state(end):
    assert _progress(STARTED, (f"restore.{end}", {"reason": "x"})).state == end
