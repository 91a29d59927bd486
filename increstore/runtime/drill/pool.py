"""The worker processes of a drill: killed, stopped, kept away, and made again when it is time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from increstore.runtime.drill.questions import answer
from increstore.runtime.processes import Worker, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from increstore.journal import Journal
    from increstore.runtime.drill.injector import Injector
    from increstore.runtime.processes import Address
    from increstore.runtime.spawn import WorkerNursery
    from increstore.scenario.actions import Crash, Pause

DEATH_MS_MAX = 5_000
"""How long a killed process is waited for."""


@dataclass(slots=True)
class _Process:
    """The process of one worker: by a file descriptor, since a number may be given again."""

    handle: int
    stopped_by: dict[str, None] = field(default_factory=dict)
    crash: Crash | None = None

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)


class DrillPool(WorkerPool):
    """Workers whose nodes ask `injector`; an order for a worker that is down changes nothing."""

    def __init__(
        self,
        workers: Sequence[Worker],
        nursery: WorkerNursery,
        lock_fd: int,
        journal: Journal,
        on_address: Callable[[str, Address], None],
        injector: Injector,
        after_death: Callable[[Crash], None],
    ) -> None:
        """`after_death` is called when a crashed process is gone."""
        super().__init__(workers, nursery, lock_fd, journal, on_address)
        self._maker = nursery
        self._injector = injector
        self._after_death = after_death
        self._worker_of = {shard: w for w in workers for shard in w.spec["shards"]}
        self._processes: dict[str, _Process] = {}
        self._returns: dict[str, trio.Event] = {}
        self._told = journal

    # --- What faults do.

    def crash(self, crash: Crash) -> None:
        """Kill the process of a node at once, and so every node that lives in it."""
        worker = self._worker_of[crash.node]
        process = self._processes.get(worker.host)
        if process is None or process.crash is not None:
            return
        process.crash = crash
        self._returns[worker.host] = trio.Event()
        process.signal(signal.SIGKILL)
        for shard in worker.spec["shards"]:
            self._told.emit(shard, "node.crashed", incarnation=worker.deaths + 1, fault=crash.fault)

    def restart(self, node: str) -> None:
        waiting = self._returns.get(self._worker_of[node].host)
        if waiting is not None:
            waiting.set()

    def pause(self, pause: Pause) -> None:
        """Stop the process of a node, and so every node that lives in it."""
        process = self._process_of(pause.node)
        if process is not None:
            process.stopped_by[pause.fault] = None
            process.signal(signal.SIGSTOP)

    def unpause(self, node: str, fault: str) -> None:
        process = self._process_of(node)
        if process is None or fault not in process.stopped_by:
            return
        del process.stopped_by[fault]
        if not process.stopped_by:
            process.signal(signal.SIGCONT)

    async def tell_all(self, line: Mapping[str, Any]) -> None:
        for worker in self._workers:
            if worker.stream is not None:
                await self._tell(worker, line)

    def close(self) -> None:
        """End every process and wait until they are gone: the next command needs the lock."""
        self._maker.kill_all()
        for process in self._processes.values():
            process.signal(signal.SIGKILL)
            gone = select.poll()
            gone.register(process.handle, select.POLLIN)  # Readable once it has ended.
            gone.poll(DEATH_MS_MAX)
            os.close(process.handle)
        self._processes.clear()
        super().close()

    # --- Workers as they come and go.

    async def _made(self, worker: Worker) -> Address | None:
        worker.spec["drill"]["life"] = worker.deaths + 1
        return await super()._made(worker)

    def _take(self, worker: Worker, line: dict[str, Any]) -> None:
        if "listening" in line:
            self._processes[worker.host] = _Process(os.pidfd_open(line["pid"]))
        super()._take(worker, line)

    async def _next_line(self, worker: Worker) -> dict[str, Any] | None:
        while (line := await super()._next_line(worker)) is not None and "ask" in line:
            number, question, arguments = line["ask"]
            found = await answer(self._injector, question, arguments)
            if number:
                await self._tell(worker, {"answer": [number, found]})
        return line

    async def _mourn(self, worker: Worker) -> None:
        process = self._processes.pop(worker.host, None)  # None: it died before it was of use.
        if process is not None:
            os.close(process.handle)
        if process is None or process.crash is None:
            await super()._mourn(worker)
            return
        self._after_death(process.crash)
        after_ns = process.crash.restart_after_ns
        with trio.move_on_after(float("inf") if after_ns is None else after_ns / 1e9):
            await self._returns[worker.host].wait()

    def _process_of(self, node: str) -> _Process | None:
        return self._processes.get(self._worker_of[node].host)
