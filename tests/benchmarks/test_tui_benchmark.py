"""The dashboard's load is one that the dashboard understands, and the benchmark runs."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

from increstore.view.cluster import ClusterView
from increstore.view.folding import FOLDS

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # Its modules import each other by their bare names.
import cluster_events  # noqa: E402


def test_the_load_is_a_restore_that_goes_on():
    view = ClusterView()
    for event in islice(cluster_events.events(20), 10_000):
        view.apply(event)
        assert event.name in FOLDS or event.name == "message.received"

    assert len(view.sources) == 16
    assert len(view.targets) == 4
    assert view.incremental >= 2
    assert [one.state for one in view.incrementals[:2]] == ["done", "done"]
    assert view.incrementals[0].rows == 16 * cluster_events.BATCH_ROWS * cluster_events.BATCHES


def test_a_rate_is_measured_in_a_terminal_and_judged():
    command = [sys.executable, "tui.py", "--only", "thousand", "--seconds", "0.5"]

    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True)

    assert done.returncode in (0, 1), done.stderr
    assert "1,000 events/s, 1,000 shards: " in done.stdout
    verdicts = [line[:4] for line in done.stdout.splitlines()[-2:]]
    assert set(verdicts) <= {"PASS", "FAIL"}
