"""The view: what is on screen is what the journal says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.view.cluster import ClusterView
from increstore.view.glyphs import LOOKS, ROLES, look_of
from tests.view.journals import SILENT, STORM, an_event, journal_of


def fold(events):
    view = ClusterView()
    for event in events:
        view.apply(event)
    return view


def what_is_seen(view):
    """All that a screen could show of a view."""
    return {
        "state": (view.state, view.reason, view.generation, view.incremental, view.rows_applied),
        "shards": {
            name: (s.role, s.state, s.since, s.incremental, s.attempt, s.life, s.rows_scanned,
                   s.rows_applied, s.unapplied, s.error, len(s.attempts), len(s.streams))
            for name, s in view.shards.items()
        },
        "incrementals": [
            (i.number, i.state, i.started_at, i.done_at, dict(i.reported), dict(i.sealed))
            for i in view.incrementals
        ],
        "faults": {name: (f.state, f.hits, f.where) for name, f in view.faults.items()},
        "barrier": view.barrier,
    }  # fmt: skip


def test_a_completed_restore_is_seen_as_completed_with_every_row_of_every_incremental():
    outcome, events = journal_of("[cluster]\nsources = 3\n[workload]\ntables = 2\n")

    view = fold(events)

    assert outcome.state == view.state == "completed"
    assert [one.state for one in view.incrementals] == ["done"] * 4
    rows = {
        number: sum(counts.get(number, 0) for counts in outcome.evidence.values())
        for number in range(4)
    }
    assert {one.number: one.rows for one in view.incrementals} == rows
    assert view.rows_applied == sum(rows.values())
    assert {target.state for target in view.targets} == {"finalized"}


def test_the_source_that_nobody_heard_of_is_unmistakable():
    """The bug that this project began with."""
    _, events = journal_of(SILENT)

    view = fold(events)

    assert [shard.name for shard in view.unnotified] == ["orders/s1"]
    assert view.shards["orders/s0"].state == "reported"
    assert view.unnotified[0].since < view.now - 2_000_000_000
    assert look_of("unnotified").glyph == "?"


def test_faults_are_seen_with_where_they_struck_and_how_often():
    view = fold(journal_of(SILENT)[1])

    fault = view.faults["silence"]
    assert (fault.kind, fault.where) == ("drop", "orders/s1>coordinator")
    assert fault.hits > 5


def test_a_storm_ends_with_everything_done_whatever_crashed_on_the_way():
    for seed in range(5):
        outcome, events = journal_of(STORM, seed)

        view = fold(events)

        assert view.state == outcome.state == "completed"
        assert all(one.state == "done" for one in view.incrementals)
        assert view.generation >= 1


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 400), seed=st.integers(0, 3))
def test_a_snapshot_and_the_rest_is_the_whole(cut, seed):
    events = journal_of(STORM, seed)[1]
    begun = fold(events[:cut])

    copy = begun.snapshot()
    before = what_is_seen(begun)
    for event in events[cut:]:
        copy.apply(event)

    assert what_is_seen(copy) == what_is_seen(fold(events))
    assert what_is_seen(begun) == before


def test_events_of_another_version_change_nothing_but_the_clock():
    view = fold(journal_of()[1])
    before = what_is_seen(view)

    view.apply(an_event("weather.changed", node="orders/s0", at_s=99.0, wind="north"))

    assert what_is_seen(view) == before
    assert view.now == an_event("x", at_s=99.0).at


def test_a_node_that_is_down_shows_that_and_goes_on_from_what_it_finds():
    view = fold(
        [
            an_event("scan.asked", "orders/s0", incremental=1, source="orders/s0", attempt=1),
            an_event("node.crashed", "orders/s0", 1.0),
            an_event("scan.progress", at_s=1.1, incremental=1, source="orders/s0", attempt=1,
                     rows_scanned=5, rows_sent=5, rows_applied=0, unapplied={"orders/t0": 2}),
        ]
    )  # fmt: skip
    assert view.shards["orders/s0"].state == "crashed"

    view.apply(an_event("node.restarted", "orders/s0", 2.0))

    shard = view.shards["orders/s0"]
    assert (shard.state, shard.life) == ("idle", 2)


def test_a_report_that_came_is_no_longer_missed():
    asked = {"incremental": 1, "source": "orders/s0", "attempt": 1}
    view = fold(
        [
            an_event("scan.asked", "orders/s0", **asked),
            an_event("message.sent", "orders/s0", 1.0, kind="CompletionNotification",
                     to="coordinator", status="success", **asked),
        ]
    )  # fmt: skip
    assert view.shards["orders/s0"].state == "unnotified"

    view.apply(an_event("scan.reported", at_s=2.0, status="success", rows=7, batches=1, **asked))

    shard = view.shards["orders/s0"]
    assert (shard.state, view.unnotified) == ("reported", [])
    attempt = shard.attempts[-1]
    assert attempt.reported_at - attempt.ended_at == 1_000_000_000


def test_only_shards_that_changed_are_dirty():
    view = fold(journal_of()[1])
    view.dirty.clear()

    view.apply(an_event("node.crashed", "orders/t1", 50.0))

    assert list(view.dirty) == ["orders/t1"]


def test_no_two_states_look_alike_and_every_colour_has_a_role():
    words = [look.word for look in LOOKS.values()]

    assert len(set(words)) == len(words)
    assert {look.role for look in LOOKS.values()} <= set(ROLES)
    assert all(len(look.glyph) == len(look.ascii) == 1 for look in LOOKS.values())
    assert all(look.ascii.isascii() for look in LOOKS.values())


def test_a_late_sample_takes_nothing_back():
    scan = {"incremental": 1, "source": "orders/s0", "attempt": 1}
    view = fold(
        [
            an_event("scan.asked", "orders/s0", **scan),
            an_event("page.read", "orders/s0", 1.0, rows=8, last=True, **scan),
            an_event("scan.progress", at_s=1.1, rows_scanned=0, rows_sent=0, rows_applied=0,
                     unapplied={}, **scan),
        ]
    )  # fmt: skip

    assert view.shards["orders/s0"].rows_scanned == 8


def test_an_event_that_lacks_what_its_name_promises_is_counted_and_hides_nothing():
    view = fold(
        [
            an_event("restore.planned"),
            an_event("scan.reported"),
            an_event("target.sealed", incremental="x"),
            an_event("restore.completed", at_s=1.0),
        ]
    )

    assert view.state == "completed"
    assert view.strange == 2
