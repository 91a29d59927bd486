"""Starting worker processes: as early as the command line knows that it will need them.

A worker spends its first half second importing, as its parent does; begun together, neither waits
for the other. Hence this module imports nothing heavy. A worker that is not told what to do, since
its parent found a problem first, sees its socket close and exits.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass


@dataclass(slots=True)
class StartedWorker:
    """A process that waits on `socket` to be told its job."""

    process: subprocess.Popen[bytes]
    socket: socket.socket


def available_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def worker_pairs() -> int:
    """Processes for source shards, and as many for target shards: a pair for every two cores."""
    return max(1, available_cores() // 2)


def start_worker() -> StartedWorker:
    """Start one worker; its standard input is one end of a socket pair, we hold the other."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "increstore.runtime.worker"],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent, which then ends its workers.
        )
    return StartedWorker(process, ours)


def start_workers() -> list[StartedWorker]:
    """All the workers that a restore over TCP will want."""
    return [start_worker() for _ in range(2 * worker_pairs())]


def hand_over_lock(worker: StartedWorker, lock_fd: int) -> None:
    """Let the worker hold the target's lock too: it is free when the last who could write is gone.

    One byte carries the file; the lines follow it.
    """
    socket.send_fds(worker.socket, [b"\n"], [lock_fd])


def receive_lock(standard_input: socket.socket) -> int | None:
    """In the worker: the lock, or None when the parent has gone without a job."""
    data, files, _, _ = socket.recv_fds(standard_input, 1, 1)
    return files[0] if data and files else None
