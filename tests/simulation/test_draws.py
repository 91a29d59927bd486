"""Keyed draws: named, bounded, harmless at 0, and the same for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from increstore.simulation.draws import Draws


@given(seed=st.integers(0, 2**63), label=st.text(max_size=40), bound=st.integers(1, 2**40))
def test_a_draw_is_within_its_bound_and_the_same_each_time(seed, label, bound):
    value = Draws(seed).draw(label, bound)

    assert 0 <= value < bound
    assert Draws(seed).draw(label, bound) == value


def test_a_draw_depends_on_its_own_name_only_not_on_what_was_drawn_before():
    alone = Draws(7).draw("net a>b StartScan 1", 1000)
    after_others = Draws(7)
    for number in range(50):
        after_others.draw(f"heartbeat {number}", 10)

    assert after_others.draw("net a>b StartScan 1", 1000) == alone


def test_the_values_of_today_are_those_of_every_version():
    """Golden: seeds in reports and tests would mean nothing after a change here."""
    draws = Draws(1310)

    drawn = [draws.draw(f"net s0>t1 ApplyChanges {n}", 1000) for n in range(5)]

    assert drawn == [
        112,
        321,
        367,
        720,
        63,
    ]


def test_latencies_and_ties_of_today_are_those_of_every_version():
    """Golden, as above: the lowest 16 bits of the hash, and its highest 8."""
    draws = Draws(1310)

    drawn = [draws.latency_and_tie(f"net s0>t1 ApplyChanges {n}") for n in range(3)]

    assert drawn == [(63352, 78), (63265, 155), (31343, 67)]


def test_a_tape_gives_back_what_was_recorded_and_nothing_else():
    recording = Draws(3, record=True)
    drawn = [recording.draw(f"d {n}", 4) for n in range(40)]
    replaying = Draws(999, tape=recording.recorded)

    assert [replaying.draw(f"d {n}", 4) for n in range(40)] == drawn
    assert 0 not in recording.recorded.values()
    assert replaying.draw("never recorded", 1000) == 0


def test_a_tape_with_an_entry_left_out_leaves_the_others_as_they_were():
    recording = Draws(3, record=True)
    drawn = {label: recording.draw(label, 1000) for label in ("a", "b", "c")}
    shorter = {label: value for label, value in recording.recorded.items() if label != "b"}

    replaying = Draws(0, tape=shorter)

    assert [replaying.draw(label, 1000) for label in "abc"] == [drawn["a"], 0, drawn["c"]]
