"""Whether the tables of a completed restore are still there, as they were published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from increstore.errors import StorageCorrupted
from increstore.store.target import TargetPaths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROBLEMS_TOLD_MAX = 3


def require_published(target: Path, rows: Mapping[str, int]) -> None:
    """Look at every table in `rows`, which has their numbers: at its files, not at its values.

    Raises: StorageCorrupted naming tables that are gone, damaged or of another length.
    """
    paths = TargetPaths(target)
    found = [_problem(paths.table(table), number) for table, number in rows.items()]
    problems = [problem for problem in found if problem is not None]
    if problems:
        told = "; ".join(problems[:PROBLEMS_TOLD_MAX])
        more = len(problems) - PROBLEMS_TOLD_MAX
        others = f"; and {more} more of the tables" if more > 0 else ""
        raise StorageCorrupted(
            f"{target}: was restored, but is no longer as it was: {told}{others}; remove {target} "
            "and run the same command again, or choose another target; nothing was changed"
        )


def _problem(folder: Path, expected: int) -> str | None:
    rows = 0
    files = sorted(folder.glob("*.parquet"))
    for file in files:
        try:
            rows += pq.read_metadata(file).num_rows
        except (pa.ArrowException, OSError):
            return f"{file} cannot be read"
    if not files:
        return f"{folder} holds no Parquet file"
    return None if rows == expected else f"{folder} holds {rows:,} rows (expected {expected:,})"
