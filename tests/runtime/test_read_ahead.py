"""A source shard reads on into the incrementals that come next, within its room."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from increstore.chain.collection import Collection
from increstore.chain.plan import plan_restore
from increstore.chain.table_writer import FileLimits
from increstore.chain.writer import State, TableChanges, write_backup
from increstore.protocol.messages import ScanId
from increstore.protocol.ready import PageRead, ReadPage
from increstore.protocol.topology import source_name
from increstore.runtime.source_node import (
    PAGE_BYTES_GUESS,
    PAGES_AHEAD_MAX,
    ByteBudget,
    PagePerformer,
)
from tests.chain.builder import integers
from tests.chain.test_writer import SCHEMA

LAST = 4


@pytest.fixture
def plan(tmp_path):
    """A full backup and four incrementals, each of two pages, scanned by one source."""
    limits = FileLimits(group_rows_max=10)
    write_backup(tmp_path, "full", {"t": full()}, limits=limits)
    for _ in range(LAST):
        changes = TableChanges("changes", SCHEMA, [integers(20)], State(20, 0))
        write_backup(tmp_path, "incremental", {"t": changes}, limits=limits)
    return plan_restore(tmp_path, Collection.open(tmp_path).chain().manifests, None, 1, 1)


def full() -> TableChanges:
    return TableChanges("full", SCHEMA, [integers(20)])


def a_performer(plan, budget: ByteBudget) -> PagePerformer:
    return PagePerformer(plan.table("t"), 0, 1, budget, trio.CapacityLimiter(2))


def asked(incremental: int, page: int, attempt: int = 1) -> ReadPage:
    return ReadPage(ScanId("r1", incremental, source_name("t", 0), attempt), page)


async def read(performer: PagePerformer, effect: ReadPage) -> PageRead:
    """As the driver does it: the page, and then what is read ahead."""
    page = await performer.perform(effect)
    assert isinstance(page, PageRead)
    await performer.read_ahead(effect)
    return page


def ahead(budget: ByteBudget) -> int:
    """How many pages are held that nobody asked for yet."""
    return budget.used // PAGE_BYTES_GUESS


async def test_only_the_last_page_of_an_incremental_reads_on_and_not_without_end(plan):
    budget = ByteBudget(1 << 30)
    performer = a_performer(plan, budget)
    await read(performer, asked(0, 0))
    assert ahead(budget) == 0
    await read(performer, asked(0, 1))
    assert ahead(budget) == PAGES_AHEAD_MAX == 2


async def test_every_page_is_the_same_read_ahead_or_not_and_all_room_is_given_back(plan):
    budget = ByteBudget(1 << 30)
    performer, plain = a_performer(plan, budget), a_performer(plan, ByteBudget(1 << 30))
    for incremental in range(LAST + 1):
        for page in (0, 1):
            effect = asked(incremental, page)
            assert await read(performer, effect) == await plain.perform(effect)
    assert budget.used == 0


async def test_nothing_is_read_ahead_into_room_that_is_needed(plan):
    budget = ByteBudget(2 * PAGE_BYTES_GUESS)
    performer = a_performer(plan, budget)
    budget.hold("another", 1)
    await read(performer, asked(0, 1))
    assert ahead(budget) == 0


async def test_a_scan_that_is_repeated_keeps_what_was_read_for_later(plan):
    budget = ByteBudget(1 << 30)
    performer = a_performer(plan, budget)
    await read(performer, asked(0, 1))
    await read(performer, asked(0, 0, attempt=2))
    assert ahead(budget) == 2


async def test_what_lies_before_the_page_that_is_asked_for_is_let_go(plan):
    budget = ByteBudget(1 << 30)
    performer = a_performer(plan, budget)
    await read(performer, asked(0, 1))
    assert (await performer.perform(asked(2, 0))).rows == 10
    assert ahead(budget) == 0


async def test_a_page_that_could_not_be_read_ahead_is_read_when_it_is_asked_for(plan):
    performer = a_performer(plan, ByteBudget(1 << 30))
    path = plan.table("t").step(1).pages[0].path
    content = path.read_bytes()
    path.write_bytes(b"")
    await read(performer, asked(0, 1))
    path.write_bytes(content)
    assert (await performer.perform(asked(1, 0))).rows == 10


async def test_what_was_asked_for_already_is_not_read_ahead_any_more(plan):
    budget = ByteBudget(1 << 30)
    performer = a_performer(plan, budget)
    for incremental in range(LAST):
        await performer.perform(asked(incremental, 0))
    await performer.read_ahead(asked(0, 1))
    assert ahead(budget) == 1, "the last incremental alone can still be asked for"
    await performer.perform(asked(LAST, 0))
    assert budget.used == 0


async def test_a_page_may_be_asked_for_while_it_is_read_ahead(plan):
    budget = ByteBudget(1 << 30)
    performer, seen = a_performer(plan, budget), []

    async def ask() -> None:
        for incremental in range(1, LAST + 1):
            seen.extend([await read(performer, asked(incremental, page)) for page in (0, 1)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(performer.read_ahead, asked(0, 1))
        nursery.start_soon(ask)
    assert [(page.scan.incremental, page.page) for page in seen] == [
        (incremental, page) for incremental in range(1, LAST + 1) for page in (0, 1)
    ]
    assert budget.used == 0


class CountedPages(tuple):
    """The pages of a backup; counts how often somebody looks through all of them."""

    looks = 0

    def __iter__(self):
        self.looks += 1
        return super().__iter__()


async def test_what_a_source_scans_of_a_backup_is_found_once_and_not_for_every_page(plan):
    """It is one look at every page: for each of many pages it would be their square."""
    full = plan.table("t").steps[0]
    pages = CountedPages(full.pages)
    table = replace(plan.table("t"), steps=(replace(full, pages=pages),))
    performer = PagePerformer(table, 0, 1, ByteBudget(1 << 30), trio.CapacityLimiter(2))
    await performer.perform(asked(0, 0))
    before = pages.looks
    await read(performer, asked(0, 1))
    assert pages.looks == before > 0
