"""The judging sums of a folder of Parquet files, computed by DuckDB: `parquet_sums.py FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
from chain_files import SUM_NAMES, SUMS_SQL


def parquet_sums(folder: Path) -> tuple[int, ...]:
    row = duckdb.execute(SUMS_SQL.format(source=f"read_parquet('{folder}/*.parquet')")).fetchone()
    return tuple(int(value) for value in row)


if __name__ == "__main__":
    found = parquet_sums(Path(sys.argv[1]))
    print(json.dumps(dict(zip(SUM_NAMES, found, strict=True))))
