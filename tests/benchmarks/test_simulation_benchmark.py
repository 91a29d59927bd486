"""The benchmark of the simulation runs, and says what it has not measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "simulation.py"


def _run(*arguments):
    command = [sys.executable, BENCHMARK, "--rounds", "1", "--seeds", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_round_measures_runs_with_and_without_their_judge():
    done = _run("--loss", "2", "--json")

    assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    engines = [run["engine"] for run in runs if run["engine"] != "increstore, compiled"]
    assert engines == ["increstore", "increstore, judge off"]
    assert {run["events"] for run in runs} == {runs[0]["events"]}
    assert runs[0]["events"] > 200
    assert all(run["cpu_s"] > 0 for run in runs)
    assert "no peers are measured" in done.stderr


def test_rates_that_are_promised_are_judged_where_nothing_is_lost():
    done = _run("--loss", "0")

    assert "| increstore, judge off " in done.stdout
    measured = [n for n in ("increstore", "increstore, compiled") if f"| {n} 0" in done.stdout]
    assert measured[0] == "increstore"
    for program in measured:
        promise = f"  {program}: seeds/s of 3 sources x 2 targets x 3 incrementals: "
        assert done.stdout.count(promise) == 1
    assert done.returncode == int("FAIL" in done.stdout)


def test_an_interpreter_that_is_not_there_is_refused(tmp_path):
    done = _run("--peers-python", tmp_path / "python")

    assert done.returncode == 2
    assert "there is no" in done.stderr
