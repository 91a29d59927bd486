"""History: every event again, the view after any of them, and bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.view import history as history_module
from increstore.view.filters import EventFilter
from increstore.view.history import CHECKPOINTS_MAX, TROUBLE, History
from increstore.view.snapshots import snapshot_event
from tests.view.journals import SILENT, STORM, an_event, journal_of
from tests.view.test_cluster import fold, what_is_seen


def a_history(events, **bounds):
    history = History(**bounds)
    for event in events:
        history.append(event)
    return history


def test_every_event_comes_back_as_it_went_in_also_after_packing():
    events = journal_of(STORM)[1] * 4

    history = a_history(events)

    assert len(history) == len(events) > 2 * history_module.CHUNK_EVENTS
    assert tuple(history.events(0, len(events))) == events
    assert history.event(700) == events[700]


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 3_000))
def test_the_view_at_any_moment_is_the_fold_of_what_came_before(count):
    events = journal_of(STORM)[1] * 4
    history = a_history(events)

    assert what_is_seen(history.view_at(count)) == what_is_seen(fold(events[:count]))


def test_there_are_never_more_checkpoints_than_allowed_and_seeking_still_works():
    events = journal_of(STORM)[1] * 3

    history = a_history(events, spacing=4)

    assert len(history._checkpoints) <= CHECKPOINTS_MAX
    for count in (0, 1, 777, len(events)):
        assert what_is_seen(history.view_at(count)) == what_is_seen(fold(events[:count]))


def test_a_large_cluster_has_fewer_checkpoints_so_that_memory_stays_bounded():
    events = journal_of(STORM)[1] * 3

    history = a_history(events, spacing=4, shards_kept_max=200)

    shards = sum(len(view.shards) for _, view in history._checkpoints)
    assert shards <= 200 or len(history._checkpoints) == history_module.CHECKPOINTS_LEAST
    for count in (0, 1, 777, len(events)):
        assert everything(history.view_at(count)) == everything(fold(events[:count]))


def everything(view):
    """Every value that a view has, down to the last stream."""
    return snapshot_event(view).as_json()


def test_looking_around_in_the_past_changes_neither_checkpoints_nor_the_present():
    events = journal_of(STORM)[1] * 2
    history = a_history(events)
    moments = [700, 699, 1_030, 513, 512, 511, 30, 1_030, 700, len(events), 699]

    for count in moments:
        assert everything(history.view_at(count)) == everything(fold(events[:count]))

    assert everything(history.live) == everything(fold(events))
    for count, view in history._checkpoints:
        assert everything(view) == everything(fold(events[:count]))


def test_a_view_of_the_past_is_the_callers_own():
    events = journal_of(STORM)[1] * 2
    history = a_history(events)

    ours = history.view_at(600)
    for event in events[600:900]:
        ours.apply(event)

    assert everything(history.view_at(600)) == everything(fold(events[:600]))
    assert everything(ours) == everything(fold(events[:900]))


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 1_000, 1_001, 2_049])
def test_a_history_that_was_cut_goes_on_as_if_nothing_had_come_after(count):
    events = journal_of(STORM)[1] * 4
    whole = a_history(events)

    past = whole.cut(count)
    for event in events[:700]:
        past.append(event)

    again = a_history((*events[:count], *events[:700]))
    assert len(past) == len(again)
    assert [*past.events(0, len(past))] == [*again.events(0, len(again))]
    assert what_is_seen(past.live) == what_is_seen(again.live)
    assert past.next_trouble(count) == again.next_trouble(count)
    assert what_is_seen(past.view_at(count + 3)) == what_is_seen(again.view_at(count + 3))
    assert [*whole.events(0, len(whole))] == [*events]


def test_the_next_and_previous_trouble_are_found():
    events = journal_of(SILENT)[1]
    history = a_history(events)
    troubles = [i for i, event in enumerate(events) if event.name in TROUBLE]

    assert history.next_trouble(-1) == troubles[0]
    assert history.next_trouble(troubles[0]) == troubles[1]
    assert history.previous_trouble(troubles[1]) == troubles[0]
    assert history.previous_trouble(troubles[0]) is None


def test_a_time_leads_to_the_events_until_then():
    history = a_history([an_event("x", at_s=second) for second in (1.0, 2.0, 2.0, 5.0)])

    at = an_event("x", at_s=2.0).at
    assert history.count_at(at) == 3
    assert history.count_at(at - 1) == 1
    assert history.time_of(3) == an_event("x", at_s=5.0).at


def test_a_clock_that_goes_back_does_not_disturb_finding():
    history = a_history([an_event("x", at_s=second) for second in (1.0, 5.0, 3.0, 6.0)])

    assert history.count_at(an_event("x", at_s=5.0).at) == 3


def test_events_out_of_range_are_an_error():
    with pytest.raises(IndexError):
        a_history([]).event(0)


def matching(text="", **more):
    test = EventFilter(text, **more).compile()
    return [event for event in journal_of(SILENT)[1] if test(event)]


def test_a_filter_looks_for_words_nodes_kinds_and_incrementals():
    everything = journal_of(SILENT)[1]

    assert all("s1" in event.as_line(0) for event in matching("s1"))
    assert {event.node for event in matching("node:s1")} == {"orders/s1"}
    assert {event.name for event in matching("kind:scan.r")} == {"scan.reported"}
    assert all(event.facts["incremental"] == 0 for event in matching("inc:0"))
    assert len(matching("s1")) + len(matching("!s1")) == len(everything)
    assert matching("") == list(everything)
    assert len(matching("kind:scan node:s1")) < len(matching("kind:scan"))


def test_only_trouble_is_what_went_wrong():
    names = {event.name for event in matching(only_trouble=True)}

    assert "fault.injected" in names
    assert "incremental.started" not in names


def test_the_log_of_a_shard_has_what_others_say_of_it_too():
    events = matching(node="orders/s1")

    assert {event.node for event in events} > {"orders/s1", "coordinator"}
    assert "fault.injected" in {event.name for event in events}


def test_searching_goes_both_ways_and_stops_after_so_many():
    history = a_history(journal_of(SILENT)[1])
    test = EventFilter("restore.paused").compile()

    found = history.find(test, 0, backwards=False, most=10_000)

    assert history.event(found).name == "restore.paused"
    assert history.find(test, len(history) - 1, backwards=True, most=10_000) == found
    assert history.find(test, 0, backwards=False, most=1) is None
