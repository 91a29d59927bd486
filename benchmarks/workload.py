"""How large the benchmark's chain is, and where it is kept. Imports nothing heavy.

A child's peak memory counts what its parent had resident when it was started, so the process that
measures must stay small: rows are made by `write_chain.py`, a process of its own.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from processes import run

TABLE = "items"
COLLECTION = "collection"
EXPECTED = "expected.json"
_WRITER = Path(__file__).resolve().with_name("write_chain.py")


@dataclass(frozen=True, slots=True)
class Workload:
    """How large a chain is, and how often it writes the same keys.

    Each incremental upserts 5 % of `rows`: the share `overwrite` of them on one hot set of keys;
    of the others a fifth are new keys and the rest live ones. It erases as many live keys as it
    adds, so the table keeps its size.
    """

    rows: int = 2_000_000
    incrementals: int = 10
    overwrite: float = 0.0
    seed: int = 20261123

    @property
    def upserts(self) -> int:
        return self.rows // 20

    @property
    def hot(self) -> int:
        return round(self.upserts * self.overwrite)

    @property
    def inserts(self) -> int:
        return (self.upserts - self.hot) // 5

    @property
    def changes(self) -> int:
        """Rows in the whole chain, the full backup's included."""
        return self.rows + self.incrementals * (self.upserts + self.inserts)

    @property
    def name(self) -> str:
        return f"rows{self.rows}-n{self.incrementals}-hot{round(self.overwrite * 100)}"


def make_chain(workload: Workload, work: Path) -> tuple[Path, dict[str, int]]:
    """The collection's path and the sums its last state must have; made once for each workload."""
    made = work / workload.name
    if not (made / EXPECTED).exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        numbers = workload.rows, workload.incrementals, workload.overwrite
        run([sys.executable, _WRITER, *map(str, numbers), made])
    return made / COLLECTION, json.loads((made / EXPECTED).read_text(encoding="utf-8"))
