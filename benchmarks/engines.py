"""What is measured: increstore over both transports, the peers, and the limit of plain threads."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from processes import Cost, run
from workload import TABLE

PEERS = Path(__file__).resolve().parent / "peers"
PROGRAM = Path(sys.executable).with_name("increstore")
JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to restore the chain. `durable`: committed to the disk after every backup."""

    name: str
    script: str | None = None
    on: str = "memory"
    durable: bool = True

    def command(self, chain: Path, out: Path, more: list[str]) -> list[str | Path]:
        if self.script:
            return [sys.executable, PEERS / self.script, chain, out]
        journal = out.with_name(JOURNAL)
        given = ["--on", self.on, "--plain", "--journal", journal, *more]
        return [PROGRAM, "restore", chain, "--into", out, *given]


OURS = Engine("increstore")
OURS_TCP = Engine("increstore-tcp", on="tcp")
PIPELINE = Engine("pipeline", "pipeline.py")
DUCKDB = Engine("duckdb-delete-insert", "duckdb_delete_insert.py")
SQLITE = Engine("sqlite-upsert", "sqlite_upsert.py")
ENGINES = [
    OURS,
    OURS_TCP,
    PIPELINE,
    DUCKDB,
    Engine("duckdb-merge", "duckdb_merge.py"),
    SQLITE,
    Engine("polars-anti-join", "polars_anti_join.py", durable=False),
]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one engine. `durable_s`: from its start until the last backup was durable."""

    engine: Engine
    cost: Cost
    durable_s: float | None
    disk_bytes: int


class WrongResult(Exception):
    """An engine's final rows are not what the chain says."""


def measure(engine: Engine, chain: Path, out: Path, more: list[str]) -> Measured:
    """Run `engine` once into the new folder `out`."""
    discard(out)
    cost = run(engine.command(chain, out, more), has_children=engine is OURS_TCP)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return Measured(engine, cost, _durable_s(engine, cost, out), size)


def check(engine: Engine, chain: Path, out: Path, expected: dict[str, int]) -> None:
    """Judge what the last run of `engine` left in `out`. Raises: WrongResult."""
    if engine is PIPELINE:
        return  # It folds nothing: there is no state to judge.
    command = [*engine.command(chain, out, []), "--check"]
    if engine.script is None:
        command = [sys.executable, PEERS / "parquet_sums.py", out / TABLE]
    found = json.loads(run(command).stdout)
    if found != expected:
        raise WrongResult(f"{engine.name}: expected {expected}, got {found}")


def discard(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.with_name(JOURNAL).unlink(missing_ok=True)


def _durable_s(engine: Engine, cost: Cost, out: Path) -> float | None:
    if engine.script:
        return cost.wall_s if engine.durable else None
    lines = out.with_name(JOURNAL).read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    ends = [event["t"] for event in events if event["event"] == "incremental.completed"]
    return max(ends) - cost.started_at
