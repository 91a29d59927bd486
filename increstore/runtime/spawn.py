"""Starting worker processes: early, and the imports paid once.

A worker needs half a second of imports before it can work, as its parent does. So one process, the
nursery of all workers, starts as soon as the command line knows that workers will be wanted; it
imports while its parent imports, and then makes each worker by fork. It has a single thread, so
that forking is safe. Hence this module imports nothing heavy.

Whoever loses the socket to its parent exits: a worker that was told nothing, since a problem was
found first, as well as one whose parent was killed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SINGLE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy: we use none of its linear algebra.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's jemalloc.
}
_TUNE = "import gc; gc.set_threshold(100_000, 50, 100)"
_START = "from increstore.runtime.worker import main; main()"


def available_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def worker_pairs() -> int:
    """Processes for source shards, and as many for target shards: a pair for every two cores."""
    return max(1, available_cores() // 2)


class WorkerNursery:
    """The process that makes workers, as its parent holds it.

    It imports what every worker needs, and the modules `also`, once for all of them.
    """

    def __init__(self, also: Sequence[str] = ()) -> None:
        self._also = tuple(also)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Start the process; returns at once, while it imports."""
        self._socket, theirs = socket.socketpair()
        code = "; ".join([_TUNE, *(f"import {module}" for module in self._also), _START])
        with theirs:
            self._process = subprocess.Popen(
                # -P: what lies in the current folder (a socket.py, a queue.py) is not imported.
                [sys.executable, "-P", "-c", code],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={**os.environ, **_SINGLE_THREAD},
                start_new_session=True,  # Ctrl-C is for the parent, which then ends its workers.
            )

    def make_worker(self, lock_fd: int) -> socket.socket:
        """Make one worker: our end of the socket pair it listens to.

        The worker holds the target's lock too, so that it is free only when the last process that
        could write has gone.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self.start()
        assert self._socket is not None
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._socket, [b"\n"], [theirs.fileno(), lock_fd])
        return ours

    def kill_all(self) -> None:
        """End the process and every worker it has made at once, also those that stand still."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let the process end; the workers end when their own sockets do."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._socket = None


def make_workers_on_demand(work: Callable[[socket.socket], int]) -> None:
    """In the process of the nursery: fork a worker for every request, until the parent has gone."""
    requests = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody asks how a worker ended.
    while True:
        data, files, _, _ = socket.recv_fds(requests, 1, 2)
        if not data:
            return
        parent, lock = files
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            # The lock stays open, and so held, for as long as the worker lives.
            os._exit(work(socket.socket(fileno=parent)))
        os.close(parent)
        os.close(lock)
