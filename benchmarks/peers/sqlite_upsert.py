"""SQLite: executemany upserts, WAL, synchronous FULL, a durable transaction a backup."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from chain_files import CREATE, ERASE, SUMS_SQL, Backup, Phases, run_peer

HALF = 1 << 32
NAME = "items.sqlite"
BATCH_ROWS = 8192
INSERT = "INSERT INTO items VALUES (?, ?, ?, ?, ?)"
UPSERT = INSERT + (
    " ON CONFLICT (key) DO UPDATE SET a = excluded.a, b = excluded.b,"
    " amount = excluded.amount, text = excluded.text"
)


def restore(backups: list[Backup], out: Path, phases: Phases) -> None:
    connection = sqlite3.connect(out / NAME, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # INTEGER PRIMARY KEY, spelled so, makes the key the row id: the fastest table SQLite has.
    columns = CREATE.format(key="PRIMARY KEY").replace("BIGINT PRIMARY", "INTEGER PRIMARY")
    connection.execute("CREATE TABLE items " + columns)
    connection.execute("CREATE TABLE watermark (backup TEXT)")
    connection.execute("INSERT INTO watermark VALUES ('')")
    for backup in backups:
        connection.execute("BEGIN")
        for path in backup.files:
            for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
                _apply(connection, batch, backup.is_full)
        connection.execute("UPDATE watermark SET backup = ?", [backup.name])
        connection.execute("COMMIT")
        phases.end(backup.name)
    connection.close()
    phases.end("close")


def _apply(connection: sqlite3.Connection, batch: pa.RecordBatch, is_full: bool) -> None:
    if is_full:
        connection.executemany(INSERT, _rows(batch))
        return
    erased = pc.equal(batch.column("__op"), ERASE)
    keys = batch.filter(erased).column("key").to_pylist()
    connection.executemany("DELETE FROM items WHERE key = ?", [(key,) for key in keys])
    upserts = batch.filter(pc.invert(erased)).drop_columns(["__op"])
    connection.executemany(UPSERT, _rows(upserts))


def _rows(batch: pa.RecordBatch) -> zip:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def sums(out: Path) -> tuple[int, ...]:
    """The sum of eight million keys is more than 64 bits hold: SQLite gives it in two parts."""
    parted = SUMS_SQL.replace("sum(key)", f"sum(key / {HALF}), sum(key % {HALF})")
    found = sqlite3.connect(out / NAME).execute(parted.format(source="items")).fetchone()
    rows, high, low, *others = found
    return rows, high * HALF + low, *others


if __name__ == "__main__":
    run_peer(restore, sums)
