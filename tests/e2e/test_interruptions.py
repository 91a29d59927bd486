"""However a restore is stopped: nothing is lost, the same command goes on, no process stays."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

import pytest

from .builders import Depot, assert_says, visible_rows
from .commands import Command, Terminal, comes_true, has_begun, parent_of, processes_with

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def _command(depot: Depot, target: Path, *options: str, **environment: str) -> Command:
    return Command("restore", depot.path, "--into", target, *options, **environment)


def _goes_on_and_ends(depot: Depot, target: Path, *options: str, completed: list[int]) -> None:
    """The same command completes, does nothing twice, and the rows are right."""
    again = _command(depot, target, *options)
    code, errors = again.ends()
    assert code == 0, errors
    assert not set(completed) & set(again.numbers("incremental.started"))
    assert not set(completed) & set(again.numbers("scan.asked"))
    assert visible_rows(target) == depot.expected[-1]


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_ends_the_restore_cleanly_and_says_how_to_go_on(varied, tmp_path, number):
    target = tmp_path / "target"
    command = _command(varied, target)
    command.until("incremental.completed", incremental=1)
    command.send(number)
    code, _ = command.ends()
    assert code == 7
    assert command.summary["state"] == "interrupted"
    assert str(target) in command.summary["resume"]
    assert visible_rows(target) == {}
    _goes_on_and_ends(varied, target, completed=command.numbers("incremental.completed"))


def test_a_signal_ends_a_restore_over_tcp_and_its_workers(varied: Depot, tmp_path: Path):
    target, token = tmp_path / "target", uuid.uuid4().hex
    command = _command(varied, target, "--on", "tcp", TOKEN=token)
    command.until("incremental.completed", incremental=1)
    command.send(signal.SIGINT)
    assert command.ends()[0] == 7
    assert comes_true(lambda: not processes_with(token), 5.0)
    completed = command.numbers("incremental.completed")
    _goes_on_and_ends(varied, target, "--on", "tcp", completed=completed)


def test_kill_9_over_tcp_leaves_no_worker_and_an_immediate_second_run_works(varied, tmp_path):
    target, token = tmp_path / "target", uuid.uuid4().hex
    command = _command(varied, target, "--on", "tcp", TOKEN=token)
    command.until("incremental.completed", incremental=2)
    command.send(signal.SIGKILL)
    command.ends()
    completed = command.numbers("incremental.completed")
    _goes_on_and_ends(varied, target, "--on", "tcp", completed=completed)
    assert comes_true(lambda: not processes_with(token), 5.0)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("restore.accepted", {}),
        ("scan.reported", {"incremental": 0}),
        ("target.sealed", {"incremental": 3}),
        ("restore.finalizing", {}),
        ("target.finalized", {}),
        ("restore.completed", {}),
    ],
)
def test_kill_9_loses_nothing(varied: Depot, tmp_path: Path, name, facts):
    target = tmp_path / "target"
    command = _command(varied, target)
    command.until(name, **facts)
    command.send(signal.SIGKILL)
    command.ends()
    _goes_on_and_ends(varied, target, completed=command.numbers("incremental.completed"))


def test_a_killed_worker_is_replaced_and_the_restore_completes(varied: Depot, tmp_path: Path):
    target, token = tmp_path / "target", uuid.uuid4().hex
    command = _command(varied, target, "--on", "tcp", TOKEN=token)
    command.until("incremental.completed", incremental=0)
    makers = [pid for pid in processes_with(token) if parent_of(pid) == command.process.pid]
    workers = [pid for pid in processes_with(token) if parent_of(pid) in makers]
    os.kill(workers[0], signal.SIGKILL)
    code, errors = command.ends()
    assert code == 0, errors
    assert [e for e in command.events if e["event"] == "worker.died"]
    assert visible_rows(target) == varied.expected[-1]


def test_workers_killed_before_they_are_of_use_are_made_again(varied: Depot, tmp_path: Path):
    """As when memory is short: the one that makes them dies with their requests unanswered."""
    target, token = tmp_path / "target", uuid.uuid4().hex
    command = _command(varied, target, "--on", "tcp", TOKEN=token)
    makers: list[int] = []

    def is_there() -> bool:
        makers[:] = [p for p in processes_with(token) if parent_of(p) == command.process.pid]
        return bool(makers) and has_begun(makers[0])

    assert comes_true(is_there, 20.0)
    os.kill(makers[0], signal.SIGSTOP)
    command.until("barrier.waits")
    os.kill(makers[0], signal.SIGKILL)
    code, errors = command.ends()
    assert code == 0, errors
    assert [e for e in command.events if e["event"] == "worker.died"]
    assert visible_rows(target) == varied.expected[-1]


def test_a_restore_started_under_nohup_does_not_mind_a_hangup(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # What nohup does for its child.
    try:
        command = _command(varied, target)
    finally:
        signal.signal(signal.SIGHUP, before)
    command.until("incremental.completed", incremental=0)
    command.send(signal.SIGHUP)
    assert command.ends()[0] == 0
    assert visible_rows(target) == varied.expected[-1]


def test_a_reader_that_leaves_does_not_end_the_restore(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    command = _command(varied, target)
    command.until("incremental.started", incremental=0)
    assert command.process.stdout is not None
    assert command.process.stderr is not None
    command.process.stdout.close()
    with command.process.stderr as stderr:
        errors = stderr.read()
    assert (command.process.wait(30), errors) == (0, "")
    assert visible_rows(target) == varied.expected[-1]


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_before_it_starts_ends_at_once_whatever_a_thread_is_reading(
    damaged: Depot, tmp_path: Path, number
):
    """A manifest that never ends stands for minutes of checksums."""
    manifest = damaged.manifest(2)
    manifest.unlink()
    os.mkfifo(manifest)
    command = _command(damaged, tmp_path / "target")
    writers: list[int] = []
    assert comes_true(lambda: _is_read(manifest, writers), 20.0)
    command.send(number)
    code, errors = command.ends()
    os.close(writers[0])
    assert (code, errors.strip()) == (7, "stopped")
    assert not (tmp_path / "target").exists()


def _is_read(fifo: Path, writers: list[int]) -> bool:
    """Whether somebody reads `fifo`; our end of it is then kept open in `writers`."""
    try:
        writers.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


# --- On a terminal.


def test_a_terminal_sees_bars_and_gets_its_cursor_back(varied: Depot, tmp_path: Path):
    target = tmp_path / "target"
    terminal = Terminal("restore", varied.path, "--into", target)
    assert terminal.follow() == 0
    assert terminal.cursor_is_visible
    assert b"shop/orders" in terminal.shown
    assert b"counts and digests agree" in terminal.shown.replace(b"\r\n", b" ")


@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_ctrl_c_on_a_terminal_gives_the_cursor_back_and_says_how_to_go_on(varied, tmp_path, on):
    target = tmp_path / "target"
    terminal = Terminal("restore", varied.path, "--into", target, "--on", on)

    def press_when_it_runs(terminal: Terminal) -> None:
        if b"/5" in terminal.shown and b"\x03" not in pressed:
            pressed.append(b"\x03")
            terminal.press(b"\x03")

    pressed: list[bytes] = []
    assert terminal.follow(press_when_it_runs) == 7
    assert terminal.cursor_is_visible
    assert_says(terminal.shown.decode(), ["stopped", "go on with", "increstore restore"])
    assert visible_rows(target) == {}


def test_a_second_ctrl_c_ends_at_once_and_still_gives_the_cursor_back(varied, tmp_path):
    terminal = Terminal("restore", varied.path, "--into", tmp_path / "target")

    def press_twice_when_it_runs(terminal: Terminal) -> None:
        if b"/5" in terminal.shown and not pressed:
            pressed.append(b"\x03\x03")
            # Both at once: after the first alone a quick restore may have ended before the second.
            for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
                os.kill(terminal.pid, number)

    pressed: list[bytes] = []
    assert terminal.follow(press_twice_when_it_runs) == 7
    assert terminal.cursor_is_visible
    assert_says(terminal.shown.decode(), ["go on with", "increstore restore"])
