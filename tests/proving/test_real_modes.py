"""Scenarios on the production nodes: what each fault does to them, and that nothing outlives a run.

Durations are short, because time is real here; bounds are generous, because machines are busy.
"""

from __future__ import annotations

import os
import signal
import threading
import uuid
from pathlib import Path

import pytest

from increstore.proving.real import expected_rows, run_real
from increstore.proving.verdict import FailureKind, find_failure
from increstore.scenario.load import parse_scenario
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting
from tests.e2e.commands import comes_true, processes_with
from tests.proving.builders import a_target_that_tells_what_it_has_not_written

HEAD = """
format = 1
title = "A test"
why = "It tests."
on = {on}
[policy]
repeat = "60ms"
backoff = "60ms"
backoff_max = "100ms"
resume_after = "50ms"
{policy}
[workload]
incrementals = 2
rows = 24
{workload}
[heal]
at = "20s"
[expect]
outcome = "{outcome}"
reached = {reached}
"""
REAL_ONLY = ("memory", "tcp")
MODES = ("simulation", *REAL_ONLY)
BOTH = pytest.mark.parametrize("mode", ["memory", "tcp"])
IN_1 = 'after = { event = "incremental.started", incremental = 1 }'
OF_THE_COORDINATOR = 'kind = "disk"; node = "coordinator"; action = "eio"'


def a_scenario(*faults, outcome="completed", reached=(), policy="", workload=""):
    """A small chain with short patience; each fault is the body of a `[[fault]]`, its id "1" .."""
    ids = [f"{number}" for number in range(1, len(faults) + 1)]
    marks = [*(f"fault: {one}" for one in ids), *reached]
    on = list(REAL_ONLY if "damage" in workload else MODES)
    text = HEAD.format(on=on, outcome=outcome, reached=marks, policy=policy, workload=workload)
    for one, body in zip(ids, faults, strict=True):
        text += f'[[fault]]\nid = "{one}"\n' + body.replace("; ", "\n") + "\n"
    return parse_scenario(text, "a test")


def run(scenario, mode, folder, seed=0, **options):
    """Run it; the verdict must be green."""
    outcome = run_real(scenario, seed, mode, folder, **options)
    assert find_failure(scenario, outcome, expected_rows(scenario)) is None, outcome
    return outcome


