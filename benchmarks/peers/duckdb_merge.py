"""DuckDB: MERGE INTO, a durable transaction a backup."""

from __future__ import annotations

import duckdb
from chain_files import COLUMNS, ERASE, Backup, run_peer
from duckdb_database import restore_with, sums


def apply(connection: duckdb.DuckDBPyConnection, backup: Backup) -> None:
    connection.execute(f"""
        MERGE INTO items USING {backup.sql()} AS change ON items.key = change.key
        WHEN MATCHED AND change.__op = {ERASE} THEN DELETE
        WHEN MATCHED THEN UPDATE SET
            a = change.a, b = change.b, amount = change.amount, text = change.text
        WHEN NOT MATCHED AND change.__op <> {ERASE} THEN INSERT ({COLUMNS})
            VALUES (change.key, change.a, change.b, change.amount, change.text)
    """)


if __name__ == "__main__":
    run_peer(restore_with(apply), sums)
