"""Adding a backup to a collection: locked, table by table, published whole or not at all.

`BackupWriter` is the low level, for whoever has rows or changes sorted by key; `backup` makes them
from snapshots of tables.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from increstore.chain.collection import BackupChain, Collection
from increstore.chain.digest import DIGEST_MASK, rows_digest
from increstore.chain.manifest import FORMAT, MANIFEST_NAME, ColumnEntry, Manifest, TableEntry
from increstore.chain.names import Kind, check_table_names, next_backup_name
from increstore.chain.spool import Spool, SpoolLimits
from increstore.chain.staging import locked, partial_folder, publish, write_durably
from increstore.chain.table_writer import FileLimits, TableWriter
from increstore.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    import pyarrow as pa

    from increstore.chain.schema import TableSchema

__all__ = [
    "BackupWriter",
    "FileLimits",
    "State",
    "StateCounter",
    "TableChanges",
    "TableWriter",
    "write_backup",
]


@dataclass(frozen=True, slots=True)
class State:
    """What a table is after a backup: its number of rows, and `rows_digest` of them."""

    rows: int
    digest: int


@dataclass(frozen=True, slots=True)
class TableChanges:
    """What one backup holds of one table.

    `batches` are sorted by key over all of them, each key once: plain rows for "full", changes for
    "changes". `state` is the table after this backup; of a full backup it is counted when None.
    """

    change: Literal["full", "changes"]
    schema: TableSchema
    batches: Iterable[pa.RecordBatch]
    state: State | None = None
    has_op: bool = False
    has_set: bool = False


class BackupWriter:
    """One new backup of a collection, which nobody sees before the block ends without an error.

    Its name tells `taken_at` (None: now), but always follows every name there is.
    `chain` is the chain an incremental continues (None for a full backup). After the block
    `manifest` is the published one.

    Raises: StorageFailed when another backup is being made, or writing fails; BackupChainBroken
    when an incremental has no chain it could continue.
    """

    def __init__(
        self, collection: Path | str, kind: Kind, taken_at: datetime | None = None
    ) -> None:
        self._path = Path(collection)
        self._kind = kind
        self._taken_at = taken_at
        self._tables: dict[str, TableEntry] = {}
        self._exits = ExitStack()
        self.chain: BackupChain | None = None
        self.manifest: Manifest | None = None

    def __enter__(self) -> BackupWriter:
        with ExitStack() as exits:
            if self._kind == "incremental":
                Collection.open(self._path)  # Complains before a lock file is made in vain.
            exits.enter_context(locked(self._path))
            self._collection = Collection.open(self._path)
            if self._kind == "incremental":
                self.chain = self._collection.chain()
                _ = self.chain.manifests  # Raises when one cannot be read.
            self._folder = exits.enter_context(partial_folder(self._path))
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._exits:
            if kind is None:
                self._publish()

    @contextmanager
    def spool(self, limits: SpoolLimits | None = None) -> Iterator[Spool]:
        """Room on the collection's disk for what does not fit into memory; gone after the block.

        Raises: StorageFailed.
        """
        with partial_folder(self._path, "spool") as folder:
            yield Spool(folder, limits)

    def add(self, table: str, changes: TableChanges, limits: FileLimits | None = None) -> None:
        """Write one table of the backup; consumes `changes.batches`.

        Raises: UsageError for a name that cannot be a folder; LocalProtocolError for batches that
        are not as `TableChanges` says; StorageFailed.
        """
        check_table_names([*self._tables, table])
        if table in self._tables or (changes.change == "full") != (self._kind == "full"):
            raise LocalProtocolError(f"table {table!r}: {changes.change} in a {self._kind} backup")
        if changes.state is None and self._kind != "full":
            raise LocalProtocolError("the state after an incremental cannot be counted: give it")
        counter = StateCounter(changes.schema)
        with TableWriter(
            self._folder / table,
            changes.schema,
            has_op=changes.has_op,
            has_set=changes.has_set,
            limits=limits,
        ) as writer:
            given = changes.state is not None
            for batch in changes.batches if given else counter.watch(changes.batches):
                writer.write(batch)
        self._tables[table] = _table_entry(changes, writer, changes.state or counter.state)

    def _publish(self) -> None:
        """Write the manifest, then give the backup its name."""
        now = datetime.now(UTC).replace(tzinfo=None)
        taken_at = now if self._taken_at is None else _in_utc(self._taken_at)
        names = [backup.name for backup in self._collection.backups]
        name = next_backup_name(taken_at, [*names, *self._collection.incomplete], self._kind)
        self.manifest = Manifest(
            format=FORMAT,
            collection=self._collection_id(),
            name=name,
            id=secrets.token_hex(16),
            parent=None if self.chain is None else self.chain.manifests[-1].id,
            kind=self._kind,
            created_at=f"{now.isoformat(timespec='microseconds')}Z",
            tables=self._all_tables(),
        )
        text = self.manifest.json_text()
        write_durably(self._folder / MANIFEST_NAME, text.encode())
        publish(self._folder, name)

    def _collection_id(self) -> str:
        known = [backup.manifest for backup in self._collection.backups if backup.manifest]
        return known[-1].collection if known else secrets.token_hex(16)

    def _all_tables(self) -> dict[str, TableEntry]:
        """Tables an incremental was not given are unchanged."""
        before = {} if self.chain is None else self.chain.manifests[-1].tables
        unchanged = {
            name: unchanged_entry(entry)
            for name, entry in before.items()
            if name not in self._tables
        }
        return dict(sorted({**unchanged, **self._tables}.items()))


def write_backup(
    collection: Path | str,
    kind: Kind,
    tables: Mapping[str, TableChanges],
    *,
    limits: FileLimits | None = None,
) -> Manifest:
    """Add one backup to the collection at `collection`, which a full backup creates when missing.

    Tables of the chain that an incremental does not name are recorded as unchanged. Nothing checks
    that a given `State` is right: `validate` and a restore do.

    Raises: see `BackupWriter`.
    """
    with BackupWriter(collection, kind) as writer:
        for table, changes in tables.items():
            writer.add(table, changes, limits)
    assert writer.manifest is not None
    return writer.manifest


def _in_utc(moment: datetime) -> datetime:
    """The moment without its zone, in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None)


class StateCounter:
    """Counts the state of a table while its rows go by."""

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._rows = 0
        self._digest = 0

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._rows += batch.num_rows
            self._digest += rows_digest(batch, self._schema)
            yield batch

    @property
    def state(self) -> State:
        return State(self._rows, self._digest & DIGEST_MASK)


def _table_entry(changes: TableChanges, writer: TableWriter, state: State) -> TableEntry:
    full = changes.change == "full"
    return TableEntry(
        change=changes.change,
        columns=[ColumnEntry(name=c.name, type=str(c.type)) for c in changes.schema.columns],
        key=list(changes.schema.key),
        schema_hash=changes.schema.hash(),
        has_op=changes.has_op,
        has_set=changes.has_set,
        upserts=0 if full else writer.upserts,
        resets=writer.resets,
        erases=writer.erases,
        files=writer.files,
        rows=state.rows,
        digest=f"{state.digest:016x}",
    )


def unchanged_entry(before: TableEntry) -> TableEntry:
    """The entry of a table that is as the backup before left it."""
    return TableEntry(
        change="unchanged",
        columns=before.columns,
        key=before.key,
        schema_hash=before.schema_hash,
        files=[],
        rows=before.rows,
        digest=before.digest,
    )
