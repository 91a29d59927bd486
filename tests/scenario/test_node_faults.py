"""Crashes, pauses, clocks, and what an operator does."""

from __future__ import annotations

import pytest

from increstore.scenario import actions as a
from tests.scenario.builders import SECOND, a_director, benign, told, worst

COORDINATOR, S0, S1, T0, T1 = "coordinator", "orders/s0", "orders/s1", "orders/t0", "orders/t1"
STARTED = "incremental.started"


def test_a_crash_at_a_moment_takes_all_its_nodes():
    director = a_director('kind = "crash"\nnode = "targets"\nat = "3s"\nrestart_after = "2s"')
    assert director.due(2 * SECOND) == []
    assert director.due(3 * SECOND) == [
        a.Crash(T0, 2 * SECOND, fault="fault 1"), a.Crash(T1, 2 * SECOND, fault="fault 1"),
    ]  # fmt: skip
    assert director.due(5 * SECOND) == [], "the driver itself starts them again"
    assert told(director) == [
        ("injected", "fault 1", T0), ("injected", "fault 1", T1),
        ("ended", "fault 1", T0), ("ended", "fault 1", T1),
    ]  # fmt: skip


def test_one_of_several_nodes_is_drawn():
    text = 'kind = "crash"\nnode = "one of sources"\nat = "3s"'
    (first,) = a_director(text, draw=benign).due(3 * SECOND)
    (last,) = a_director(text, draw=worst).due(3 * SECOND)
    assert (first.node, last.node) == (S0, S1)


def test_a_node_that_nobody_starts_again_comes_back_with_the_heal():
    director = a_director('kind = "crash"\nnode = "t0"\nat = "3s"', more='[heal]\nat = "10s"')
    assert director.due(3 * SECOND) == [a.Crash(T0, 7 * SECOND, fault="fault 1")]


def test_no_restart_waits_beyond_the_heal():
    director = a_director(
        'kind = "crash"\nnode = "t0"\nat = "3s"\nrestart_after = "1h"', more='[heal]\nat = "10s"'
    )
    assert director.due(3 * SECOND) == [a.Crash(T0, 7 * SECOND, fault="fault 1")]


def test_a_permanent_crash_has_no_end():
    director = a_director('kind = "crash"\nnode = "t0"\nat = "3s"\npermanent = true')
    assert director.due(3 * SECOND) == [a.Crash(T0, None, fault="fault 1")]
    assert director.due(500 * SECOND) == []
    assert told(director) == [("injected", "fault 1", T0)]


def test_a_crash_may_last_until_an_event():
    director = a_director(
        'kind = "crash"\nnode = "t0"\nat = "3s"\nuntil = {event = "restore.paused"}'
    )
    assert director.due(3 * SECOND) == [a.Crash(T0, None, fault="fault 1")]
    director.observe(4 * SECOND, COORDINATOR, "restore.paused", {"reason": "x"})
    assert director.due(4 * SECOND) == [a.Restart(T0, "fault 1")]
    assert told(director) == [("injected", "fault 1", T0), ("ended", "fault 1", T0)]


def test_a_crash_that_lasts_until_an_event_ends_with_the_heal_at_the_latest():
    director = a_director(
        'kind = "crash"\nnode = "t0"\nat = "3s"\nuntil = {event = "restore.paused"}'
    )
    director.due(3 * SECOND)
    assert director.due(120 * SECOND) == [a.Restart(T0, "fault 1")]


def test_the_disk_may_be_wiped_or_put_back():
    wiped = a_director('kind = "crash"\nnode = "t0"\nat = "3s"\nwipe = true\nrestart_after = "1s"')
    older = a_director('kind = "crash"\nnode = "t0"\nat = "3s"\nrollback = 2\nduration = "1s"')
    assert wiped.due(3 * SECOND) == [a.Crash(T0, SECOND, wipe=True, fault="fault 1")]
    assert older.due(3 * SECOND) == [a.Crash(T0, SECOND, rollback=2, fault="fault 1")]


