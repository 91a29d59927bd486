"""The benchmark judges others, so its own chain and its own judging are tried first."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


def _load(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their own module up by its name.
    spec.loader.exec_module(module)
    return module


sys.path.insert(0, str(BENCHMARKS))  # Its modules import each other by their bare names.
rows_of = _load("rows")


@pytest.mark.parametrize("overwrite", [0.0, 0.9, 1.0])
def test_the_sums_expected_are_those_of_the_changes_applied_one_by_one(overwrite):
    table = rows_of.Table(rows_of.Workload(rows=2_000, incrementals=6, overwrite=overwrite))
    rows = {}
    for batch in rows_of.row_batches(table.keys, table.versions):
        rows.update({row["key"]: row for row in batch.to_pylist()})
    for version in range(1, 7):
        for batch in rows_of.change_batches(table.advance(version)):
            for row in batch.to_pylist():
                rows.pop(row["key"], None)
                if row.pop("__op") == 0:
                    rows[row["key"]] = row

    assert rows_of.expected_sums(table) == {
        "rows": len(rows),
        "key": sum(rows),
        "a": sum(row["a"] for row in rows.values()),
        "b": sum(row["b"] for row in rows.values()),
        "cents": sum(round(row["amount"] * 100) for row in rows.values()),
        "letters": sum(ord(row["text"][12]) for row in rows.values()),
    }
    assert all(len(row["text"]) == rows_of.TEXT_BYTES for row in rows.values())


def test_every_incremental_is_sorted_and_has_one_change_a_key():
    table = rows_of.Table(rows_of.Workload(rows=4_000, incrementals=3, overwrite=0.5))
    for version in range(1, 4):
        keys = table.advance(version).keys
        assert (keys[1:] > keys[:-1]).all()
    assert len(table.keys) == 4_000


def _run(work, *arguments):
    command = [sys.executable, BENCHMARKS / "restore.py", "--work", work, "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


SMALL = ("--rows", "2000", "--incrementals", "2", "--rounds", "1", "--only", "sqlite-upsert")


def test_a_peer_restores_the_chain_and_is_judged_right(tmp_path):
    done = _run(tmp_path, *SMALL)

    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["engine"] == "sqlite-upsert"
    assert run["cpu_s"] > 0
    assert run["peak_bytes"] > 1_000_000


def test_the_process_that_measures_stays_small():
    """A child's peak counts what its parent had resident when it was started."""
    program = (
        "import sys, restore; print(sorted({'numpy', 'pyarrow', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=BENCHMARKS, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_wrong_result_stops_the_benchmark(tmp_path):
    assert _run(tmp_path, *SMALL).returncode == 0
    expected = next(tmp_path.glob("*/expected.json"))
    sums = json.loads(expected.read_text())
    expected.write_text(json.dumps({**sums, "b": sums["b"] + 1}))

    done = _run(tmp_path, *SMALL)

    assert done.returncode == 1
    assert "sqlite-upsert: expected" in done.stderr
