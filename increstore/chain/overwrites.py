"""How many changes of a chain a later one overwrites, from the key columns alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.chain.layout import FoldLayout
from increstore.chain.merge import merge
from increstore.chain.page_runs import page_runs, plan_of
from increstore.chain.reader import load_keys
from increstore.chain.schema import TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

    from increstore.chain.collection import BackupChain
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
    plan = plan_of(chain, table)
    key = plan.final.key
    columns = tuple(column for column in plan.final.columns if column.name in key)
    layout = FoldLayout(TableSchema(columns, key), {})
    names = list(layout.schema.names)

    def read(step: TableStep, page: Page) -> pa.RecordBatch:
        return load_keys(step, page).select(names)  # As upserts of nothing but a key.

    changes = sum(step.rows for step in plan.steps)
    distinct = sum(batch.num_rows for batch in merge(page_runs(plan, read), layout, as_rows=False))
    return Overwrites(changes, changes - distinct)
