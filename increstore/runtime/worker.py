"""A worker process: hosts some shards of one restore and talks to the others over TCP.

Started by `spawn`; `processes.WorkerPool` says what the lines on its socket mean.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any

import trio

from increstore.journal import Journal, JournalEvent
from increstore.runtime.cluster import host_shards
from increstore.runtime.groups import first_expected
from increstore.runtime.job import RestoreJob
from increstore.runtime.processes import LineReader, plain_event
from increstore.runtime.spawn import make_workers_on_demand
from increstore.runtime.tuning import tune_process
from increstore.transport.tcp import TcpTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

    Serve = Callable[[Mapping[str, Any], LineReader, "Reporter", trio.Nursery], Awaitable[None]]

EVENTS_WAITING_MAX = 100_000


class Reporter:
    """Sends the parent what happens here, in order, without ever making a shard wait."""

    def __init__(self, parent: trio.SocketStream) -> None:
        self._lines: deque[dict[str, Any]] = deque(maxlen=EVENTS_WAITING_MAX)
        self._lost = 0
        self._news = trio.Event()
        self._parent = parent

    def event(self, event: JournalEvent) -> None:
        self.say({"event": plain_event(event)})

    def say(self, line: dict[str, Any]) -> None:
        if len(self._lines) == EVENTS_WAITING_MAX:
            self._lost += 1
        self._lines.append(line)
        self._news.set()

    def listening(self, transport: TcpTransport) -> None:
        """Where others reach this worker, and what it can be signalled by."""
        self.say({"listening": list(transport.listening), "pid": os.getpid()})

    async def run(self) -> None:
        while True:
            await self.flush()
            self._news = trio.Event()
            await self._news.wait()

    async def flush(self) -> None:
        while self._lines:
            lines = [self._lines.popleft() for _ in range(min(64, len(self._lines)))]
            if self._lost:
                # Whoever judges the run by its journal must know that it has holes.
                lines.insert(0, {"lost": self._lost})
                self._lost = 0
            text = b"".join(json.dumps(line, default=str).encode() + b"\n" for line in lines)
            # Half a line would garble the one that says why this worker ends.
            with trio.CancelScope(shield=True):
                await self._parent.send_all(text)


def main() -> None:
    """Make workers for the parent until it goes away."""
    tune_process()
    make_workers_on_demand(work)


def work(parent: socket.socket) -> int:
    """One worker's life: exit code 0 when the parent went away, 1 after an expected error."""
    with contextlib.suppress(KeyboardInterrupt):
        return trio.run(_main, parent)
    return 1


async def _main(parent: socket.socket) -> int:
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(parent))
    reader = LineReader(stream)
    first = await reader.next()
    if first is None:
        return 0
    reporter = Reporter(stream)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reporter.run)
            await _serving(first["spec"])(first["spec"], reader, reporter, nursery)
    except BaseExceptionGroup as group:
        reporter.say(_last_words(group))
        await reporter.flush()
        return 1
    return 0


def _last_words(group: BaseExceptionGroup) -> dict[str, Any]:
    """What to tell the parent: an expected error, or that this is a bug of ours."""
    try:
        error = first_expected(group)
    except ExceptionGroup as bug:
        traceback.print_exception(bug)
        return {"bug": str(bug)}
    return {"failed": {"kind": type(error).__name__, "text": str(error)}}


def _serving(spec: Mapping[str, Any]) -> Serve:
    if "drill" not in spec:
        return _serve
    from increstore.runtime.drill.worker import serve_in_drill

    return serve_in_drill


async def _serve(
    spec: Mapping[str, Any], reader: LineReader, reporter: Reporter, nursery: trio.Nursery
) -> None:
    journal = Journal()
    journal.subscribe(reporter.event, details=spec["details"])
    job = await trio.to_thread.run_sync(job_of, spec)
    transport = transport_of(spec)
    await nursery.start(transport.run)
    reporter.listening(transport)
    await _take_addresses(transport, reader)
    nursery.start_soon(_follow_parent, transport, reader)
    nursery.start_soon(host_shards, job, spec["shards"], transport, journal)


async def _take_addresses(transport: TcpTransport, reader: LineReader) -> None:
    set_addresses(transport, await next_line(reader))


def set_addresses(transport: TcpTransport, line: Mapping[str, Any]) -> None:
    """Where the other hosts listen, as the parent has told."""
    for host, (ip, port) in line["addresses"].items():
        transport.set_address(host, (ip, port))


async def next_line(reader: LineReader) -> dict[str, Any]:
    """What the parent says next; the process ends, threads and all, once the parent is gone."""
    try:
        line = await reader.next()
    except trio.BrokenResourceError:
        line = None
    if line is None:
        os._exit(0)
    return line


async def _follow_parent(transport: TcpTransport, reader: LineReader) -> None:
    """Learn new addresses."""
    while True:
        await _take_addresses(transport, reader)


def transport_of(spec: Mapping[str, Any]) -> TcpTransport:
    """The transport of the host that the spec names; it learns later where the others listen."""
    return TcpTransport(
        spec["host"], bytes.fromhex(spec["token"]), directory=spec["directory"], addresses={}
    )


def job_of(spec: Mapping[str, Any]) -> RestoreJob:
    """The parent's own job: the same plan, made once."""
    job = pickle.loads(base64.b64decode(spec["job"]))  # From our parent, over our own socket pair.
    assert isinstance(job, RestoreJob)
    return job
