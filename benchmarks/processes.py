"""Run one command as a user would and say what it cost: wall time, processor time, peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_S = 0.1
LIMIT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One finished process and all its children.

    `started_at` is wall-clock seconds since 1970. `peak_bytes` is the most that the process ever
    had resident; with children, the largest sum over the processes (file pages counted once, pages
    shared since a fork twice) seen by a sample every 100 ms, when that is more. So is `cpu_s` with
    children: the kernel hands on only what children used that were waited for.
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
        tree = sampler.stop() if sampler else _TreeUse()
        out.seek(0), err.seek(0)
        if process.returncode:
            raise CommandFailed(_complaint(command, process.returncode, out.read() + err.read()))
        return Cost(
            started_at,
            wall_s,
            cpu_s=max(usage.ru_utime + usage.ru_stime, tree.cpu_s),
            peak_bytes=max(usage.ru_maxrss * 1024, tree.peak_bytes),
            stdout=out.read(),
        )


def _complaint(command: Sequence[str | Path], code: int, output: str) -> str:
    shown = " ".join(str(part) for part in command)
    tail = "\n".join(output.splitlines()[-20:])
    return f"{shown}\nended with exit code {code}; the last lines it wrote:\n{tail}"


@dataclass(slots=True)
class _TreeUse:
    """What a process tree was seen to use: the largest sum of memory, the last processor times."""

    peak_bytes: int = 0
    cpu_by_pid: dict[int, float] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        return sum(self.cpu_by_pid.values())


class _TreeSampler:
    """Looks at a process tree again and again, in a thread, until stopped."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._use = _TreeUse()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> _TreeUse:
        self._over.set()
        self._thread.join()
        return self._use

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            pids = _tree(self._root)
            self._use.peak_bytes = max(self._use.peak_bytes, _tree_resident(pids))
            for pid in pids:
                self._use.cpu_by_pid[pid] = max(_cpu_s(pid), self._use.cpu_by_pid.get(pid, 0.0))


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


def _tree_resident(pids: Sequence[int]) -> int:
    """Bytes resident in the processes together: each one's own pages, file pages counted once.

    Read from statm, which is cheap: reading proportional set sizes walks the page tables of the
    very processes that are being timed.
    """
    own, shared = 0, 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/statm").read_text().split()
        except OSError:
            continue
        own += int(fields[1]) - int(fields[2])
        shared = max(shared, int(fields[2]))
    return (own + shared) * os.sysconf("SC_PAGE_SIZE")


def _cpu_s(pid: int) -> float:
    """User and system seconds of one process (not of its children), 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
