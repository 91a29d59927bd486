"""Making backups from snapshots of tables: a full one, or the difference to a chain's state.

A table of the collection that an incremental is not given, or whose snapshot is equal to the
chain's state, is recorded as unchanged. A schema step is recorded by the new schema, as "changes"
that may have no rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from increstore.chain.names import check_table_names
from increstore.chain.schema import OP_COLUMN, SET_COLUMN, schema_step
from increstore.chain.snapshot import read_snapshot
from increstore.chain.spool import Backlog, Spool, SpoolLimits
from increstore.chain.state import differences, state_rows
from increstore.chain.table_rules import TableRules
from increstore.chain.validate import require_valid
from increstore.chain.writer import BackupWriter, FileLimits, StateCounter, TableChanges
from increstore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from increstore.chain.collection import BackupChain
    from increstore.chain.manifest import Manifest
    from increstore.chain.schema import TableSchema


@dataclass(frozen=True, slots=True)
class TableSource:
    """One table to back up: its snapshot, its key (None: as remembered), types by column."""

    table: str
    path: Path
    key: tuple[str, ...] | None = None
    types: Mapping[str, pa.DataType] = field(default_factory=dict)


def backup_full(
    collection: Path | str,
    sources: Sequence[TableSource],
    *,
    taken_at: datetime | None = None,
    limits: FileLimits | None = None,
    memory: SpoolLimits | None = None,
) -> Manifest:
    """Begin a new chain in the collection, which is created when missing.

    `taken_at` (None: now) is what the backup's name tells; `limits` is where files end, and
    `memory` how much of a table is held at once.

    Raises: UsageError, SnapshotRefused, StorageFailed; then no backup was added.
    """
    _check_sources(sources)
    for source in sources:
        if not source.key:
            raise UsageError(
                f"table {source.table!r} has no key; give one: --key {source.table}=COLUMN"
            )
    with BackupWriter(collection, "full", taken_at) as writer:
        for source in sources:
            rules = TableRules(source.key or (), None, source.types)
            with writer.spool(memory) as spool:
                snapshot = read_snapshot(source.path, rules, spool)
                changes = TableChanges("full", snapshot.schema, snapshot.batches())
                writer.add(source.table, changes, limits)
    assert writer.manifest is not None
    return writer.manifest


def backup_incremental(
    collection: Path | str,
    sources: Sequence[TableSource],
    *,
    taken_at: datetime | None = None,
    limits: FileLimits | None = None,
    memory: SpoolLimits | None = None,
) -> Manifest:
    """Add what changed since the last backup of the collection's last chain.

    Raises: UsageError, SnapshotRefused, BackupChainBroken, StorageFailed; then no backup was added.
    """
    _check_sources(sources)
    with BackupWriter(collection, "incremental", taken_at) as writer:
        chain = writer.chain
        assert chain is not None
        # Checksums would read the whole chain twice: the state's digest tells the same.
        require_valid(chain, checksums=False)
        for source in sources:
            with writer.spool(memory) as spool:
                changes = _changes_of(chain, source, spool)
                if changes is not None:
                    writer.add(source.table, changes, limits)
    assert writer.manifest is not None
    return writer.manifest


def _check_sources(sources: Sequence[TableSource]) -> None:
    names = [source.table for source in sources]
    if not names:
        raise UsageError("no table given; name at least one: TABLE=FILE")
    check_table_names(names)
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"table {name!r} is given twice")


def _changes_of(chain: BackupChain, source: TableSource, spool: Spool) -> TableChanges | None:
    """What the snapshot changes in the chain's state; None when nothing."""
    rules = _remembered_rules(chain, source)
    assert rules.remembered is not None
    snapshot = read_snapshot(source.path, rules, spool)
    schema = snapshot.schema
    step = schema_step(rules.remembered, schema, f"{source.path}: table {source.table!r}")
    counter = StateCounter(schema)
    changes = _Changes(spool, schema)
    old = state_rows(chain, source.table, spool)
    for batch in differences(old, counter.watch(snapshot.batches()), schema):
        changes.add(batch)
    if changes.is_empty and not step:
        return None
    return TableChanges(
        change="changes",
        schema=schema,
        batches=changes.batches(),
        state=counter.state,
        has_op=changes.has_op,
        has_set=changes.has_set,
    )


class _Changes:
    """The changes of one table, which wait until it is known which columns their files have."""

    def __init__(self, spool: Spool, schema: TableSchema) -> None:
        self._backlog = Backlog(spool, schema.key)
        self.is_empty = True
        self.has_op = False
        self.has_set = False

    def add(self, batch: pa.RecordBatch) -> None:
        self.is_empty = False
        self.has_op |= OP_COLUMN in batch.schema.names
        self.has_set |= SET_COLUMN in batch.schema.names
        self._backlog.add(batch)

    def batches(self) -> Iterator[pa.RecordBatch]:
        return self._backlog.batches()


def _remembered_rules(chain: BackupChain, source: TableSource) -> TableRules:
    known = chain.manifests[-1].tables
    if source.table not in known:
        raise UsageError(
            f"table {source.table!r} is not in the chain of {chain.backups[0].name} (it has: "
            f"{', '.join(sorted(known))}); a new table needs a new full backup"
        )
    remembered = known[source.table].schema_of()
    if source.key is not None and source.key != remembered.key:
        raise UsageError(
            f"table {source.table!r} has the key ({', '.join(remembered.key)}), which an "
            f"incremental cannot change to ({', '.join(source.key)}); leave --key out, or take a "
            "new full backup"
        )
    return TableRules(remembered.key, remembered, source.types)
