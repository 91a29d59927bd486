"""How many changes of a chain a later one overwrites, from the key columns alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.chain.layout import FoldLayout
from increstore.chain.merge import merge
from increstore.chain.plan import plan_restore
from increstore.chain.reader import load_keys
from increstore.chain.schema import TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

    from increstore.chain.collection import BackupChain
    from increstore.chain.keys import Key
    from increstore.chain.plan import Page, TableStep


@dataclass(frozen=True, slots=True)
class Overwrites:
    """Of `changes` (rows of the full backup included), those whose key changes again later."""

    changes: int
    overwritten: int


def count_overwrites(chain: BackupChain, table: str) -> Overwrites:
    """Count over one table of a valid chain, streaming; checks the keys of every file on the way.

    Memory: the keys of about one row group of every backup.
    Raises: BackupChainBroken at the first row group whose keys are wrong or unreadable; OSError.
    """
    plan = plan_restore(
        chain.collection.path, chain.manifests, [table], sources=1, targets=1
    ).tables[0]
    key = plan.final.key
    columns = tuple(column for column in plan.final.columns if column.name in key)
    layout = FoldLayout(TableSchema(columns, key), {})
    names = list(layout.schema.names)
    runs = [[_KeysOfPage(step, page, names) for page in step.pages] for step in plan.steps]
    changes = sum(step.rows for step in plan.steps)
    distinct = sum(batch.num_rows for batch in merge(runs, layout, as_rows=False))
    return Overwrites(changes, changes - distinct)


@dataclass(frozen=True, slots=True)
class _KeysOfPage:
    """A row group of which `merge` reads the keys when its turn comes: upserts of nothing else."""

    step: TableStep
    page: Page
    names: list[str]

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
        return load_keys(self.step, self.page).select(self.names)
