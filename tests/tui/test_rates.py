"""How fast it goes, by the clock of what is shown."""

from __future__ import annotations

import pytest

from increstore.tui.widgets.rates import Rates, left_ns, short, stuck_ns
from increstore.view.cluster import ClusterView
from tests.view.journals import SECOND, an_event

START = 1_700_000_000 * SECOND


def a_view(*events):
    view = ClusterView()
    for event in events:
        view.apply(event)
    return view


def planned(incrementals=3, **facts):
    tables = [
        {
            "name": "orders",
            "sources": ["orders/s0", "orders/s1"],
            "targets": ["orders/t0"],
            "incrementals": list(range(incrementals + 1)),
        }
    ]
    return an_event("restore.planned", tables=tables, last_incremental=incrementals, **facts)


def test_before_anything_has_happened_nothing_is_fast():
    assert Rates().look(ClusterView(), 0) == (0.0, 0.0)


def test_rates_are_those_since_the_start_at_first():
    view = a_view(*[an_event("x", at_s=n / 10) for n in range(11)])

    events, rows = Rates().look(view, START + SECOND)

    assert (events, rows) == (11.0, 0.0)


def test_rates_are_those_of_the_last_five_seconds_then():
    rates, view = Rates(), ClusterView()
    for second in range(20):
        for _ in range(100 if second < 10 else 2):
            view.apply(an_event("x", at_s=float(second)))
        events, _ = rates.look(view, START + second * SECOND)

    assert events == pytest.approx(2.0)


def test_going_back_begins_anew():
    rates = Rates()
    late = a_view(*[an_event("x", at_s=float(n)) for n in range(10)])
    rates.look(late, START + 9 * SECOND)
    early = a_view(an_event("x"), an_event("x", at_s=1.0))

    assert rates.look(early, START + SECOND) == (2.0, 0.0)


def reported(source, rows, at_s, incremental=0):
    return an_event("scan.reported", at_s=at_s, incremental=incremental, source=source, attempt=1,
                    status="success", rows=rows)  # fmt: skip


def test_what_is_left_is_weighed_by_rows_not_by_backups():
    view = a_view(
        planned(rows_by_backup=[900, 50, 30, 20]),
        an_event("restore.accepted"),
        an_event("incremental.started", incremental=0),
        reported("orders/s0", 450, 1.0),
        reported("orders/s1", 450, 2.0),
        an_event("incremental.completed", at_s=2.0, incremental=0),
    )

    assert left_ns(view, START + 2 * SECOND) == pytest.approx(2 * SECOND * 100 / 900)


def test_rows_that_samples_tell_count_before_their_report():
    view = a_view(
        planned(rows_by_backup=[900, 50, 30, 20]),
        an_event("restore.accepted"),
        an_event("incremental.started", incremental=0),
        an_event("scan.asked", source="orders/s0", incremental=0, attempt=1),
        an_event("scan.progress", at_s=1.0, source="orders/s0", incremental=0, attempt=1,
                 rows_scanned=300, rows_sent=300, rows_applied=250),
    )  # fmt: skip

    assert left_ns(view, START + SECOND) == 3 * SECOND
    assert Rates().look(view, START + SECOND)[1] == 250.0


def test_what_an_earlier_command_has_done_says_nothing_of_how_fast_this_one_is():
    records = [
        {"event": "incremental.started", "incremental": 0},
        *({"event": "scan.reported", "incremental": 0, "attempt": 1, "status": "success",
           "source": f"orders/s{n}", "rows": 450} for n in (0, 1)),
        {"event": "incremental.completed", "incremental": 0},
        {"event": "incremental.started", "incremental": 1},
    ]  # fmt: skip
    view = a_view(
        planned(rows_by_backup=[900, 50, 30, 20]),
        an_event("history.recovered", records=records),
        an_event("coordinator.started", generation=2),
        reported("orders/s0", 25, 1.0, incremental=1),
    )

    assert [one.state for one in view.incrementals] == ["done", "running", "waiting", "waiting"]
    assert view.incremental == 1
    assert left_ns(view, START + SECOND) == 3 * SECOND
    assert Rates().look(view, START + SECOND)[1] == 25.0


def test_without_rows_in_the_plan_incrementals_are_weighed_once_the_full_backup_is_done():
    view = a_view(
        planned(),
        an_event("restore.accepted"),
        an_event("incremental.started", incremental=0),
        an_event("incremental.completed", at_s=60.0, incremental=0),
    )
    assert left_ns(view, START + 60 * SECOND) is None

    view.apply(an_event("incremental.started", at_s=60.0, incremental=1))
    view.apply(an_event("incremental.completed", at_s=62.0, incremental=1))
    assert left_ns(view, START + 62 * SECOND) == 4 * SECOND


def test_when_no_row_moves_that_is_told_and_nothing_is_left_by_any_count():
    view = a_view(
        planned(rows_by_backup=[900, 50, 30, 20]),
        an_event("restore.accepted"),
        an_event("incremental.started", incremental=0),
        reported("orders/s0", 450, 1.0),
        an_event("barrier.waits", at_s=9.0, says="incremental 0 waits for orders/s1"),
    )

    assert (stuck_ns(view, START + 2 * SECOND), left_ns(view, START + 2 * SECOND)) == (
        None, round(2 * SECOND * 550 / 450)
    )  # fmt: skip
    assert (stuck_ns(view, START + 9 * SECOND), left_ns(view, START + 9 * SECOND)) == (
        8 * SECOND, None
    )  # fmt: skip

    view.apply(an_event("restore.paused", at_s=10.0, reason="by hand"))
    assert stuck_ns(view, START + 10 * SECOND) is None


def test_nobody_knows_what_is_left_at_the_very_start_or_when_nothing_runs():
    view = a_view(planned(), an_event("restore.accepted"))
    assert left_ns(view, START + SECOND) is None

    view.apply(an_event("incremental.completed", at_s=1.0, incremental=0))
    view.apply(an_event("restore.paused", at_s=1.0, reason="by hand"))
    assert left_ns(view, START + SECOND) is None


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (7.4, "7"), (999, "999"), (1000, "1.0k"), (9960, "10k"), (34_000, "34k"),
     (999_700, "1.0M"), (1_250_000, "1.2M")],
)  # fmt: skip
def test_numbers_are_short(number, text):
    assert short(number) == text
