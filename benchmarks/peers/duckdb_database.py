"""What both DuckDB peers share: a database file, one transaction a backup, the watermark in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
from chain_files import COLUMNS, CREATE, SUMS_SQL, Backup, Phases

NAME = "items.duckdb"
Apply = Callable[[duckdb.DuckDBPyConnection, Backup], None]


def restore_with(apply: Apply) -> Callable[[list[Backup], Path, Phases], None]:
    """A restore that loads the full backup and applies every incremental by `apply`."""

    def restore(backups: list[Backup], out: Path, phases: Phases) -> None:
        connection = duckdb.connect(str(out / NAME))
        connection.execute("CREATE TABLE items " + CREATE.format(key=""))
        connection.execute("CREATE TABLE watermark (backup VARCHAR)")
        connection.execute("INSERT INTO watermark VALUES ('')")
        for backup in backups:
            connection.execute("BEGIN")
            if backup.is_full:
                connection.execute(f"INSERT INTO items SELECT {COLUMNS} FROM {backup.sql()}")
            else:
                apply(connection, backup)
            connection.execute("UPDATE watermark SET backup = ?", [backup.name])
            connection.execute("COMMIT")
            phases.end(backup.name)
        connection.close()
        phases.end("close")

    return restore


def sums(out: Path) -> tuple[int, ...]:
    with duckdb.connect(str(out / NAME), read_only=True) as connection:
        row = connection.execute(SUMS_SQL.format(source="items")).fetchone()
    return tuple(int(value) for value in row)
