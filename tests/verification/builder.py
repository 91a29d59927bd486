"""Small real collections and targets, written by hand: pyarrow, manifests and a dict as the truth.

Nothing here is shared with the restore or with the verification. Times are given as integers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from increstore.chain.changes import Op
from increstore.chain.manifest import (
    ColumnEntry,
    FileEntry,
    Manifest,
    RowGroupEntry,
    TableEntry,
)
from increstore.chain.schema import OP_COLUMN, SET_COLUMN, Column, TableSchema

Row = dict[str, Any]
State = dict[tuple, Row]


def a_schema(key: Sequence[str] = ("id",), **types: pa.DataType) -> TableSchema:
    columns = tuple(Column(name, kind) for name, kind in types.items())
    return TableSchema(columns, tuple(key))


@dataclass(frozen=True)
class Change:
    """`row` holds the key and the columns that the change touches."""

    op: Op
    row: Row


def upsert(**row: Any) -> Change:
    return Change(Op.UPSERT, row)


def reset(**row: Any) -> Change:
    return Change(Op.RESET, row)


def erase(**key: Any) -> Change:
    return Change(Op.ERASE, key)


def key_of(schema: TableSchema, row: Row) -> tuple:
    return tuple(row[name] for name in schema.key)


def applied(state: State, schema: TableSchema, changes: Sequence[Change]) -> State:
    """The state after one backup of `schema`, by the book: one change after the other."""
    after = {key: {name: row.get(name) for name in schema.names} for key, row in state.items()}
    for change in changes:
        key = key_of(schema, change.row)
        if change.op is Op.ERASE:
            after.pop(key, None)
            continue
        kept = after.get(key, {}) if change.op is Op.UPSERT else {}
        after[key] = dict.fromkeys(schema.names) | kept | change.row
    return after


@dataclass
class TableStep:
    """One table in one backup; `changes` None means unchanged."""

    schema: TableSchema
    changes: Sequence[Change] | None = None
    row_group_rows: int = 3
    files: int = 1


@dataclass
class ChainBuilder:
    """Writes a collection backup by backup, and keeps the truth about every table."""

    folder: Path
    collection: str = "c1"
    names: list[str] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    schemas: dict[str, TableSchema] = field(default_factory=dict)

    def backup(self, tables: Mapping[str, TableStep]) -> str:
        """Add a backup, the first one full; its name."""
        kind = "incremental" if self.names else "full"
        number = len(self.names)
        name = f"20240101T0000{number:02d}.000000Z_{kind}"
        folder = self.folder / name
        entries = {
            table: self._table(folder / table, table, step, kind) for table, step in tables.items()
        }
        manifest = Manifest(
            format=1, collection=self.collection, name=name, id=f"b{number}",
            parent=f"b{number - 1}" if number else None, kind=kind,
            created_at="2024-01-01T00:00:00Z", tables=entries,
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text(manifest.json_text())
        self.names.append(name)
        return name

    def _table(self, folder: Path, table: str, step: TableStep, kind: str) -> TableEntry:
        changes = step.changes or ()
        state = applied(self.states.get(table, {}), step.schema, changes)
        self.states[table], self.schemas[table] = state, step.schema
        partial = [
            set(step.schema.value_names) - set(change.row)
            for change in changes
            if change.op is not Op.ERASE
        ]
        has_op = kind != "full" and any(change.op is not Op.UPSERT for change in changes)
        has_set = kind != "full" and any(partial)
        rows = change_table(step.schema, changes, has_op=has_op, has_set=has_set)
        written = step.changes is not None
        files = write_parts(folder, rows, step.files, step.row_group_rows) if written else []
        change = {"full": "full"}.get(kind, "changes" if written else "unchanged")
        return TableEntry(
            change=change,
            columns=[ColumnEntry(name=c.name, type=str(c.type)) for c in step.schema.columns],
            key=list(step.schema.key), schema_hash=step.schema.hash(),
            has_op=has_op, has_set=has_set, files=files, rows=len(state), digest="0" * 16,
            upserts=sum(change.op is Op.UPSERT for change in changes),
            resets=sum(change.op is Op.RESET for change in changes),
            erases=sum(change.op is Op.ERASE for change in changes),
        )  # fmt: skip

    def restore(self, target: Path, files: int = 2, row_group_rows: int = 4) -> None:
        """Write what a faultless restore would have written."""
        for table, state in self.states.items():
            write_target(target, table, self.schemas[table], list(state.values()), files,
                         row_group_rows)  # fmt: skip


def an_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    whole = [value for value in values if value is not None]
    if pa.types.is_temporal(kind) and all(isinstance(value, int) for value in whole):
        return pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64()).cast(kind)
    return pa.array(values, kind)


def plain_table(schema: TableSchema, rows: Sequence[Row]) -> pa.Table:
    ordered = sorted(rows, key=lambda row: key_of(schema, row))
    arrays = [an_array([row.get(c.name) for row in ordered], c.type) for c in schema.columns]
    return pa.Table.from_arrays(arrays, schema=schema.arrow())


def change_table(
    schema: TableSchema, changes: Sequence[Change], *, has_op: bool, has_set: bool
) -> pa.Table:
    ordered = sorted(changes, key=lambda change: key_of(schema, change.row))
    arrays = [an_array([c.row.get(col.name) for c in ordered], col.type) for col in schema.columns]
    if has_op:
        arrays.append(pa.array([int(change.op) for change in ordered], pa.uint8()))
    full = schema.change_arrow(has_op=has_op, has_set=has_set)
    if has_set:
        arrays.append(pa.array([_flags(schema, c) for c in ordered], full.field(SET_COLUMN).type))
    assert (OP_COLUMN in full.names) == has_op
    return pa.Table.from_arrays(arrays, schema=full)


def _flags(schema: TableSchema, change: Change) -> dict[str, bool] | None:
    """NULL when everything is touched: that is one way to say so; an erase has nothing to say."""
    flags = {name: name in change.row for name in schema.value_names}
    return None if change.op is Op.ERASE or all(flags.values()) else flags


def write_parts(folder: Path, rows: pa.Table, files: int, row_group_rows: int) -> list[FileEntry]:
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-rows.num_rows // files)
    entries = []
    for number in range(files):
        part = rows.slice(number * size, size)
        if part.num_rows:
            path = folder / f"part-{number:05d}.parquet"
            pq.write_table(part, path, row_group_size=row_group_rows)
            entries.append(an_entry(path, part, row_group_rows))
    return entries


def an_entry(path: Path, rows: pa.Table, row_group_rows: int = 3) -> FileEntry:
    """Keys are left out: the verification measures them."""
    groups = [
        RowGroupEntry(rows=min(row_group_rows, rows.num_rows - first), first_key=[])
        for first in range(0, rows.num_rows, row_group_rows)
    ]
    content = path.read_bytes()
    return FileEntry(
        path=path.name, rows=rows.num_rows, bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(), first_key=[], last_key=[], row_groups=groups,
    )  # fmt: skip


def write_target(
    target: Path, table: str, schema: TableSchema, rows: Sequence[Row], files: int = 1,
    row_group_rows: int = 4,
) -> None:  # fmt: skip
    write_rows(target, table, plain_table(schema, rows), files, row_group_rows)


def write_rows(
    target: Path, table: str, rows: pa.Table, files: int = 1, row_group_rows: int = 4
) -> None:
    """Replace the table's files; one that holds no row is written all the same."""
    folder = target / table
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.parquet"):
        old.unlink()
    size = max(1, -(-rows.num_rows // files))
    for number in range(files):
        part = rows.slice(number * size, size)
        pq.write_table(part, folder / f"part-{number:05d}.parquet", row_group_size=row_group_rows)


def read_rows(target: Path, table: str) -> pa.Table:
    paths = sorted((target / table).glob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(path).read() for path in paths])


def claim(target: Path, **identity: Any) -> None:
    """Write what a restore says of itself."""
    folder = target / ".increstore"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "identity.json").write_text(json.dumps({"format": 1, **identity}))
