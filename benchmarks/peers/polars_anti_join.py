"""Polars: anti-join away every changed key and append the upserts, in memory; written once."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from chain_files import ERASE, Backup, Phases, run_peer, sync


def restore(backups: list[Backup], out: Path, phases: Phases) -> None:
    state = pl.read_parquet(backups[0].files)
    phases.end(backups[0].name)
    for backup in backups[1:]:
        changes = pl.read_parquet(backup.files)
        upserts = changes.filter(pl.col("__op") != ERASE).drop("__op")
        state = pl.concat([state.join(changes, on="key", how="anti"), upserts])
        phases.end(backup.name)
    state.write_parquet(out / "items.parquet", compression="zstd", compression_level=1)
    sync(out / "items.parquet")
    phases.end("write")


def sums(out: Path) -> tuple[int, ...]:
    from parquet_sums import parquet_sums

    return parquet_sums(out)


if __name__ == "__main__":
    run_peer(restore, sums)
