"""The byte budget: all source shards of a process share one bound (R2)."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from increstore.runtime.source_node import ByteBudget


async def test_a_page_waits_until_what_others_hold_has_been_applied():
    budget = ByteBudget(100)
    budget.hold("orders/s0", 80)
    admitted = []

    async def read() -> None:
        await budget.reserve(30)
        admitted.append("page")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        assert admitted == []

        budget.hold("orders/s0", 60)
        await wait_all_tasks_blocked()
        assert admitted == ["page"]
    assert budget.used == 90


async def test_a_page_larger_than_the_budget_is_read_when_nothing_else_is_held():
    budget = ByteBudget(10)
    with trio.fail_after(5):
        await budget.reserve(1000)
    budget.release(1000)
    assert budget.used == 0


async def test_what_was_read_before_the_budget_was_there_counts_until_it_is_released():
    budget = ByteBudget(100)
    budget.take(90)
    assert not budget.try_reserve(20)
    budget.release(90)
    assert budget.try_reserve(20)


async def test_two_waiting_pages_are_not_both_admitted_into_room_for_one():
    budget = ByteBudget(100)
    await budget.reserve(100)
    admitted = []

    async def read(name: str) -> None:
        await budget.reserve(100)
        admitted.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, "a")
        nursery.start_soon(read, "b")
        await wait_all_tasks_blocked()
        budget.release(100)
        await wait_all_tasks_blocked()
        assert len(admitted) == 1
        budget.release(100)
    assert sorted(admitted) == ["a", "b"]