def test_a_node_that_is_down_is_not_crashed_again():
    director = a_director(
        'kind = "crash"\nnode = "t0"\nat = "3s"\nrestart_after = "2s"',
        'kind = "crash"\nnode = "targets"\nat = "4s"\nrestart_after = "1s"',
        'kind = "crash"\nnode = "t0"\nat = "6s"\nrestart_after = "1s"',
    )
    assert len(director.due(3 * SECOND)) == 1
    assert director.due(4 * SECOND) == [a.Crash(T1, SECOND, fault="fault 2")]
    assert ("skipped", "fault 2", T0) in told(director)
    assert director.due(6 * SECOND) == [a.Crash(T0, SECOND, fault="fault 3")]


def test_a_driver_may_tell_what_it_crashed_by_itself():
    director = a_director('kind = "crash"\nnode = "targets"\nat = "3s"\nrestart_after = "1s"')
    director.went_down(T0)
    director.went_down(T1)
    director.came_up(T1)
    assert director.due(3 * SECOND) == [a.Crash(T1, SECOND, fault="fault 1")]


def test_a_crash_after_an_event_may_wait_a_while():
    director = a_director(
        f'kind = "crash"\nnode = "t0"\nafter = {{event = "{STARTED}", incremental = 1}}\n'
        'delay = "500ms"\nrestart_after = "1s"'
    )
    assert director.wanted == {STARTED}
    director.observe(SECOND, COORDINATOR, STARTED, {"incremental": 0})
    assert director.due(SECOND) == []
    director.observe(2 * SECOND, COORDINATOR, STARTED, {"incremental": 1})
    assert director.next_due == 2 * SECOND + SECOND // 2
    assert len(director.due(3 * SECOND)) == 1
    director.observe(4 * SECOND, COORDINATOR, STARTED, {"incremental": 1})
    assert director.due(5 * SECOND) == [], "once is enough"


def test_a_crash_may_follow_each_of_several_events():
    director = a_director(
        f'kind = "crash"\nnode = "t0"\nafter = {{event = "{STARTED}", nth = 2}}\n'
        'times = 2\nrestart_after = "1ms"'
    )
    crashes = []
    for number in range(5):
        now = number * SECOND
        director.observe(now, COORDINATOR, STARTED, {"incremental": number})
        crashes.append(len(director.due(now)))
    assert crashes == [0, 1, 1, 0, 0]


def test_a_crash_at_a_point_takes_the_node_that_comes_there_first():
    director = a_director('kind = "crash"\nnode = "targets"\npoint = "after_sync"'
                          '\nrestart_after = "1s"')  # fmt: skip
    assert director.has_crash_points
    assert director.crash_at(1, T1, "before_append", []) is None
    assert director.crash_at(2, S0, "after_sync", []) is None
    assert director.crash_at(3, T1, "after_sync", []) == a.Crash(T1, SECOND, fault="fault 1")
    assert director.crash_at(4, T0, "after_sync", []) is None, "once, unless it says more"
    assert told(director) == [("injected", "fault 1", T1)]
    director.due(2 * SECOND)
    assert told(director, "ended") == [("ended", "fault 1", T1)]


def test_a_point_may_be_narrowed_to_steps_with_a_record():
    director = a_director(
        'kind = "crash"\nnode = "coordinator"\npoint = "after_append"\n'
        'record = ["ScanReported", "TargetSealed"]\ntimes = 2\nrestart_after = "1s"'
    )
    names = ["IncrementalStarted"], ["ScanReported"], ["TargetSealed"], ["ScanReported"]
    found = [
        director.crash_at(number * 9 * SECOND, COORDINATOR, "after_append", records) is not None
        for number, records in enumerate(names)
    ]
    assert found == [False, True, True, False]


def test_a_point_waits_for_its_trigger():
    director = a_director(
        'kind = "crash"\nnode = "t0"\npoint = "after_send"\n'
        f'after = {{event = "{STARTED}", incremental = 2}}'
    )
    assert director.crash_at(0, T0, "after_send", []) is None
    director.observe(5, COORDINATOR, STARTED, {"incremental": 2})
    director.due(5)
    assert director.crash_at(6, T0, "after_send", []) is not None


