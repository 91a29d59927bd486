"""The same generated chain as a real collection on disk, and what a real restore made of it.

Rules of this file:
- The rows and their state come from the model, the files from the product's own writer: this is
  input for a restore, not a second implementation of the format.
- What a restore left behind is compared by value, as any reader of Parquet would see it.
- pyarrow is imported where it is needed: a simulated run never waits for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from increstore.errors import VerificationFailed
from increstore.simulation.damage import DAMAGES, damage
from increstore.simulation.history import generate
from increstore.simulation.model import ERASE, UPSERT, Change, Key, Model, Row, Rows, TableHistory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from increstore.chain.schema import TableSchema
    from increstore.chain.writer import State, TableChanges
    from increstore.scenario.model import WorkloadSpec

__all__ = ["DAMAGES", "compare", "damage", "read_target", "read_targets", "write_collection"]

COLLECTION_NAME = "workload.backups"
DIFFERENCES_SHOWN_MAX = 10
"""Of one table: more of them tell nothing new."""

_FIRST_BACKUP = datetime(2026, 1, 1, tzinfo=UTC)
_TYPES = {
    "id": "int64",
    "code": "string",
    "region": "string",
    "number": "int64",
    "amount": "int64",
    "note": "string",
    "rate": "double",
    "paid": "bool",
}


def write_collection(spec: WorkloadSpec, folder: Path) -> Path:
    """Write the chain that `workload.build` would simulate; the path of the collection made.

    Backups have the same names and their data files the same bytes each time; manifests do not,
    for their ids are random. `spec.damage` is not done here: `damage` does it.

    Raises: StorageFailed.
    """
    from increstore.chain.writer import BackupWriter, FileLimits

    assert spec.collection is None, "a real collection is used where it is"
    histories = generate(spec)
    model = Model(histories)
    path = folder / COLLECTION_NAME
    limits = FileLimits(group_rows_max=spec.page_rows)
    for incremental in range(spec.incrementals + 1):
        taken_at = _FIRST_BACKUP + timedelta(hours=incremental)
        with BackupWriter(path, "incremental" if incremental else "full", taken_at) as writer:
            for history in histories:
                changes = _table_changes(history, model, incremental)
                if changes is not None:
                    writer.add(history.table, changes, limits)
    return path


def read_targets(target: Path) -> dict[str, dict[Key, Row]]:
    """The rows of every table that a reader of the target sees.

    Raises: VerificationFailed as `read_target`.
    """
    from increstore.store.target import WORK_NAME

    files = sorted(target.rglob("*.parquet"))
    folders = [file.parent.relative_to(target) for file in files]
    tables = {folder.as_posix(): None for folder in folders if folder.parts[:1] != (WORK_NAME,)}
    return {table: read_target(target, table) for table in tables}


def read_target(target: Path, table: str) -> dict[Key, Row]:
    """The rows of one restored table by key: the columns that cannot be NULL are its key.

    Raises: VerificationFailed when the table is not there, or holds a key twice.
    """
    import pyarrow.parquet as pq

    folder = target / table
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise VerificationFailed(f"{folder}: expected the files of table {table!r}, got none")
    rows: Rows = {}
    for file in files:
        with pq.ParquetFile(file) as parquet:
            found = parquet.read(use_threads=False)
        for key, row in _keyed(found):
            if key in rows:
                raise VerificationFailed(f"{file}: expected each key once, got {key} again")
            rows[key] = row
    return rows


def compare(target: Path, model: Model, incremental: int) -> list[str]:
    """Every way in which a target differs from the state after `incremental`; empty when equal.

    Values are compared with their types: 1 is neither 1.0 nor True.
    """
    expected = model.rows_after(incremental)
    try:
        got = read_targets(target)
    except VerificationFailed as error:
        return [str(error)]
    differences = [f"{target}: table {t!r} is not in the chain" for t in got if t not in expected]
    for table, rows in expected.items():
        if table in got:
            differences += _differences(f"{target / table}", rows, got[table])
        else:
            differences.append(f"{target / table}: expected {len(rows)} rows, got no such table")
    return differences


# --- Writing.


def _table_changes(history: TableHistory, model: Model, incremental: int) -> TableChanges | None:
    """None: this backup leaves the table out, so that it is recorded as unchanged."""
    from increstore.chain.writer import TableChanges

    changes = history.changes[incremental]
    if changes is None:
        return None
    schema = _schema(history)
    return TableChanges(
        "changes" if incremental else "full",
        schema,
        [_batch(changes, schema, history)] if changes else [],
        _state(model.rows_after(incremental)[history.table], schema, history),
        has_op=_has_op(changes),
        has_set=_has_set(changes, history),
    )


def _schema(history: TableHistory) -> TableSchema:
    from increstore.chain.schema import Column, TableSchema, type_from_name

    names = (*history.key, *history.columns)
    columns = tuple(Column(name, type_from_name(_TYPES[name])) for name in names)
    return TableSchema(columns, history.key)


def _has_op(changes: Sequence[Change]) -> bool:
    return any(change.op != UPSERT for change in changes)


def _has_set(changes: Sequence[Change], history: TableHistory) -> bool:
    return not all(_is_whole(change, history) for change in changes)


def _is_whole(change: Change, history: TableHistory) -> bool:
    return change.op == ERASE or len(change.values) == len(history.columns)


def _batch(changes: Sequence[Change], schema: TableSchema, history: TableHistory) -> pa.RecordBatch:
    import pyarrow as pa

    wanted = schema.change_arrow(has_op=_has_op(changes), has_set=_has_set(changes, history))
    records: list[dict[str, Any]] = []
    for key, op, values in changes:
        flags = {name: name in values for name in history.columns}
        whole = _is_whole(Change(key, op, values), history)
        record = dict(zip(history.key, key, strict=True)) | dict(values)
        records.append(record | {"__op": op, "__set": None if whole else flags})
    return pa.RecordBatch.from_pylist(records, schema=wanted)


def _state(rows: Mapping[Key, Row], schema: TableSchema, history: TableHistory) -> State:
    """What the manifest promises: counted from the model's rows."""
    import pyarrow as pa

    from increstore.chain.digest import rows_digest
    from increstore.chain.writer import State

    records = [dict(zip(history.key, key, strict=True)) | row for key, row in sorted(rows.items())]
    batch = pa.RecordBatch.from_pylist(records, schema=schema.arrow())
    return State(len(rows), rows_digest(batch, schema))


# --- Reading and comparing.


def _keyed(found: pa.Table) -> Iterator[tuple[Key, Row]]:
    key = [field.name for field in found.schema if not field.nullable]
    columns = [field.name for field in found.schema if field.nullable]
    for record in found.to_pylist():
        yield tuple(record[name] for name in key), {name: record[name] for name in columns}


def _differences(where: str, expected: Mapping[Key, Row], got: Mapping[Key, Row]) -> list[str]:
    """The first differences of one table by key, and how many more there are."""
    texts = [
        f"{where}: key {key}: expected {_told(expected.get(key))}, got {_told(got.get(key))}"
        for key in sorted({**expected, **got})
        if _told(expected.get(key)) != _told(got.get(key))
    ]
    more = len(texts) - DIFFERENCES_SHOWN_MAX
    shown = texts[:DIFFERENCES_SHOWN_MAX]
    return [*shown, f"{where}: and {more} keys more"] if more > 0 else shown


def _told(row: Row | None) -> str:
    """A row with the types of its values: what is told alike is alike."""
    if row is None:
        return "no row"
    return ", ".join(f"{name} {value!r}" for name, value in sorted(row.items()))
