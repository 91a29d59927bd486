"""Faults of disks and pages."""

from __future__ import annotations

import pytest

from increstore.scenario.actions import DiskAction, DiskFault, PageFault
from tests.scenario.builders import MS, SECOND, a_director, a_scan, told

T0, T1, S0, S1 = "orders/t0", "orders/t1", "orders/s0", "orders/s1"


def test_a_slow_disk_makes_writes_late_until_it_ends():
    director = a_director(
        'kind = "disk"\nnode = "t0"\naction = "slow"\nby = "200ms"\nduration = "1s"'
    )
    fault = DiskFault("slow", 200 * MS, "", "fault 1")
    assert [director.disk_fault(0, T0, op) for op in ("append", "seal")] == [fault, fault]
    assert director.disk_fault(0, T1, "append") is None
    director.due(SECOND)
    assert director.disk_fault(SECOND, T0, "append") is None


def test_a_stalled_disk_writes_when_the_stall_is_over():
    director = a_director('kind = "disk"\nnode = "t0"\naction = "stall"\nduration = "3s"')
    assert director.disk_fault(SECOND, T0, "append").by_ns == 2 * SECOND
    assert director.disk_fault(2 * SECOND, T0, "append").by_ns == SECOND


def test_a_stall_without_a_duration_is_over_with_the_heal():
    director = a_director('kind = "disk"\nnode = "t0"\naction = "stall"')
    assert director.disk_fault(20 * SECOND, T0, "append").by_ns == 100 * SECOND


@pytest.mark.parametrize(
    ("action", "says"),
    [("eio", "input/output"), ("enospc", "no space left"), ("fsync_error", "may be durable")],
)
def test_a_failing_write_says_why(action, says):
    director = a_director(f'kind = "disk"\nnode = "targets"\naction = "{action}"\ntimes = 2')
    faults = [director.disk_fault(0, node, "append") for node in (T0, T1, T0)]
    assert faults[0].action == action
    assert says in faults[0].error
    assert faults[1] == faults[0]
    assert faults[2] is None, "times counts the writes of all its nodes"


def test_a_fault_may_wait_for_one_kind_of_write():
    director = a_director('kind = "disk"\nnode = "coordinator"\naction = "enospc"\nop = "log"')
    assert director.disk_fault(0, "coordinator", "publish") is None
    assert director.disk_fault(0, "coordinator", "log") is not None


def test_two_faults_of_one_write_add_their_delays_and_the_error_wins():
    director = a_director(
        'id = "a"\nkind = "disk"\nnode = "t0"\naction = "slow"\nby = "1s"',
        'id = "b"\nkind = "disk"\nnode = "t0"\naction = "eio"',
        'id = "c"\nkind = "disk"\nnode = "t0"\naction = "slow"\nby = "2s"',
    )
    fault = director.disk_fault(0, T0, "append")
    assert fault.by_ns == 3 * SECOND
    assert fault.action == "eio"
    assert fault.fault == "a, b, c"


@pytest.mark.parametrize("action", ["torn", "lose_unsynced", "bitflip", "misdirect"])
def test_what_is_done_to_stored_bytes_is_an_action(action):
    director = a_director(
        f'kind = "disk"\nnode = "targets"\naction = "{action}"\nop = "seal"\nat = "1s"'
    )
    assert director.due(SECOND) == [
        DiskAction(T0, action, "seal", "fault 1"), DiskAction(T1, action, "seal", "fault 1"),
    ]  # fmt: skip
    assert director.disk_fault(SECOND, T0, "seal") is None


def test_a_page_fails_for_those_scans_that_match():
    director = a_director(
        'kind = "page"\nnode = "s0"\nincremental = 1\nattempt = 1\npage = 2\n'
        'transient = false\nerror = "rotten"'
    )
    assert director.page_fault(0, S0, a_scan(incremental=1), 1) is None
    assert director.page_fault(0, S0, a_scan(incremental=2), 2) is None
    assert director.page_fault(0, S0, a_scan(attempt=2), 2) is None
    assert director.page_fault(0, S1, a_scan(S1), 2) is None
    found = director.page_fault(0, S0, a_scan(), 2)
    assert found == PageFault(transient=False, error="rotten", fault="fault 1")
    assert told(director, "injected") == [("injected", "fault 1", S0)]


def test_pages_fail_until_the_end_unless_times_are_counted():
    always = a_director('kind = "page"')
    twice = a_director('kind = "page"\ntimes = 2')
    assert [always.page_fault(0, S0, a_scan(), n) is None for n in range(4)] == [False] * 4
    assert [twice.page_fault(0, S0, a_scan(), n) is None for n in range(4)] == [
        False, False, True, True,
    ]  # fmt: skip