def test_a_crash_at_a_point_may_last_until_an_event():
    director = a_director(
        'kind = "crash"\nnode = "coordinator"\npoint = "after_append"\n'
        'until = {event = "storage.failed"}'
    )
    crash = director.crash_at(1, COORDINATOR, "after_append", [])
    assert crash == a.Crash(COORDINATOR, None, fault="fault 1")
    assert director.crash_at(2, COORDINATOR, "after_append", []) is None
    director.observe(3, T0, "storage.failed", {"error": "x"})
    assert director.due(3) == [a.Restart(COORDINATOR, "fault 1")]


def test_a_point_that_was_struck_takes_no_other_node_while_it_waits_for_its_end():
    director = a_director(
        'kind = "crash"\nnode = "targets"\npoint = "after_append"\n'
        'until = {event = "storage.failed"}'
    )
    assert director.crash_at(1, T0, "after_append", []) is not None
    assert director.crash_at(2, T1, "after_append", []) is None


def test_a_point_that_nobody_comes_to_is_told_as_skipped():
    director = a_director('kind = "crash"\nnode = "t0"\npoint = "after_send"\nduration = "1s"')
    director.due(SECOND)
    assert director.crash_at(2 * SECOND, T0, "after_send", []) is None
    assert told(director) == [("skipped", "fault 1", "")]


def test_a_paused_node_is_told_for_how_long():
    director = a_director('kind = "pause"\nnode = "targets"\nat = "1s"\nduration = "2s"')
    assert director.due(SECOND) == [
        a.Pause(T0, 2 * SECOND, "fault 1"), a.Pause(T1, 2 * SECOND, "fault 1"),
    ]  # fmt: skip
    assert director.due(3 * SECOND) == []
    assert [line.what for line in director.log] == ["injected", "ended"]


def test_a_pause_until_an_event_is_ended_by_word():
    director = a_director('kind = "pause"\nnode = "t0"\nuntil = {event = "restore.paused"}')
    assert director.due(0) == [a.Pause(T0, None, "fault 1")]
    director.observe(SECOND, COORDINATOR, "restore.paused", {})
    assert director.due(SECOND) == [a.Unpause(T0, "fault 1")]


@pytest.mark.parametrize(("end", "length"), [("", 120 * SECOND), ("permanent = true", None)])
def test_a_pause_without_an_end_of_its_own_lasts_until_the_heal_or_for_ever(end, length):
    director = a_director(f'kind = "pause"\nnode = "t0"\n{end}')
    assert director.due(0) == [a.Pause(T0, length, "fault 1")]


def test_a_clock_jumps_once_and_by_a_drawn_step():
    text = 'kind = "clock_jump"\nnode = "all"\nby = "-1h..1h"\nat = "1s"'
    hour = 3_600 * SECOND
    assert {action.by_ns for action in a_director(text, draw=benign).due(SECOND)} == {-hour}
    jumps = a_director(text, draw=worst).due(SECOND)
    assert [jump.node for jump in jumps] == [COORDINATOR, S0, S1, T0, T1]
    assert {jump.by_ns for jump in jumps} == {hour}


def test_a_drifting_clock_is_right_again_in_the_end():
    director = a_director('kind = "clock_drift"\nnode = "t0"\nppm = -500\nduration = "1s"')
    assert director.due(0) == [a.ClockDrift(T0, -500, "fault 1")]
    assert director.due(SECOND) == [a.ClockDrift(T0, 0, "fault 1")]


@pytest.mark.parametrize(
    ("fault", "action"),
    [
        ('kind = "usurp"', a.Usurp("fault 1")),
        ('kind = "second_restore"', a.SecondRestore("fault 1")),
        ('kind = "operator"\nverb = "pause"', a.Operate("pause", 0, "fault 1")),
        ('kind = "operator"\nverb = "cap"\nvalue = 3', a.Operate("cap", 3, "fault 1")),
    ],
)
def test_what_people_do_happens_once(fault, action):
    director = a_director(f'{fault}\nat = "1s..3s"', draw=worst)
    assert director.due(2 * SECOND) == []
    assert director.due(3 * SECOND) == [action]
    assert [line.what for line in director.log] == ["injected", "ended"]
