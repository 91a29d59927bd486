"""Make the benchmark's backup collection, once for each set of parameters.

The same numbers make the same files, so a chain that is there is used again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from workload import (
    BATCH_ROWS,
    CHANGE_SCHEMA,
    SCHEMA,
    TABLE,
    Keys,
    Step,
    Table,
    Workload,
    change_batches,
    expected_sums,
    row_batches,
)

from increstore.chain.digest import rows_digest
from increstore.chain.manifest import (
    FORMAT,
    MANIFEST_NAME,
    ColumnEntry,
    FileEntry,
    Manifest,
    RowGroupEntry,
    TableEntry,
)
from increstore.chain.schema import Column, TableSchema

EXPECTED = "expected.json"
START = datetime(2026, 1, 1, tzinfo=UTC)
STORED = TableSchema(tuple(Column(field.name, field.type) for field in SCHEMA), ("key",))


def make_chain(workload: Workload, work: Path) -> tuple[Path, dict[str, int]]:
    """The collection's path and the sums its last state must have."""
    made = work / workload.name
    if not (made / EXPECTED).exists():
        shutil.rmtree(made, ignore_errors=True)
        table = _write_collection(workload, made / "collection")
        (made / EXPECTED).write_text(json.dumps(expected_sums(table)), encoding="utf-8")
    return made / "collection", json.loads((made / EXPECTED).read_text(encoding="utf-8"))


def _write_collection(workload: Workload, collection: Path) -> Table:
    table = Table(workload)
    digest = _digest(table.keys, table.versions)
    entry = _full(table, digest, collection / _name(0) / TABLE)
    _write_manifest(workload, collection, 0, entry)
    for version in range(1, workload.incrementals + 1):
        step = table.advance(version)
        kept = ~step.erased
        written = _digest(step.keys[kept], step.version)
        digest = (digest - _digest(step.old_keys, step.old_versions) + written) % (1 << 64)
        folder = collection / _name(version) / TABLE
        entry = _incremental(step, len(table.keys), digest, folder)
        _write_manifest(workload, collection, version, entry)
    return table


def _digest(keys: Keys, versions) -> int:
    """The state digest of these rows."""
    versions = np.broadcast_to(np.asarray(versions, dtype=np.int32), keys.shape)
    return sum(rows_digest(batch, STORED) for batch in row_batches(keys, versions)) % (1 << 64)


def _full(table: Table, digest: int, folder: Path) -> TableEntry:
    file = _write_file(folder, SCHEMA, row_batches(table.keys, table.versions))
    return _entry("full", file, len(table.keys), digest)


def _incremental(step: Step, live_rows: int, digest: int, folder: Path) -> TableEntry:
    file = _write_file(folder, CHANGE_SCHEMA, change_batches(step))
    erases = int(step.erased.sum())
    counts = {"upserts": len(step.keys) - erases, "erases": erases, "has_op": True}
    return _entry("changes", file, live_rows, digest, **counts)


def _entry(change: str, file: FileEntry, rows: int, digest: int, **counts: int) -> TableEntry:
    return TableEntry(
        change=change,
        columns=[ColumnEntry(name=c.name, type=str(c.type)) for c in STORED.columns],
        key=["key"],
        schema_hash=STORED.hash(),
        files=[file],
        rows=rows,
        digest=f"{digest:016x}",
        **counts,
    )


def _write_file(folder: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> FileEntry:
    folder.mkdir(parents=True)
    path = folder / "part-00000.parquet"
    firsts, lasts, counts = [], [], []
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=BATCH_ROWS)
            firsts.append(batch.column("key")[0].as_py())
            lasts.append(batch.column("key")[-1].as_py())
            counts.append(batch.num_rows)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    groups = zip(counts, firsts, strict=True)
    return FileEntry(
        path=path.name,
        rows=sum(counts),
        bytes=path.stat().st_size,
        sha256=sha256,
        first_key=firsts[:1],
        last_key=lasts[-1:],
        row_groups=[RowGroupEntry(rows=rows, first_key=[key]) for rows, key in groups],
    )


def _write_manifest(workload: Workload, collection: Path, number: int, entry: TableEntry) -> None:
    manifest = Manifest(
        format=FORMAT,
        collection=_id(workload, "collection"),
        name=_name(number),
        id=_id(workload, number),
        parent=_id(workload, number - 1) if number else None,
        kind="incremental" if number else "full",
        created_at=(START + timedelta(minutes=number)).isoformat(),
        tables={TABLE: entry},
    )
    path = collection / _name(number) / MANIFEST_NAME
    path.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")


def _name(number: int) -> str:
    time = START + timedelta(minutes=number)
    return f"{time:%Y%m%dT%H%M%S.%fZ}_{'incremental' if number else 'full'}"


def _id(workload: Workload, what: object) -> str:
    return hashlib.sha256(f"{workload} {what}".encode()).hexdigest()[:32]
