"""Faults of single messages: which ones they strike, how often, and what follows."""

from __future__ import annotations

import time

import pytest

from increstore.protocol.messages import Status
from increstore.scenario.actions import Fate, Release
from tests.scenario.builders import (
    MS,
    SECOND,
    a_batch,
    a_director,
    a_finalize,
    a_question,
    a_report,
    an_acknowledgement,
    told,
    worst,
)

COORDINATOR, S0, S1, T0 = "coordinator", "orders/s0", "orders/s1", "orders/t0"


def lost(fate):
    return fate is not None and fate.copies == () and not fate.reset


def test_a_message_that_no_fault_concerns_has_no_fate():
    director = a_director('kind = "drop"\nfrom = "s1"')
    assert director.has_message_faults
    assert director.fate(0, S0, COORDINATOR, a_report()) is None


def test_without_faults_nobody_needs_to_ask():
    director = a_director()
    assert not director.has_message_faults
    assert director.fate(0, S0, COORDINATOR, a_report()) is None
    assert director.next_due is None
    assert director.wanted == frozenset()


def test_a_drop_loses_one_message_unless_it_says_more():
    director = a_director('kind = "drop"')
    assert director.fate(0, S0, T0, a_batch()) == Fate((), fault="fault 1")
    assert director.fate(0, S0, T0, a_batch()) is None
    assert not director.has_message_faults
    assert told(director) == [("injected", "fault 1", f"{S0}>{T0}"), ("ended", "fault 1", "")]


def test_times_counts_what_is_struck_and_nth_what_matches():
    director = a_director('kind = "drop"\nmessage = "ApplyChanges"\nnth = 3\ntimes = 2')
    fates = [lost(director.fate(0, S0, T0, a_batch(order))) for order in range(1, 7)]
    assert fates == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("match", "struck", "spared"),
    [
        ('message = "ApplyChanges"', (S0, T0, a_batch()), (T0, S0, an_acknowledgement())),
        (
            'message = ["StartScan", "ApplyChanges"]',
            (COORDINATOR, S0, a_question()),
            (T0, S0, an_acknowledgement()),
        ),
        ('from = "sources"', (S1, T0, a_batch()), (T0, S1, an_acknowledgement())),
        ('to = "s1"', (COORDINATOR, S1, a_question()), (COORDINATOR, S0, a_question())),
        ("incremental = 2", (S0, T0, a_batch(incremental=2)), (S0, T0, a_batch(incremental=1))),
        ("attempt = 2", (S0, T0, a_batch(attempt=2)), (S0, T0, a_batch(attempt=1))),
        ("order = 2", (S0, T0, a_batch(2)), (S0, T0, a_batch(1))),
        ("order = 2", (S0, T0, a_batch(2)), (T0, S0, an_acknowledgement())),
        ("incremental = 1", (S0, T0, a_batch()), (COORDINATOR, T0, a_finalize())),
        (
            'status = "fatal"',
            (S0, COORDINATOR, a_report(status=Status.FATAL)),
            (S0, COORDINATOR, a_report()),
        ),
    ],
)
def test_a_message_fault_strikes_what_matches_every_key(match, struck, spared):
    director = a_director(f'kind = "drop"\n{match}')
    assert director.fate(0, *spared) is None
    assert lost(director.fate(0, *struck))


def test_a_delayed_message_may_be_overtaken():
    director = a_director('kind = "delay"\nby = "8s"')
    assert director.fate(0, S0, T0, a_batch()) == Fate((8 * SECOND,), fault="fault 1")


def test_a_range_of_delays_is_drawn_for_each_message():
    text = 'kind = "reorder"\nby = "1s..3s"\ntimes = 2'
    labels = []

    def draw(label, bound):
        labels.append(label)
        return bound - 1

    director = a_director(text, draw=draw)
    assert director.fate(0, S0, T0, a_batch()).copies == (3 * SECOND,)
    assert director.fate(0, S0, T0, a_batch()).copies == (3 * SECOND,)
    assert labels == ["fault fault 1 by 0", "fault fault 1 by 1"]
    assert a_director(text).fate(0, S0, T0, a_batch()).copies == (SECOND,)


def test_a_duplicate_arrives_once_more_for_each_copy():
    director = a_director('kind = "duplicate"\ncopies = 2\nby = "1s"')
    fate = director.fate(0, S0, T0, a_batch())
    assert fate.copies == (0, SECOND, 2 * SECOND)
    assert fate.keeps_order


@pytest.mark.parametrize("kind", ["corrupt", "truncate"])
def test_a_damaged_message_says_how(kind):
    fate = a_director(f'kind = "{kind}"').fate(0, S0, T0, a_batch())
    assert fate == Fate(damage=kind, fault="fault 1")


def test_a_reset_may_wait_for_a_message():
    director = a_director('kind = "reset"\nmessage = "CompletionNotification"')
    assert director.fate(0, S0, T0, a_batch()) is None
    fate = director.fate(0, S0, COORDINATOR, a_report())
    assert fate == Fate((), reset=True, fault="fault 1")
    assert director.due(SECOND) == []


def test_held_messages_go_when_the_fault_ends():
    director = a_director('id = "late"\nkind = "hold"\ntimes = 1\nduration = "3s"')
    assert director.fate(0, S0, T0, a_batch(1)) == Fate(hold="late", fault="late")
    assert director.fate(0, S0, T0, a_batch(2)) is None, "it keeps only as many as it may"
    assert director.due(2 * SECOND) == []
    assert director.due(3 * SECOND) == [Release("late")]
    assert told(director, "ended") == [("ended", "late", "")]


def test_a_fault_with_an_end_strikes_until_then():
    director = a_director('kind = "drop"\nduration = "2s"')
    assert [lost(director.fate(at, S0, T0, a_batch())) for at in range(5)] == [True] * 5
    director.due(2 * SECOND)
    assert director.fate(2 * SECOND, S0, T0, a_batch()) is None


def test_many_strikes_are_counted_and_only_the_first_are_told():
    director = a_director('kind = "drop"\npermanent = true')
    for order in range(1, 251):
        assert lost(director.fate(order * MS, S0, T0, a_batch(order)))
    assert len(director.log) == 100
    assert director.reached["fault: fault 1"] == 250


def test_a_drawn_sender_is_the_same_for_the_whole_run():
    text = 'kind = "drop"\nfrom = "one of sources"\ntimes = 9'
    first, last = a_director(text), a_director(text, draw=worst)
    assert lost(first.fate(0, S0, T0, a_batch()))
    assert first.fate(0, S1, T0, a_batch()) is None
    assert last.fate(0, S0, T0, a_batch()) is None
    assert lost(last.fate(0, S1, T0, a_batch()))


def test_messages_of_a_node_outside_the_scenario_have_no_fate():
    director = a_director('kind = "drop"\nfrom = "sources"')
    assert director.fate(0, "elsewhere/s0", T0, a_batch()) is None


def test_thousands_of_faults_begin_and_end_in_seconds():
    """Each was put in its place by sorting all: the time rose with their square."""
    director = a_director(*['kind = "drop"\nat = "1s"'] * 10_000)
    began = time.process_time()
    director.due(SECOND)
    fate = director.fate(SECOND, S0, T0, a_batch())
    assert fate == Fate((), fault="fault 1")
    director.due(1_000 * SECOND)
    assert not director.has_message_faults
    assert time.process_time() - began < 1
