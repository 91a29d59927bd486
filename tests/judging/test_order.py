"""Each law of order catches a story that breaks it."""

from __future__ import annotations

from increstore.protocol.messages import StartScan
from increstore.protocol.records import FinalizingStarted, IncrementalStarted

from .story import (
    S0,
    S1,
    SOURCES,
    T0,
    T1,
    Story,
    a_reported_story,
    a_second_incremental,
    a_story,
    caught,
    scan_id,
    streams_at,
)


def test_o1_a_scan_of_the_next_incremental_before_all_scans_of_this_one():
    story = a_story().scan(S0)
    with caught("O1", "before orders/s1 had succeeded"):
        story.send("coordinator", S0, StartScan(scan_id(S0, 1), 1))


def test_o1_a_scan_of_the_next_incremental_before_all_seals_of_this_one():
    story = a_reported_story().seal(T0)
    with caught("O1", "before orders/t1 had sealed"):
        story.send("coordinator", S0, StartScan(scan_id(S0, 1), 1))


def test_o2_a_change_of_the_next_incremental_before_this_one_is_complete():
    story = a_reported_story().seal(T0).seal(T1)
    story.judge.truth.by_generation[1].is_open = True
    with caught("O2", "while incremental 0 was not complete"):
        story.apply(1, T0, S0, incremental=1)


def test_o3_a_change_of_an_incremental_that_is_not_due_at_the_target():
    story = a_reported_story().seal(T0)
    story.judge.truth.completed = 0  # As if the coordinator had not waited for T1.
    with caught("O3", "incremental 0 was due there"):
        story.apply(1, T1, S0, incremental=1)


def test_o4_an_incremental_is_left_out():
    story = Story().begin()
    with caught("O4", "incremental 1 was started; expected 0"):
        story.record(IncrementalStarted(1, story.wall))


def test_o4_an_incremental_is_started_twice():
    story = Story().begin().incremental(0)
    with caught("O4", "incremental 0 was started; expected 1"):
        story.record(IncrementalStarted(0, story.wall))


def test_o4_an_incremental_is_started_while_another_is_open():
    with caught("O4", "before it was over"):
        a_story().start_incremental(1)


def test_o4_the_final_rows_are_begun_before_the_last_incremental():
    story = Story().begin().incremental(0)
    with caught("O4", "expected 1 to be over"):
        story.record(FinalizingStarted(story.wall))


def test_o5_a_gap_in_a_stream():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    with caught("O5", "batch 2 of incremental 0, orders/s0, attempt 1 was applied after batch 0"):
        story.apply(2)


def test_o6_a_seal_before_every_source_has_succeeded():
    story = a_story().scan(S0)
    with caught("O6", "before orders/s1 had succeeded"):
        story.judge.sealed(story.after(), T0, 0, streams_at(T0, 0))


def test_o6_a_seal_out_of_its_turn():
    story = a_second_incremental()
    for source in SOURCES:
        story.scan(source, 1)
    del story.judge.truth.targets[T0].sealed[0]
    story.judge.truth.targets[T0].find_due()
    with caught("O6", "while 0 was due"):
        story.judge.sealed(story.after(), T0, 1, streams_at(T0, 1))


def test_a_second_incremental_may_begin_when_the_first_is_complete():
    story = a_second_incremental()
    story.ask(S0, 1).ask(S1, 1)
