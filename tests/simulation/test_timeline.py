"""The heap of moments, as it is and as it is compiled; and the hash of what happened."""

from __future__ import annotations

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from increstore.simulation import timeline, timeline_compiled
from increstore.simulation.trace import PIECES_MAX, Trace

TIMELINES = (timeline.Timeline, timeline_compiled.Timeline)
SOON = st.tuples(st.integers(0, 4), st.integers(-1, 2))
PLANS = st.lists(st.tuples(SOON, st.lists(SOON, max_size=3)), max_size=30)
"""(delay, tie) of each thing, and of what is asked for when it happens."""


def played(kind, plan, stops_at=100):
    """(moment, number) of everything that happened, in order."""
    world, happened = kind(stops_at), []

    def happen(told):
        number, following = told
        happened.append((world.now, number))
        for place, (delay, tie) in enumerate(following):
            world.at(world.now + delay, tie, happen, ((number, place), []))

    for number, ((delay, tie), following) in enumerate(plan):
        world.at(delay, tie, happen, (number, following))
    while world.play(3):
        pass
    return happened


@given(plan=PLANS)
def test_the_compiled_heap_plays_everything_in_the_same_order(plan):
    assert played(TIMELINES[1], plan) == played(TIMELINES[0], plan)


@pytest.mark.parametrize("kind", TIMELINES)
def test_of_equal_moments_the_smaller_tie_comes_first_then_who_asked_first(kind):
    plan = [((2, 1), []), ((2, 0), []), ((1, 9), []), ((2, 0), [])]
    assert played(kind, plan) == [(1, 2), (2, 1), (2, 3), (2, 0)]


@pytest.mark.parametrize("kind", TIMELINES)
def test_nothing_is_played_after_the_end_nor_once_it_is_forgotten(kind):
    assert played(kind, [((1, 0), []), ((4, 0), [])], stops_at=3) == [(1, 0)]

    world = kind(100)
    world.at(5, 0, pytest.fail, "it was forgotten")
    assert (world.next_at, world.moments) == (5, 0)
    world.forget()
    assert world.next_at is None
    assert not world.play(1)


@pytest.mark.parametrize("count", [0, 1, PIECES_MAX // 2 - 1, PIECES_MAX // 2, PIECES_MAX])
def test_the_digest_is_that_of_all_that_happened_however_much_is_hashed_at_once(count):
    trace, expected = Trace(), xxhash.xxh3_64()
    for number in range(count):
        trace.now = number * 1_000_000_007
        trace.trace_text(f"write {number}")
        expected.update(trace.now.to_bytes(8, "little") + f"write {number}".encode())

    assert trace.digest == expected.hexdigest()
    assert trace.digest == expected.hexdigest()
