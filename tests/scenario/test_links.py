"""Faults of links."""

from __future__ import annotations

import pytest

from increstore.scenario.actions import Fate, Release, ResetLink
from tests.scenario.builders import (
    MS,
    SECOND,
    a_batch,
    a_director,
    a_question,
    a_report,
    benign,
    told,
    worst,
)

COORDINATOR, S0, S1, T0, T1 = "coordinator", "orders/s0", "orders/s1", "orders/t0", "orders/t1"


def cut(director, sender, receiver):
    fate = director.fate(0, sender, receiver, a_batch())
    return fate is not None and fate.copies == ()


def test_a_partition_cuts_what_goes_between_its_groups():
    director = a_director('kind = "partition"\ngroups = [["coordinator"], ["sources"]]')
    assert cut(director, COORDINATOR, S0)
    assert cut(director, S1, COORDINATOR)
    assert not cut(director, S0, T0), "targets are in no group"
    assert not cut(director, S0, S1), "the same group"


def test_a_single_group_is_cut_off_from_all_others():
    director = a_director('kind = "partition"\ngroups = ["t0"]')
    assert cut(director, S0, T0)
    assert cut(director, T0, COORDINATOR)
    assert not cut(director, S0, T1)


@pytest.mark.parametrize(("direction", "to_it", "from_it"), [("to", True, False),
                                                            ("from", False, True)])  # fmt: skip
def test_a_partition_of_one_direction_lets_the_other_pass(direction, to_it, from_it):
    director = a_director(
        f'kind = "partition"\ngroups = ["coordinator"]\ndirection = "{direction}"'
    )
    assert cut(director, S0, COORDINATOR) == to_it
    assert cut(director, COORDINATOR, S0) == from_it


def test_a_partition_may_hold_what_it_separates_until_it_ends():
    director = a_director(
        'id = "jam"\nkind = "partition"\ngroups = ["coordinator"]\nmode = "hold"\n'
        'at = "1s"\nduration = "2s"'
    )
    assert director.fate(0, S0, COORDINATOR, a_report()) is None
    assert director.next_due == SECOND
    director.due(SECOND)
    assert director.fate(SECOND, S0, COORDINATOR, a_report()) == Fate(hold="jam", fault="jam")
    assert director.held(S0, COORDINATOR) == "jam"
    assert director.held(S0, T0) is None
    assert director.due(3 * SECOND) == [Release("jam")]
    assert director.held(S0, COORDINATOR) is None
    assert [(line.what, line.at) for line in director.log] == [
        ("injected", SECOND), ("ended", 3 * SECOND),
    ]  # fmt: skip


def test_a_slow_partition_keeps_the_order_of_its_links():
    director = a_director('kind = "partition"\ngroups = ["t0"]\nmode = "slow"\nby = "200ms"')
    fate = director.fate(0, S0, T0, a_batch())
    assert fate == Fate((200 * MS,), fault="fault 1", keeps_order=True)


def test_a_drawn_group_is_drawn_once():
    text = 'kind = "partition"\ngroups = ["one of targets"]'
    assert cut(a_director(text, draw=benign), S0, T0)
    assert not cut(a_director(text, draw=benign), S0, T1)
    assert cut(a_director(text, draw=worst), S0, T1)


@pytest.mark.parametrize(("direction", "into", "out"), [("in", True, False), ("out", False, True),
                                                        ("both", True, True)])  # fmt: skip
def test_a_clogged_node_keeps_its_messages_until_the_end(direction, into, out):
    director = a_director(f'kind = "clog"\nnode = "t0"\ndirection = "{direction}"\nduration = "1s"')
    assert (director.fate(0, S0, T0, a_batch()) is not None) == into
    assert (director.fate(0, T0, S0, a_batch()) is not None) == out
    assert director.fate(0, S0, T1, a_batch()) is None
    assert director.due(SECOND) == [Release("fault 1")]