FAULTS = {
    "drop": 'kind = "drop"; message = "CompletionNotification"; times = 2',
    "delay": 'kind = "delay"; message = "ChangesApplied"; by = "300ms"; times = 3',
    "duplicate": 'kind = "duplicate"; message = "ApplyChanges"; by = "5ms"; times = 5',
    "reorder": 'kind = "reorder"; message = "ApplyChanges"; by = "30ms"; times = 3',
    "corrupt": 'kind = "corrupt"; message = "ApplyChanges"; times = 3',
    "truncate": 'kind = "truncate"; message = "StartScan"; times = 3',
    "hold": 'kind = "hold"; message = "ChangesApplied"; times = 5; duration = "1500ms"',
    "partition": f'kind = "partition"; groups = ["sources", "targets"]; duration = "300ms"; {IN_1}',
    "one-way partition": f"""kind = "partition"; groups = ["coordinator"]; direction = "to"
duration = "300ms"; {IN_1}""",
    "jam": f'kind = "partition"; groups = ["targets"]; mode = "hold"; duration = "300ms"; {IN_1}',
    "clog": 'kind = "clog"; node = "one of targets"; duration = "300ms"',
    "slow link": 'kind = "slow_link"; by = "5ms"; duration = "1s"',
    "bandwidth": 'kind = "bandwidth"; from = "sources"; to = "targets"; bytes_per_second = "50KB"',
    "half-open": 'kind = "half_open"; from = "sources"; to = "coordinator"; duration = "300ms"',
    "reset": f'kind = "reset"; {IN_1}',
    "reset at a message": 'kind = "reset"; message = "ApplyChanges"; times = 2',
    "swizzle": 'kind = "swizzle"; nodes = "shards"; duration = "500ms"',
    "crash of a source": f'kind = "crash"; node = "s0"; restart_after = "50ms"; {IN_1}',
    "crash of a target": f'kind = "crash"; node = "t0"; restart_after = "50ms"; {IN_1}',
    "crash of all": f'kind = "crash"; node = "all"; restart_after = "10ms..90ms"; {IN_1}',
    "pause of a source": f'kind = "pause"; node = "s0"; duration = "200ms"; {IN_1}',
    "pause of a target": f'kind = "pause"; node = "t1"; duration = "200ms"; {IN_1}',
    "pause of the coordinator": f'kind = "pause"; node = "coordinator"; duration = "200ms"; {IN_1}',
    "slow disk": 'kind = "disk"; node = "targets"; action = "slow"; by = "10ms"; times = 9',
    "disk error": 'kind = "disk"; node = "targets"; action = "eio"; op = "seal"; times = 1',
    "full disk": 'kind = "disk"; node = "targets"; action = "enospc"; op = "finalize"; times = 2',
    "failed log": f'{OF_THE_COORDINATOR}; op = "log"; times = 1; {IN_1}',
    "failed publication": f'{OF_THE_COORDINATOR}; op = "publish"; times = 1',
    "page": 'kind = "page"; node = "s0"; incremental = 1; times = 2',
    "pause and resume": f'kind = "operator"; verb = "pause"; {IN_1}',
    "cap": f'kind = "operator"; verb = "cap"; value = 1; {IN_1}',
    "second restore": f'kind = "second_restore"; {IN_1}',
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_restore_in_memory_completes_with_equal_rows_whatever(kind, tmp_path):
    run(a_scenario(FAULTS[kind]), "memory", tmp_path)


@pytest.mark.parametrize(
    "kinds",
    [
        ("crash of a source", "page", "drop", "duplicate"),
        ("crash of a target", "corrupt", "truncate", "cap"),
        ("pause of a target", "jam", "reset at a message", "slow disk"),
        ("crash of all", "second restore", "full disk"),
        ("partition", "disk error", "failed publication", "pause of the coordinator"),
    ],
)
def test_a_restore_over_tcp_completes_with_equal_rows_whatever(kinds, tmp_path):
    run(a_scenario(*(FAULTS[kind] for kind in kinds)), "tcp", tmp_path)


@pytest.mark.parametrize("point", ["before_append", "after_append", "after_sync", "after_send"])
@pytest.mark.parametrize("node", ["coordinator", "targets"])
def test_a_crash_at_each_point_of_a_step_is_survived(node, point, tmp_path):
    crash = f'kind = "crash"; node = "{node}"; point = "{point}"; restart_after = "20ms"; times = 2'
    run(a_scenario(crash), "memory", tmp_path)


def test_a_seal_that_was_written_counts_although_a_crash_kept_it_from_being_told(tmp_path):
    scenario = a_scenario(
        'kind = "crash"; node = "coordinator"; point = "after_sync"; record = "TargetSealed"; '
        'restart_after = "20ms"'
    )
    outcome = run(scenario, "memory", tmp_path)
    assert outcome.evidence == simulate(prepare_setting(scenario), 0).evidence


def test_a_crash_point_of_a_worker_is_a_kill_of_its_process(tmp_path):
    died = []
    crash = 'kind = "crash"; node = "targets"; point = "after_sync"; restart_after = "20ms"'
    run(
        a_scenario(crash),
        "tcp",
        tmp_path,
        journal_to=lambda event: died.append(event.node) if event.name == "worker.died" else None,
    )
    assert len(died) == 1
    assert died[0] in {"orders/t0", "orders/t1"}


@BOTH
def test_the_seals_say_how_many_rows_each_incremental_changed(mode, tmp_path):
    scenario = a_scenario()
    outcome = run(scenario, mode, tmp_path)
    simulated = simulate(prepare_setting(scenario), 0)
    assert outcome.evidence == simulated.evidence
    assert outcome.tables == simulated.tables


@pytest.mark.parametrize(
    ("fault", "outcome", "policy"),
    [
        ('kind = "page"; node = "s0"; incremental = 1; transient = false; times = 1', "failed", ""),
        (
            'kind = "page"; node = "s0"; incremental = 1; permanent = true',
            "paused",
            "retries_max = 1\nresumes_max = 1",
        ),
        (f'kind = "operator"; verb = "pause"; {IN_1}', "paused", "resumes_max = 0"),
        (f'kind = "operator"; verb = "cancel"; {IN_1}', "cancelled", ""),
    ],
    ids=["fatal", "spent", "paused", "cancelled"],
)
def test_a_restore_that_does_not_complete_says_why_and_shows_nothing(
    fault, outcome, policy, tmp_path
):
    ended = run(a_scenario(fault, outcome=outcome, policy=policy), "memory", tmp_path)
    assert ended.reason
    assert ended.tables is None


@pytest.mark.parametrize("damage", ["missing-table", "corrupt-file"])
def test_a_damaged_collection_is_refused_before_anything_starts(damage, tmp_path):
    scenario = a_scenario(outcome="refused", workload=f'damage = "{damage}"')
    ended = run(scenario, "memory", tmp_path)
    assert "workload.backups" in ended.reason
    assert not (tmp_path / "target").exists()


def test_a_real_collection_is_restored_where_it_is(tmp_path):
    base = Path(__file__).parents[2] / "increstore" / "demo"
    text = HEAD.split("[workload]")[0].format(on=list(REAL_ONLY), policy="")
    text += '[workload]\ncollection = "airports"\n'
    outcome = run(parse_scenario(text, "a test"), "memory", tmp_path, base=base)
    assert sum(map(len, outcome.tables.values())) > 1000


WEATHER = """
[network]
loss = "3%"
duplicate = "3%"
corrupt = "1%"
latency = "0ms..2ms"
[nodes]
crash = "1%"
restart_after = "5ms..30ms"
[pages]
fail = "3%"
[disk]
latency = "0ms..2ms"
"""


@BOTH
def test_ambient_trouble_does_not_change_the_rows(mode, tmp_path):
    text = HEAD.format(on=list(MODES), outcome="completed", reached=[], policy="", workload="")
    text += WEATHER
    run(parse_scenario(text, "a test"), mode, tmp_path)


def test_what_cores_drop_is_seen_by_the_scenario(tmp_path):
    held = f'kind = "hold"; message = "CompletionNotification"; duration = "600ms"; {IN_1}'
    restart = (
        f'kind = "crash"; node = "coordinator"; restart_after = "1ms"; delay = "300ms"; {IN_1}'
    )
    scenario = a_scenario(held, restart, reached=["dropped: of another generation"])
    outcome = run(scenario, "memory", tmp_path)
    assert outcome.reached["dropped: of another generation"] >= 1


# --- Stalls, and what is left behind.

SILENT = 'kind = "drop"; message = "CompletionNotification"; permanent = true'


@BOTH
def test_a_restore_that_never_ends_is_told_with_the_shard_it_waits_for(mode, tmp_path):
    stopped = f'kind = "pause"; node = "t1"; permanent = true; {IN_1}'
    outcome = run_real(a_scenario(SILENT, stopped), 0, mode, tmp_path, limit_s=2.5)
    assert outcome.state == "running"
    assert "waits for orders/s" in outcome.explanation
    failure = find_failure(a_scenario(SILENT), outcome, None)
    assert failure.kind is FailureKind.STALL


@pytest.fixture
def nothing_is_left(monkeypatch):
    """No thread, open file or process of a run is there when it is over."""
    token = uuid.uuid4().hex
    monkeypatch.setenv("INCRESTORE_TEST_TOKEN", token)
    before, threads = _open_files(), _threads()
    yield
    # A killed process takes a moment to be gone.
    assert comes_true(lambda: processes_with(token) == [], 5)
    assert _open_files() == before
    assert _threads() - threads == set()


def _threads():
    idle = ("MainThread", "Trio thread")  # Trio keeps idle threads for a while, to use them again.
    return {thread for thread in threading.enumerate() if not thread.name.startswith(idle)}


def _open_files():
    return sorted(
        link
        for link in (_link(entry) for entry in Path("/proc/self/fd").iterdir())
        if not link.startswith(("/proc/", "/dev/"))
    )


def _link(entry):
    try:
        return entry.readlink().as_posix()
    except FileNotFoundError:  # The listing's own.
        return "/proc/"


@BOTH
def test_nothing_outlives_a_run_that_completes(mode, tmp_path, nothing_is_left):
    crash = f'kind = "crash"; node = "t0"; restart_after = "20ms"; {IN_1}'
    run(a_scenario(crash), mode, tmp_path)


@BOTH
def test_nothing_outlives_a_run_that_stalls_with_a_node_that_stands_still(
    mode, tmp_path, nothing_is_left
):
    stopped = f'kind = "pause"; node = "t1"; permanent = true; {IN_1}'
    gone = f'kind = "crash"; node = "s1"; permanent = true; {IN_1}'
    assert run_real(a_scenario(stopped, gone), 0, mode, tmp_path, limit_s=2.0).state == "running"


@BOTH
def test_nothing_outlives_a_run_that_is_interrupted(mode, tmp_path, nothing_is_left):
    def interrupt(event):
        if event.name == "incremental.completed":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_real(a_scenario(), 0, mode, tmp_path, journal_to=interrupt)


@BOTH
def test_nothing_outlives_a_run_that_meets_a_bug(mode, tmp_path, nothing_is_left):
    def fail(event):
        if event.name == "incremental.completed":
            raise AssertionError("a bug")

    with pytest.raises(ExceptionGroup) as met:
        run_real(a_scenario(), 0, mode, tmp_path, journal_to=fail)
    assert met.group_contains(AssertionError, match="a bug")


# --- Judged by its journal.


def test_an_invariant_that_the_journal_breaks_is_the_verdict(tmp_path):
    """A run that ends well is not believed: here a bug is planted that the rows do not show."""
    slow = f'kind = "disk"; node = "targets"; action = "slow"; by = "600ms"; op = "append"; {IN_1}'
    crash = f'kind = "crash"; node = "sources"; restart_after = "5ms"; delay = "200ms"; {IN_1}'
    with a_target_that_tells_what_it_has_not_written():
        outcome = run_real(a_scenario(slow, crash), 0, "memory", tmp_path)
    assert outcome.violation is not None
    failure = find_failure(a_scenario(slow, crash), outcome, None)
    assert failure.kind is FailureKind.INVARIANT
