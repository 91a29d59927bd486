"""A campaign that is stopped from outside leaves no process and no folder behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.proving.builders import a_scenario_file

PATIENCE_S = 20
NEEDS_PROC = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="needs Linux's list of processes"
)


def processes_of(session: int) -> list[int]:
    """Living processes of a session; those that are only waited for do not count."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, own, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if int(own) == session and state != "Z":
            found.append(int(folder.name))
    return found


@pytest.mark.parametrize(
    ("mode", "to_whom", "which", "code"),
    [
        ("memory", os.kill, signal.SIGTERM, 7),
        ("simulation", os.killpg, signal.SIGINT, 7),
        ("memory", os.kill, signal.SIGKILL, -signal.SIGKILL),
    ],
)
@NEEDS_PROC
def test_a_stopped_campaign_leaves_nothing_behind(tmp_path, mode, to_whom, which, code):
    path = a_scenario_file(tmp_path, 'on = ["simulation", "memory"]\n')
    words = ["--on", mode, "--seeds", "0..99999", "--jobs", "2", "--json"]
    running = subprocess.Popen(
        [sys.executable, "-m", "increstore", "run", path, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    try:
        assert running.stdout is not None
        assert '"verdict"' in running.stdout.readline()
        to_whom(running.pid, which)
        _, errors = running.communicate(timeout=PATIENCE_S)
        give_up = time.monotonic() + PATIENCE_S
        while left := processes_of(running.pid):
            assert time.monotonic() < give_up, left
    finally:
        for process in processes_of(running.pid):
            os.kill(process, signal.SIGKILL)
        running.wait()
    assert running.returncode == code, errors
    assert "Traceback" not in errors
    assert [found.name for found in tmp_path.iterdir() if "increstore-run" in found.name] == []


@NEEDS_PROC
def test_a_campaign_that_is_stopped_while_its_workers_start_says_only_that(tmp_path):
    """As `timeout -s INT` does it: to the command, and then to its whole group of processes."""
    path = a_scenario_file(tmp_path)
    running = subprocess.Popen(
        [sys.executable, "-m", "increstore", "run", path, "--seeds", "0..99999", "--jobs", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while len(processes_of(running.pid)) < 2:
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    os.killpg(running.pid, signal.SIGINT)
    said, told = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 7, told
    assert (said, told.split()) == ("", ["stopped"])


@NEEDS_PROC
def test_a_stopped_campaign_tells_what_it_has_found_so_far(tmp_path):
    path = a_scenario_file(tmp_path, '[expect]\nreached = ["scan.retry_scheduled"]\n')
    running = subprocess.Popen(
        [sys.executable, "-m", "increstore", "run", path, "--seeds", "0..999999", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert '"verdict"' in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 7, told
    assert f"FAIL  {path} on simulation: " in told
    assert "s, stopped before the end" in told
    assert f"replay: increstore run {path} --on simulation --seed 0" in told
    assert told.splitlines()[-1] == "stopped"


@NEEDS_PROC
def test_a_worker_that_is_killed_ends_the_campaign_with_what_to_do(tmp_path):
    path = a_scenario_file(tmp_path)
    running = subprocess.Popen(
        [sys.executable, "-m", "increstore", "run", path, "--seeds", "0..999999", "--jobs", "2",
         "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert '"verdict"' in running.stdout.readline()
    others = [process for process in processes_of(running.pid) if process != running.pid]
    worker = next(process for process in others if os.getpgid(process) == process)
    os.kill(worker, signal.SIGKILL)
    _, told = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 4, told
    assert "s, stopped before the end" in told
    assert "error: a process of --jobs was killed from outside" in told
    assert "Traceback" not in told
