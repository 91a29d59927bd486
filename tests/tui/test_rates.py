"""How fast it goes, by the clock of what is shown."""

from __future__ import annotations

import pytest

from increstore.tui.widgets.rates import Rates, left_ns, part_done, short
from increstore.view.cluster import ClusterView
from tests.view.journals import SECOND, an_event

START = 1_700_000_000 * SECOND


def a_view(*events):
    view = ClusterView()
    for event in events:
        view.apply(event)
    return view


def planned(incrementals=3):
    tables = [
        {
            "name": "orders",
            "sources": ["orders/s0", "orders/s1"],
            "targets": ["orders/t0"],
            "incrementals": list(range(incrementals + 1)),
        }
    ]
    return an_event("restore.planned", tables=tables, last_incremental=incrementals)


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


def test_the_part_that_is_done_counts_reports():
    view = a_view(
        planned(),
        an_event("incremental.started", incremental=0),
        an_event("scan.reported", incremental=0, source="orders/s0", attempt=1, status="success"),
    )

    assert part_done(view) == pytest.approx(0.125)


def test_what_is_left_goes_on_as_before():
    view = a_view(
        planned(),
        an_event("restore.accepted"),
        an_event("incremental.started", incremental=0),
        an_event("incremental.completed", at_s=2.0, incremental=0),
    )

    assert left_ns(view, START + 2 * SECOND) == 6 * SECOND


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
