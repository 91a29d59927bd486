"""Rows that are applied are known before they are reported, and are never too many."""

from __future__ import annotations

import pytest

from increstore.view.cluster import ClusterView
from tests.view.journals import STORM, an_event, journal_of

MANY = "[cluster]\nsources = 2\ntargets = 2\n[workload]\nrows = 400\n"


@pytest.mark.parametrize("text", [MANY, STORM], ids=["quiet", "storm"])
def test_rows_of_scans_that_run_are_counted_and_never_more_than_they_have(text):
    outcome, events = journal_of(text)
    in_all = sum(sum(counts.values()) for counts in outcome.evidence.values())
    view, seen_early = ClusterView(), 0

    for event in events:
        view.apply(event)
        assert view.rows_applied <= view.rows_moved <= in_all
        seen_early += view.rows_moved > view.rows_applied

    assert view.rows_moved == view.rows_applied == in_all
    assert seen_early > 10


def test_batches_of_an_earlier_attempt_do_not_count_for_the_one_that_runs():
    view = ClusterView()
    for number in (1, 2):
        view.apply(an_event("scan.asked", source="orders/s0", incremental=0, attempt=number))

    for attempt in (1, 2):
        view.apply(
            an_event("batch.applied", "orders/t0", source="orders/s0", incremental=0,
                     attempt=attempt, order=1, rows=10)
        )  # fmt: skip

    assert view.shards["orders/s0"].rows_applied == 10


def test_a_watermark_without_rows_leaves_the_rows_unknown():
    view = ClusterView()
    view.apply(an_event("scan.asked", source="orders/s0", incremental=0, attempt=1))
    view.apply(
        an_event("changes.applied", "orders/t0", source="orders/s0", incremental=0, attempt=1,
                 watermark=3)
    )  # fmt: skip

    assert not view.shards["orders/s0"].knows_applied
    assert not view.shards["orders/t0"].knows_applied


@pytest.mark.parametrize("spoiled", [{}, {"records": 7}, {"records": [{}]}], ids=str)
def test_a_history_that_is_none_is_strange_and_hides_nothing(spoiled):
    view = ClusterView()
    view.apply(an_event("restore.accepted"))

    view.apply(an_event("history.recovered", **spoiled))

    assert (view.strange, view.state) == (1, "running")
