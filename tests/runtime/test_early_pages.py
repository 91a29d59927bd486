"""Pages that are read before the restore begins are the ones that the scans ask for first."""

from __future__ import annotations

import pyarrow as pa
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
from increstore.runtime.early import BYTES_EARLY_MAX, EarlyPages
from increstore.runtime.source_node import ByteBudget, PagePerformer
from tests.chain.builder import integers
from tests.chain.test_writer import SCHEMA

PAGES = 12
BIG = 10 << 20
SCAN = ScanId("r1", 0, source_name("a", 1), 1)


@pytest.fixture
def plan(tmp_path):
    """Two tables of twelve pages; two sources each scan six of them."""
    changes = {name: TableChanges("full", SCHEMA, [integers(10 * PAGES)]) for name in ("a", "b")}
    write_backup(tmp_path, "full", changes, limits=FileLimits(group_rows_max=10))
    return plan_restore(tmp_path, Collection.open(tmp_path).chain().manifests, None, 2, 2)


@pytest.fixture
def big_plan(tmp_path):
    """The same with rows of 10 MiB, one a page."""
    rows = pa.record_batch({"id": pa.array(range(6), pa.int64()), "v": ["x" * BIG] * 6})
    changes = {name: TableChanges("full", SCHEMA, [rows]) for name in ("a", "b")}
    write_backup(tmp_path, "full", changes, limits=FileLimits(group_rows_max=1))
    return plan_restore(tmp_path, Collection.open(tmp_path).chain().manifests, None, 2, 2)


def pages_of(plan, table: int, source: int):
    return plan.tables[table].steps[0].part(source, 2)


def a_performer(plan, budget: ByteBudget, early: EarlyPages | None) -> PagePerformer:
    return PagePerformer(plan.table("a"), 1, 2, budget, trio.CapacityLimiter(1), early)


def held(early: EarlyPages, plan) -> list[list[int]]:
    """By table and source, the numbers of the pages that are held; they are taken."""
    return [
        [number for number, page in enumerate(pages_of(plan, table, source)) if early.take(page)]
        for table in (0, 1)
        for source in (0, 1)
    ]


def test_what_is_read_of_a_page_is_handed_over_once(plan):
    early = EarlyPages()
    early.read(plan)
    table, page = plan.tables[1], pages_of(plan, 1, 1)[0]
    assert early.take(page) == read_page(table, table.steps[0], page)
    assert early.take(page) is None


def test_the_pages_that_the_scans_ask_for_first_are_read_until_there_is_enough(big_plan):
    early = EarlyPages()
    early.read(big_plan)
    assert BYTES_EARLY_MAX <= early.bytes_held < BYTES_EARLY_MAX + 2 * BIG
    assert held(early, big_plan) == [[0, 1], [0], [0], [0]]
    assert early.bytes_held == 0


def test_a_page_that_cannot_be_read_is_left_to_the_scan(plan):
    damaged = pages_of(plan, 0, 1)[0].path
    damaged.write_bytes(b"")
    early = EarlyPages()
    early.start(plan)
    early.stop()
    assert held(early, plan) == [[], [], [], []]


def test_reading_that_was_stopped_before_it_began_reads_nothing(plan):
    early = EarlyPages()
    early.stop()
    early.read(plan)
    assert held(early, plan) == [[], [], [], []]


async def test_a_scan_takes_the_early_pages_and_gives_their_room_back(plan):
    early, budget = EarlyPages(), ByteBudget(1 << 30)
    early.read(plan)
    before = early.bytes_held
    budget.take(before)
    performer = a_performer(plan, budget, early)

    read = [await performer.perform(ReadPage(SCAN, page)) for page in range(3)]

    without = a_performer(plan, ByteBudget(1 << 30), None)
    assert read == [await without.perform(ReadPage(SCAN, page)) for page in range(3)]
    assert 0 < early.bytes_held < before
    assert budget.used == early.bytes_held
