"""What every peer shares: the files of the chain in order, its command line, and the judging sums.

A peer is a whole process: `python PEER.py CHAIN OUT` restores and prints one line of JSON, the
seconds of each phase; `python PEER.py CHAIN OUT --check` prints the sums of what it left in OUT.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COLUMNS = "key, a, b, amount, text"
CREATE = "(key BIGINT {key}, a BIGINT, b BIGINT, amount DOUBLE, text VARCHAR)"
ERASE = 2

SUM_NAMES = ("rows", "key", "a", "b", "cents", "letters")
SUMS_SQL = """
    SELECT count(*), sum(key), sum(a), sum(b),
           sum(CAST(round(amount * 100) AS BIGINT)), sum(unicode(substr(text, 13, 1)))
    FROM {source}
"""


@dataclass(frozen=True, slots=True)
class Backup:
    name: str
    files: list[Path]

    @property
    def is_full(self) -> bool:
        return self.name.endswith("_full")

    def sql(self) -> str:
        """The list of files as DuckDB's read_parquet takes it."""
        return "read_parquet([" + ", ".join(f"'{path}'" for path in self.files) + "])"


def backups(chain: Path) -> list[Backup]:
    """The chain's backups, oldest first, each with the files of its only table."""
    folders = sorted(path for path in chain.iterdir() if (path / "items").is_dir())
    return [Backup(path.name, sorted((path / "items").glob("*.parquet"))) for path in folders]


def sync(path: Path) -> None:
    """Force a finished file, and then its name, to the disk."""
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


class Phases:
    """Seconds since the process had done its imports, phase by phase."""

    def __init__(self) -> None:
        self._last = self._start = time.perf_counter()
        self._phases: list[tuple[str, float]] = []

    def end(self, name: str) -> None:
        now = time.perf_counter()
        self._phases.append((name, round(now - self._last, 4)))
        self._last = now

    def show(self, **more: object) -> None:
        total = round(self._last - self._start, 4)
        print(json.dumps({"s": total, "phases": self._phases, **more}))


def run_peer(
    restore: Callable[[list[Backup], Path, Phases], None],
    sums: Callable[[Path], tuple[int, ...] | None],
) -> None:
    """The command line of a peer. `sums` gives None when the peer keeps no state to judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("chain", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check:
        found = sums(options.out)
        print(json.dumps(found and dict(zip(SUM_NAMES, found, strict=True))))
        return
    options.out.mkdir(parents=True)
    phases = Phases()
    restore(backups(options.chain), options.out, phases)
    phases.show()
