"""Whole restores by the production nodes in virtual time: nurseries, cancellation, backpressure.

The nodes, performers, transport and segment stores are those of `increstore restore`; a crash
fences the node first and then cancels it. Every run must end with the rows of the model, leave no
task behind (its nursery would not close) and be the same again from the same seed.
"""

from __future__ import annotations

import pytest

from increstore.proving.real import expected_rows, run_real
from increstore.proving.verdict import find_failure
from increstore.scenario.load import parse_scenario
from tests.virtual.tier import run_with, virtual_time

HEADER = 'format = 1\ntitle = "t"\nwhy = "w"\non = ["memory"]\n'
CALM = "[cluster]\nsources = 3\ntargets = 2\n[workload]\nrows = 30\nincrementals = 2\n"
STORM = (
    CALM
    + """
[policy]
retries_max = 12
resume_after = "1s"
[network]
loss = "3%"
duplicate = "3%"
latency = "1ms..80ms"
[pages]
fail = "4%"
[[fault]]
kind = "crash"
node = "one of targets"
at = "50ms..800ms"
restart_after = "300ms"
[[fault]]
kind = "crash"
node = "one of sources"
at = "50ms..800ms"
restart_after = "300ms"
[[fault]]
kind = "crash"
node = "coordinator"
at = "50ms..1500ms"
restart_after = "500ms"
[[fault]]
kind = "partition"
groups = [["coordinator"], ["shards"]]
at = "100ms..1s"
duration = "2s"
[[fault]]
kind = "pause"
node = "one of shards"
at = "50ms..1s"
duration = "700ms"
[heal]
at = "15s"
[expect]
within = "120s"
"""
)
NARROW = (
    CALM
    + """
[policy]
window_batches = 1
pages_ahead = 1
[[fault]]
kind = "slow_link"
from = "targets"
to = "sources"
by = "900ms"
duration = "10s"
[[fault]]
kind = "disk"
node = "t0"
action = "slow"
by = "400ms"
duration = "8s"
"""
)


def restore(text, seed, folder):
    """(outcome, events without their times, virtual seconds) of one run."""
    events = []
    scenario = parse_scenario(HEADER + text, "virtual")
    folder.mkdir()
    with virtual_time(seed) as clock:
        outcome = run_real(
            scenario, seed, "memory", folder, journal_to=events.append, limit_s=600.0,
            run=run_with(clock),
        )  # fmt: skip
    failure = find_failure(scenario, outcome, expected_rows(scenario))
    return outcome, failure, [_timeless(event) for event in events], clock.now


def _timeless(event):
    facts = {name: value for name, value in event.facts.items() if name not in ("restore", "plan")}
    return (event.node, event.name, sorted(facts.items(), key=str))


@pytest.mark.parametrize("seed", range(4))
def test_a_calm_restore_ends_with_every_row_in_moments(tmp_path, seed):
    _, failure, events, took_s = restore(CALM, seed, tmp_path / "one")

    assert failure is None
    assert took_s < 10
    assert "restore.completed" in {name for _, name, _ in events}


@pytest.mark.parametrize("seed", range(24))
def test_storms_of_crashes_cuts_and_losses_end_with_every_row(tmp_path, seed):
    outcome, failure, _, _ = restore(STORM, seed, tmp_path / "one")

    assert failure is None, f"{failure}; {outcome.explanation}"


@pytest.mark.parametrize("seed", range(4))
def test_narrow_windows_and_slow_disks_only_slow_it_down(tmp_path, seed):
    _, failure, _, took_s = restore(NARROW, seed, tmp_path / "one")

    assert failure is None
    assert took_s > 1


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_is_the_same_run_to_its_last_event(tmp_path, seed):
    first = restore(STORM, seed, tmp_path / "one")
    again = restore(STORM, seed, tmp_path / "two")

    assert first[2] == again[2]
    assert first[3] == again[3]


def test_another_seed_is_another_run(tmp_path):
    assert restore(CALM, 1, tmp_path / "one")[2] != restore(CALM, 2, tmp_path / "two")[2]
