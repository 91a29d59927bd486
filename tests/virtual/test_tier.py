"""What the tier itself promises: it is deterministic, finds what is stuck, and lets nothing out."""

from __future__ import annotations

import pytest
import trio
import trio._core._run as trio_run

from tests.virtual.tier import SWITCHES, EscapedSimulation, run_with, virtual_time


def order_of(seed, tasks=400):
    """In which order many tasks, ready at once and again later, are run."""
    seen = []

    async def one(number):
        await trio.lowlevel.checkpoint()
        seen.append(number)
        await trio.sleep(0.001 * (number % 3))
        seen.append(number)

    async def main():
        async with trio.open_nursery() as nursery:
            for number in range(tasks):
                nursery.start_soon(one, number)

    with virtual_time(seed) as clock:
        run_with(clock)(main)
    return seen


def test_the_private_switches_of_trio_are_still_there():
    """Canary: without them runs are no longer repeatable, and nothing else would say so."""
    for name in SWITCHES:
        assert hasattr(trio_run, name), f"trio has no {name} any more: the tier needs another way"
    assert trio_run._ALLOW_DETERMINISTIC_SCHEDULING in (False, True)
    assert callable(trio_run._r.random)


def test_a_seed_decides_the_order_of_tasks_and_another_seed_another():
    assert order_of(1) == order_of(1)
    assert order_of(1) != order_of(2)


def test_sleeping_takes_no_time_and_threads_are_waited_for():
    async def main():
        began = trio.current_time()
        await trio.sleep(3600)
        with trio.move_on_after(5):
            assert await trio.to_thread.run_sync(sum, [1, 2, 3]) == 6
        return trio.current_time() - began

    with virtual_time(0) as clock:
        assert 3600 < run_with(clock)(main) < 3600.1


def test_what_waits_for_ever_is_found_at_once():
    async def main():
        await trio.sleep(3.5)
        await trio.Event().wait()

    with virtual_time(0) as clock, pytest.raises(AssertionError, match=r"stuck at 3\.500 s"):
        run_with(clock)(main)


def test_reaching_for_the_real_world_is_an_error():
    async def main():
        await trio.open_tcp_stream("localhost", 1)

    with virtual_time(0) as clock, pytest.raises(EscapedSimulation):
        run_with(clock)(main)
