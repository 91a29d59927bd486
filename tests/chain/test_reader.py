"""A page is cut at the bounds of the targets, and into batches that a merge can hold."""

from __future__ import annotations

import pyarrow as pa

from increstore.chain.collection import Collection
from increstore.chain.digest import payload_digest
from increstore.chain.plan import plan_restore
from increstore.chain.reader import BATCH_ROWS_MAX, CHANGES_ROWS_MAX, read_page
from increstore.chain.writer import State, TableChanges, write_backup

from .builder import integers
from .test_writer import SCHEMA

ROWS = 50_000


def test_an_incremental_is_cut_into_smaller_batches_than_a_full_backup(tmp_path):
    """A merge holds one batch of every run: one full backup, but as many incrementals as come."""
    rows = integers(ROWS)
    full = TableChanges("full", SCHEMA, [rows])
    changes = TableChanges("changes", SCHEMA, [rows], State(ROWS, 0))
    for kind, table in (("full", full), ("incremental", changes)):
        write_backup(tmp_path, kind, {"t": table})
    (plan,) = plan_restore(tmp_path, Collection.open(tmp_path).chain().manifests, None, 1, 1).tables
    (first,), (second,) = (step.pages for step in plan.steps)

    whole = read_page(plan, plan.steps[0], first)
    cut = read_page(plan, plan.steps[1], second)

    assert ROWS < BATCH_ROWS_MAX
    assert [piece.rows for piece in whole] == [ROWS]
    assert [piece.rows for piece in cut] == [CHANGES_ROWS_MAX] * 3 + [ROWS - 3 * CHANGES_ROWS_MAX]
    for step, pieces in zip(plan.steps, (whole, cut), strict=True):
        assert [piece.digest for piece in pieces] == [payload_digest(p.payload) for p in pieces]
        batches = [pa.ipc.read_record_batch(p.payload, step.batch_schema) for p in pieces]
        assert pa.Table.from_batches(batches).equals(
            pa.Table.from_batches([rows]).cast(step.batch_schema)
        )