def test_a_clog_that_does_not_hold_loses():
    director = a_director('kind = "clog"\nnode = "t0"\nhold = false\nduration = "1s"')
    assert cut(director, S0, T0)
    assert director.due(SECOND) == []


def test_a_slow_link_makes_everything_on_it_late():
    director = a_director('kind = "slow_link"\nfrom = "sources"\nto = "t1"\nby = "50ms"')
    assert director.fate(0, S0, T1, a_batch()).copies == (50 * MS,)
    assert director.fate(0, S0, T0, a_batch()) is None
    assert director.fate(0, T1, S0, a_batch()) is None


def test_a_narrow_link_carries_one_message_after_the_other():
    director = a_director('kind = "bandwidth"\nfrom = "s0"\nbytes_per_second = "1KB"')
    rows = a_batch(payload=b"x" * 900)
    assert director.fate(0, S0, T0, rows).copies == (SECOND,), "900 bytes and their header"
    assert director.fate(0, S0, T0, rows).copies == (2 * SECOND,), "waits for the one before"
    assert director.fate(0, S0, T1, rows).copies == (SECOND,), "another link is free"
    assert director.fate(9 * SECOND, S0, T0, rows).copies == (SECOND,), "free again"
    assert director.fate(0, S0, COORDINATOR, a_report()).copies == (100 * MS,)


def test_a_half_open_link_loses_one_direction_in_silence():
    director = a_director('kind = "half_open"\nfrom = "s0"\nto = "coordinator"')
    fate = director.fate(0, S0, COORDINATOR, a_report())
    assert fate == Fate((), fault="fault 1")
    assert not fate.reset
    assert director.fate(0, COORDINATOR, S0, a_question()) is None


def test_a_reset_breaks_each_link_once():
    director = a_director('kind = "reset"\nat = "3s"\nfrom = "sources"\nto = ["t0", "s0"]')
    assert director.due(3 * SECOND) == [
        ResetLink(S0, T0, "fault 1"), ResetLink(S1, T0, "fault 1"), ResetLink(S0, S1, "fault 1"),
    ]  # fmt: skip
    assert not director.has_message_faults
    assert told(director) == [("injected", "fault 1", ""), ("ended", "fault 1", "")]


def test_a_reset_of_everything_breaks_every_pair():
    director = a_director('kind = "reset"\nat = "3s"')
    assert len(director.due(3 * SECOND)) == 5 * 4 // 2


def test_a_swizzle_clogs_in_the_first_half_and_releases_in_the_second():
    director = a_director('kind = "swizzle"\nnodes = ["t0", "t1"]\nduration = "10s"', draw=benign)
    director.due(0)
    assert director.fate(0, S0, T0, a_batch()) == Fate(hold="fault 1 orders/t0", fault="fault 1")
    assert director.fate(0, T1, S0, a_batch()).hold == "fault 1 orders/t1"
    assert director.fate(0, S0, S1, a_batch()) is None
    released = director.due(5 * SECOND)
    assert released == [Release("fault 1 orders/t0"), Release("fault 1 orders/t1")]
    assert director.fate(5 * SECOND, S0, T0, a_batch()) is None
    director.due(10 * SECOND)
    assert told(director) == [("injected", "fault 1", f"{T0}, {T1}"), ("ended", "fault 1", "")]


def test_a_swizzle_draws_when_each_node_goes_and_comes():
    director = a_director('kind = "swizzle"\nnodes = ["t0", "t1"]\nduration = "10s"', draw=worst)
    director.due(0)
    assert director.fate(0, S0, T0, a_batch()) is None
    director.due(5 * SECOND)
    assert director.fate(5 * SECOND, S0, T0, a_batch()).hold == "fault 1 orders/t0"
    assert sorted(action.hold for action in director.due(10 * SECOND)) == [
        "fault 1 orders/t0", "fault 1 orders/t1",
    ]  # fmt: skip
