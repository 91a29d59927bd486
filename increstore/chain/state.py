"""The state a chain leaves a table in, in key order, and how a new state differs from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from increstore.chain.difference import diff
from increstore.chain.digest import DIGEST_MASK, rows_digest
from increstore.chain.keys import Key, cut, key_of_row
from increstore.chain.layout import FoldLayout, align
from increstore.chain.merge import merge
from increstore.chain.page_runs import page_runs, plan_of
from increstore.chain.reader import load_page
from increstore.chain.runs import RunLevels
from increstore.chain.spool import Run, Spool
from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from increstore.chain.collection import BackupChain
    from increstore.chain.merge import SortedBatch
    from increstore.chain.plan import Page, TableStep
    from increstore.chain.schema import TableSchema


STATE_RUNS_MAX = 16
"""Backups of which a row group is held; a longer chain is folded into runs in the spool first."""


def state_rows(chain: BackupChain, table: str, spool: Spool) -> Iterator[pa.RecordBatch]:
    """The rows of `table` after the last backup of a valid chain, sorted by key.

    Memory: about one row group of `STATE_RUNS_MAX` backups, and a slice of their merge.
    Raises: BackupChainBroken when a file is damaged, or the rows are not those the last manifest
    promises (known only after the last batch); StorageFailed; OSError.
    """
    plan = plan_of(chain, table)
    layout = FoldLayout(plan.final, plan.column_since)

    def read(step: TableStep, page: Page) -> pa.RecordBatch:
        return align(load_page(step, page), step.incremental, layout)

    rows = digest = 0
    for batch in merge(_few_runs(page_runs(plan, read), layout, spool), layout, as_rows=True):
        rows += batch.num_rows
        digest += rows_digest(batch, plan.final)
        yield batch
    if (rows, digest & DIGEST_MASK) != (plan.rows, plan.digest):
        raise BackupChainBroken(
            f"{chain.backups[-1].path}: table {table!r}: the chain makes {rows:,} rows with digest "
            f"{digest & DIGEST_MASK:016x} (expected {plan.rows:,} rows with {plan.digest:016x}); "
            "run `increstore chain` to find the damaged file"
        )


def _few_runs(
    runs: Sequence[Sequence[SortedBatch]], layout: FoldLayout, spool: Spool
) -> list[Sequence[SortedBatch]]:
    """The same changes, oldest first. The full backup, which is large, is left as it is."""

    def merged(some: list[Run]) -> Iterator[pa.RecordBatch]:
        return merge([run.batches for run in some], layout, as_rows=False)

    levels = RunLevels(spool, layout.schema.key, STATE_RUNS_MAX, merged)
    for run in runs[1:]:
        levels.add(Run(run))
    return [*runs[:1], *(run.batches for run in levels.runs)]


def differences(
    old: Iterable[pa.RecordBatch], new: Iterable[pa.RecordBatch], schema: TableSchema
) -> Iterator[pa.RecordBatch]:
    """The changes that make the rows `old` into the rows `new`, canonical, none of them empty.

    Both are sorted by key over all their batches; `schema` is that of `new`.
    """
    before, after = _Rows(old, schema), _Rows(new, schema)
    while before.head is not None or after.head is not None:
        # One of the two heads ends at the bound, so each round uses up at least one batch.
        bound = min(rows.last_key for rows in (before, after) if rows.head is not None)
        changes = diff(before.through(bound), after.through(bound), schema)
        if changes.num_rows:
            yield changes


class _Rows:
    """Sorted batches, taken from the front by key. `head` is what is left of the first batch."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: TableSchema) -> None:
        self._batches = (batch for batch in batches if batch.num_rows)
        self._names = schema.key
        self._nothing = pa.RecordBatch.from_pylist([], schema=schema.arrow())
        self.head: pa.RecordBatch | None = next(self._batches, None)

    @property
    def last_key(self) -> Key:
        assert self.head is not None
        return key_of_row(self.head, self._names, self.head.num_rows - 1)

    def through(self, bound: Key) -> pa.RecordBatch:
        """Take the rows of the head whose key is at most `bound`."""
        head = self.head
        if head is None:
            return self._nothing
        rows = cut(head, self._names, [bound])[0]
        if rows < head.num_rows and key_of_row(head, self._names, rows) == bound:
            rows += 1
        self.head = head.slice(rows) if rows < head.num_rows else next(self._batches, None)
        return head.slice(0, rows)
