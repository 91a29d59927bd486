"""Pages that are read before the restore begins are the ones that the scans ask for first."""

from __future__ import annotations

import pytest
import trio

from increstore.chain.collection import Collection
from increstore.chain.plan import plan_restore
from increstore.chain.reader import read_page
from increstore.chain.table_writer import FileLimits
from increstore.chain.writer import TableChanges, write_backup
from increstore.protocol.messages import ScanId
from increstore.protocol.ready import ReadPage
from increstore.protocol.topology import source_name
from increstore.runtime.early import PAGES_EARLY_MAX, EarlyPages
from increstore.runtime.source_node import PAGE_BYTES_GUESS, ByteBudget, PagePerformer
from tests.chain.builder import integers
from tests.chain.test_writer import SCHEMA

PAGES = 12
SCAN = ScanId("r1", 0, source_name("a", 1), 1)


@pytest.fixture
def plan(tmp_path):
    """Two tables of twelve pages; two sources each scan six of them."""
    changes = {name: TableChanges("full", SCHEMA, [integers(10 * PAGES)]) for name in ("a", "b")}
    write_backup(tmp_path, "full", changes, limits=FileLimits(group_rows_max=10))
    return plan_restore(tmp_path, Collection.open(tmp_path).chain().manifests, None, 2, 2)


def pages_of(plan, table: int, source: int):
    return plan.tables[table].steps[0].part(source, 2)


def a_performer(plan, budget: ByteBudget, early: EarlyPages | None) -> PagePerformer:
    return PagePerformer(plan.table("a"), 1, 2, budget, trio.CapacityLimiter(1), early)


def test_the_first_pages_of_every_scan_are_read_and_handed_over_once(plan):
    early = EarlyPages(plan)
    early.read()

    assert len(early) == PAGES_EARLY_MAX == 6
    for table, source, read in ((0, 0, 2), (0, 1, 2), (1, 0, 1), (1, 1, 1)):
        pages = pages_of(plan, table, source)
        of_table = plan.tables[table]
        for page in pages[:read]:
            assert early.take(page) == read_page(of_table, of_table.steps[0], page)
            assert early.take(page) is None
        assert early.take(pages[read]) is None
    assert len(early) == 0


def test_a_page_that_cannot_be_read_is_left_to_the_scan(plan):
    damaged = pages_of(plan, 0, 1)[0].path
    damaged.write_bytes(b"")
    early = EarlyPages(plan)
    early.start()
    early.stop()
    assert len(early) == 0


def test_reading_that_was_stopped_before_it_began_reads_nothing(plan):
    early = EarlyPages(plan)
    early.stop()
    early.read()
    assert len(early) == 0


async def test_a_scan_takes_the_early_pages_and_gives_their_room_back(plan):
    early, budget = EarlyPages(plan), ByteBudget(1 << 30)
    early.read()
    budget.take(len(early) * PAGE_BYTES_GUESS)
    performer = a_performer(plan, budget, early)

    read = [await performer.perform(ReadPage(SCAN, page)) for page in range(3)]

    without = a_performer(plan, ByteBudget(1 << 30), None)
    assert read == [await without.perform(ReadPage(SCAN, page)) for page in range(3)]
    assert len(early) == PAGES_EARLY_MAX - 2
    assert budget.used == len(early) * PAGE_BYTES_GUESS
