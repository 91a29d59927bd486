"""The backups of one table as runs for `merge`: a row group is read when its turn comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.chain.plan import plan_restore

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from increstore.chain.collection import BackupChain
    from increstore.chain.keys import Key
    from increstore.chain.plan import Page, TablePlan, TableStep


@dataclass(frozen=True, slots=True)
class PageOfRun:
    """One row group, and how it is read into a canonical batch."""

    step: TableStep
    page: Page
    read: Callable[[TableStep, Page], pa.RecordBatch]

    @property
    def first(self) -> Key:
        return self.page.first_key

    @property
    def last(self) -> Key:
        """A bound: no key of the page is above it."""
        return self.page.next_key or self.page.first_key

    @property
    def rows(self) -> int:
        return self.page.rows

    def load(self) -> pa.RecordBatch:
        """Raises: BackupChainBroken when the page is damaged; OSError."""
        return self.read(self.step, self.page)


def plan_of(chain: BackupChain, table: str) -> TablePlan:
    """One table of a valid chain, undivided."""
    plan = plan_restore(chain.collection.path, chain.manifests, [table], sources=1, targets=1)
    return plan.tables[0]


def page_runs(
    plan: TablePlan, read: Callable[[TableStep, Page], pa.RecordBatch]
) -> list[list[PageOfRun]]:
    """A run for each backup that changes the table, oldest first; nothing is read yet."""
    return [[PageOfRun(step, page, read) for page in step.pages] for step in plan.steps]
