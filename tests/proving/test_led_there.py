"""What led to a failure is told of every red run, in every mode."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from increstore.cli.run import run
from increstore.journal import JournalEvent
from increstore.proving.led_there import OF_ALL_MAX, OF_THE_NODE_MAX, LastEvents
from increstore.proving.real import run_real_task
from increstore.proving.tasks import Task, run_task
from tests.proving.builders import a_scenario_file, a_target_that_tells_what_it_has_not_written

EVERYWHERE = 'on = ["simulation", "memory", "tcp"]\n'
GIVES_UP = (
    EVERYWHERE
    + """
[[fault]]
kind = "page"
node = "orders/s0"
incremental = 1
permanent = true
[policy]
retries_max = 1
repeat = "50ms"
backoff = "400ms"
backoff_max = "400ms"
"""
)
ACKNOWLEDGED_TOO_EARLY = (
    EVERYWHERE
    + """
[policy]
repeat = "60ms"
[[fault]]
kind = "disk"
node = "targets"
action = "slow"
by = "600ms"
op = "append"
after = { event = "incremental.started", incremental = 1 }
[[fault]]
kind = "crash"
node = "sources"
restart_after = "5ms"
delay = "200ms"
after = { event = "incremental.started", incremental = 1 }
"""
)


def an_event(number, node="orders/t0", name="changes.applied", **facts):
    return JournalEvent(number * 10**6, node, name, facts)


def kept(*events):
    last = LastEvents()
    for event in events:
        last(event)
    return last


class FailingOnlooker:
    """Somebody whose code has a bug that the second incremental brings out."""

    takes_faults = False

    def __call__(self, event):
        if event.name == "incremental.completed":
            raise AssertionError("a bug")

    def reach(self, commands):
        """It leaves everything as it is."""


@pytest.mark.parametrize("mode", ["simulation", "memory", "tcp"])
def test_a_red_run_shows_what_led_there_the_last_wait_and_how_to_replay_it(mode, tmp_path):
    path = a_scenario_file(tmp_path, GIVES_UP)

    done = CliRunner().invoke(run, [str(path), "--on", mode])

    assert done.exit_code == 5
    assert "what led there:" in done.stderr
    assert "  orders/s0  page.failed  incremental=1" in done.stderr
    assert "  coordinator  restore.paused  reason=" in done.stderr
    assert "the coordinator's last wait: incremental 1 waits for orders/s0" in done.stderr
    assert done.stderr.splitlines()[-1] == f"increstore run {path} --on {mode} --seed 0"


def test_a_broken_invariant_of_a_real_run_shows_the_events_up_to_it(tmp_path):
    path = a_scenario_file(tmp_path, ACKNOWLEDGED_TOO_EARLY)

    with a_target_that_tells_what_it_has_not_written():
        verdict = run_real_task(str(path), 0, "memory")

    assert "message.sent" in verdict.led_there[-1]
    assert verdict.failure.node in verdict.led_there[-1]
    assert "incremental 1" in verdict.explanation


def test_a_bug_of_the_program_in_a_real_run_is_a_verdict_with_what_led_there(tmp_path):
    path = a_scenario_file(tmp_path, EVERYWHERE)

    verdict = run_real_task(str(path), 0, "memory", onlooker=FailingOnlooker())

    assert verdict.failure.what == "raised AssertionError in __call__"
    assert verdict.failure.says.startswith("a bug (test_led_there.py:")
    assert verdict.led_there[-1].split()[1:3] == ["coordinator", "incremental.completed"]


def test_a_run_that_could_not_be_set_up_ends_with_the_code_of_its_error(tmp_path):
    path = a_scenario_file(tmp_path, EVERYWHERE)
    verdict = run_task(Task(str(path.parent / "gone.toml"), "memory", 0))
    assert verdict.failure.exit_code == 3
    assert verdict.failure.says.startswith(f"{path.parent}/gone.toml: the scenario cannot be read")


def test_a_green_real_run_carries_no_events_about(tmp_path):
    assert run_real_task(str(a_scenario_file(tmp_path, EVERYWHERE)), 0, "memory").led_there == ()


def test_the_last_events_of_all_and_of_the_node_are_kept_in_order():
    of_node = [an_event(n, node="orders/t1", watermark=n) for n in range(1, 40)]
    of_others = [an_event(n, watermark=n) for n in range(40, 80)]

    lines = kept(*of_node, *of_others).lines("orders/t1")

    assert len(lines) == OF_ALL_MAX + OF_THE_NODE_MAX
    assert lines[0].split()[-1] == "watermark=30"
    assert lines[-1].split()[-1] == "watermark=79"


def test_what_is_told_again_and_again_is_one_line():
    asked = [an_event(n, name="scan.asked", attempt=1) for n in range(1, 51)]
    assert kept(*asked).lines("") == (
        "    0.049  orders/t0  scan.asked  attempt=1  (50 times)",
    )  # fmt: skip


def test_a_fault_is_not_lost_among_all_that_came_after_it():
    fault = an_event(1, node="scenario", name="fault.injected", where="orders/t1")
    later = [an_event(n, watermark=n) for n in range(2, 99)]
    assert "fault.injected" in kept(fault, *later).lines("coordinator")[0]


def test_samples_are_no_events_that_led_anywhere():
    last = kept(
        an_event(1, name="scan.asked"),
        an_event(2, name="scan.progress", rows=1),
        an_event(3, name="barrier.waits", says="incremental 1 waits for orders/s0"),
    )
    assert len(last.lines("")) == 1
    assert last.waits == "incremental 1 waits for orders/s0"
