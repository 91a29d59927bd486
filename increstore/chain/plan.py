"""The plan of a restore: which files each source shard scans, which keys each target shard owns.

A plan is a pure function of the collection's manifests, the chosen tables and the numbers of
shards, so that every process and every later run of the same command makes the same one; its
fingerprint says whether two are the same. Scans must number the same rows the same way each time
(orders, watermarks and evidence rest on it): the page cutting below is part of that promise.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from increstore.chain.keys import Key, decode_key, encode_key, key_of_row
from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.chain.manifest import Manifest, TableEntry
    from increstore.chain.schema import TableSchema


@dataclass(frozen=True, slots=True)
class Page:
    """One row group of one file: the unit a scan reads.

    `first_key` is what the manifest promises; `next_key` is the first key of the page that follows
    in the same incremental, or None for the last: every key of the page lies between the two.
    """

    path: Path
    row_group: int
    rows: int
    first_key: Key
    next_key: Key | None


@dataclass(frozen=True, slots=True)
class TableStep:
    """One backup's changes to one table."""

    incremental: int
    backup: str
    schema: TableSchema
    batch_schema: pa.Schema
    pages: tuple[Page, ...]

    @property
    def rows(self) -> int:
        return sum(page.rows for page in self.pages)

    def part(self, source: int, sources: int) -> tuple[Page, ...]:
        """The pages that source shard number `source` of `sources` scans, in key order.

        A page belongs to the shard in whose share of the rows its middle row falls.
        """
        total = max(1, self.rows)
        ends = list(accumulate(page.rows for page in self.pages))
        return tuple(
            page
            for page, end in zip(self.pages, ends, strict=True)
            if min((2 * end - page.rows) * sources // (2 * total), sources - 1) == source
        )


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table's restore. `bounds` are the first keys of every target shard but the first."""

    table: str
    steps: tuple[TableStep, ...]
    final: TableSchema
    column_since: dict[str, int]
    bounds: tuple[Key, ...]
    rows: int
    digest: int

    def step(self, incremental: int) -> TableStep:
        """Raises: KeyError when this incremental leaves the table as it was."""
        for step in self.steps:
            if step.incremental == incremental:
                return step
        raise KeyError(incremental)

    def step_after(self, step: TableStep) -> TableStep | None:
        """The next incremental that changes this table, or None."""
        later = (other for other in self.steps if other.incremental > step.incremental)
        return next(later, None)

    def range_of(self, target: int) -> tuple[Key | None, Key | None]:
        """The keys that target shard owns: from (included) and to (excluded); None is open."""
        low = self.bounds[target - 1] if target else None
        high = self.bounds[target] if target < len(self.bounds) else None
        return low, high


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """The whole restore. `backups` are the names of the chain's backups by chain position."""

    collection: Path
    collection_id: str
    backups: tuple[str, ...]
    sources: int
    targets: int
    tables: tuple[TablePlan, ...]
    fingerprint: str

    def table(self, name: str) -> TablePlan:
        """Raises: KeyError when the plan has no such table."""
        for table in self.tables:
            if table.table == name:
                return table
        raise KeyError(name)

    @property
    def change_rows(self) -> int:
        """Rows to scan over the whole chain."""
        return sum(step.rows for table in self.tables for step in table.steps)


def plan_restore(
    collection: Path,
    manifests: Sequence[Manifest],
    tables: Sequence[str] | None,
    sources: int,
    targets: int,
) -> RestorePlan:
    """Plan the restore of `manifests`, a valid chain in order (the full backup first).

    Raises: BackupChainBroken when a chosen table is not in the chain, or a file that must be read
    to divide the keys cannot be read.
    """
    known = sorted(manifests[-1].tables)
    unknown = sorted(set(tables or ()) - set(known))
    if unknown:
        raise BackupChainBroken(
            f"{collection}: no table {', '.join(map(repr, unknown))} in this chain "
            f"(it has: {', '.join(known)})"
        )
    chosen = [name for name in known if not tables or name in tables]
    plans = tuple(_plan_table(collection, manifests, name, targets) for name in chosen)
    return RestorePlan(
        collection=collection,
        collection_id=manifests[-1].collection,
        backups=tuple(manifest.name for manifest in manifests),
        sources=sources,
        targets=targets,
        tables=plans,
        fingerprint=_fingerprint(manifests, plans, sources, targets),
    )


def _plan_table(
    collection: Path, manifests: Sequence[Manifest], table: str, targets: int
) -> TablePlan:
    entries = [manifest.tables[table] for manifest in manifests]
    final = entries[-1].schema_of()
    steps = tuple(
        _plan_step(collection / manifest.name / table, number, manifest.name, entry)
        for number, (manifest, entry) in enumerate(zip(manifests, entries, strict=True))
        if number == 0 or entry.files
    )
    return TablePlan(
        table=table,
        steps=steps,
        final=final,
        column_since=_column_since(entries, final),
        bounds=_bounds(steps, final, targets),
        rows=entries[-1].rows,
        digest=int(entries[-1].digest, 16),
    )


def _plan_step(folder: Path, number: int, backup: str, entry: TableEntry) -> TableStep:
    schema = entry.schema_of()
    pages = [
        (folder / file.path, group, row_group.rows, decode_key(row_group.first_key, schema))
        for file in entry.files
        for group, row_group in enumerate(file.row_groups)
        if row_group.rows
    ]
    next_keys = [*(page[3] for page in pages[1:]), None][: len(pages)]
    return TableStep(
        incremental=number,
        backup=backup,
        schema=schema,
        batch_schema=schema.change_arrow(has_op=entry.has_op, has_set=entry.has_set),
        pages=tuple(Page(*page, next_key) for page, next_key in zip(pages, next_keys, strict=True)),
    )


def _column_since(entries: Sequence[TableEntry], final: TableSchema) -> dict[str, int]:
    """Per final column, the first backup from which it was there without a break."""
    since = dict.fromkeys(final.names, 0)
    for number, entry in enumerate(entries):
        present = {column.name for column in entry.columns}
        for name in since:
            if name not in present:
                since[name] = number + 1
    return since


def _bounds(steps: Sequence[TableStep], schema: TableSchema, targets: int) -> tuple[Key, ...]:
    """At most targets - 1 keys that divide the largest backup of the table evenly.

    Fewer when there are fewer keys: then the last target shards own nothing.
    """
    largest = max(steps, key=lambda step: step.rows)
    bounds: list[Key] = []
    for number in range(1, targets):
        key = _key_at(largest, number * largest.rows // targets, schema)
        if key is not None and (not bounds or key > bounds[-1]):
            bounds.append(key)
    return tuple(bounds)


def _key_at(step: TableStep, row: int, schema: TableSchema) -> Key | None:
    """The key of row number `row` of a step, reading only the key columns of its row group."""
    for page in step.pages:
        if row < page.rows:
            return page.first_key if row == 0 else _read_key(page, row, schema)
        row -= page.rows
    return None


def _read_key(page: Page, row: int, schema: TableSchema) -> Key:
    try:
        with pq.ParquetFile(page.path) as file:
            keys = file.read_row_group(page.row_group, columns=list(schema.key), use_threads=False)
        return key_of_row(keys.slice(row, 1).combine_chunks().to_batches()[0], schema.key, 0)
    except (OSError, pa.ArrowException, IndexError) as error:
        raise BackupChainBroken(
            f"{page.path}: row group {page.row_group} cannot be read ({error}); the file is "
            "damaged: copy it again from its origin"
        ) from error


def _fingerprint(
    manifests: Sequence[Manifest], plans: Sequence[TablePlan], sources: int, targets: int
) -> str:
    facts = {
        "backups": [[manifest.name, manifest.id] for manifest in manifests],
        "tables": {
            plan.table: [encode_key(bound, plan.final) for bound in plan.bounds] for plan in plans
        },
        "sources": sources,
        "targets": targets,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
