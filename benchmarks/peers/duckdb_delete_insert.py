"""DuckDB: delete every changed key, insert what the upserts say; a durable transaction a backup."""

from __future__ import annotations

import duckdb
from chain_files import COLUMNS, ERASE, Backup, run_peer
from duckdb_database import restore_with, sums


def apply(connection: duckdb.DuckDBPyConnection, backup: Backup) -> None:
    changes = backup.sql()
    connection.execute(f"DELETE FROM items WHERE key IN (SELECT key FROM {changes})")
    connection.execute(f"INSERT INTO items SELECT {COLUMNS} FROM {changes} WHERE __op <> {ERASE}")


if __name__ == "__main__":
    run_peer(restore_with(apply), sums)
