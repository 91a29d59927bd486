"""Run one command as a user would and say what it cost: wall time, processor time, peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.05
LIMIT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One finished process and all its children.

    `started_at` is wall-clock seconds since 1970. `peak_bytes` is the most that the process ever
    had resident; with children, the largest sum of proportional set sizes (shared pages are
    counted once) seen by a sample every 50 ms, when that is more.
    """

    started_at: float
    wall_s: float
    cpu_s: float
    peak_bytes: int
    stdout: str


class CommandFailed(Exception):
    """The command did not end with exit code 0; the message carries what it wrote."""


def run(command: Sequence[str | Path], *, has_children: bool = False) -> Cost:
    """Run `command` to its end. Raises: CommandFailed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started_at, start = time.time(), time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True)
        sampler = _TreeSampler(process.pid) if has_children else None
        killer = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        # wait4 gives this child's own peak; getrusage(RUSAGE_CHILDREN) that of the largest so far.
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        sampled = sampler.stop() if sampler else 0
        out.seek(0), err.seek(0)
        if process.returncode:
            raise CommandFailed(_complaint(command, process.returncode, out.read() + err.read()))
        return Cost(
            started_at,
            wall_s,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_bytes=max(usage.ru_maxrss * 1024, sampled),
            stdout=out.read(),
        )


def _complaint(command: Sequence[str | Path], code: int, output: str) -> str:
    shown = " ".join(str(part) for part in command)
    tail = "\n".join(output.splitlines()[-20:])
    return f"{shown}\nended with exit code {code}; the last lines it wrote:\n{tail}"


class _TreeSampler:
    """The largest sum of a process tree's memory, sampled by a thread until stopped."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self._peak

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self._peak = max(self._peak, sum(_resident(pid) for pid in _tree(self._root)))


def _tree(root: int) -> list[int]:
    """The process and its descendants; those that end meanwhile are left out."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in tasks.read_text().split()]
            except OSError:
                continue
    return found


def _resident(pid: int) -> int:
    """Proportional set size in bytes, 0 when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in text.splitlines() if line.startswith("Pss:")]
    return sum(int(fields[1]) * 1024 for fields in lines)
