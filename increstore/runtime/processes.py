"""Worker processes for `--on tcp`: started, told what to host, watched, and never left behind.

Parent and worker talk over a socket pair, a JSON object a line:

    parent -> worker   {"spec": ..}, {"addresses": {host: [ip, port]}}
    worker -> parent   {"listening": [ip, port], "pid": ..}, {"event": [at, node, name, facts]},
                       {"failed": {"kind": .., "text": ..}}, {"bug": ..},
                       {"lost": how many events the parent was too slow for}

An event that has details is longer: [at, node, name, facts, details, whether it is one itself].

A worker whose socket ends has lost its parent and exits at once, whatever it is doing, so that not
even `kill -9` of the parent leaves one behind. The target's lock is handed on to every worker: it
is free only when the last process that could write has gone.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from increstore import errors
from increstore.errors import IncrestoreError, StorageFailed
from increstore.journal import JournalEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from increstore.journal import Journal
    from increstore.runtime.spawn import WorkerNursery

LINE_BYTES_MAX = 64 << 20
"""Far beyond anything that a worker says in one line."""
RESTARTS_MAX = 5
"""How often one worker is made again: what kills it each time will go on to do so."""
RESTART_DELAY_S = 0.5

Address = tuple[str, int]


@dataclass(slots=True)
class Worker:
    """One worker process: its host name, the spec it is told, and where it listens."""

    host: str
    spec: dict[str, Any]
    deaths: int = 0
    address: Address | None = None
    stream: trio.SocketStream | None = None
    lines: LineReader | None = field(default=None, repr=False)
    telling: trio.Lock = field(default_factory=trio.Lock, repr=False)


class LineReader:
    """Lines of JSON from a byte stream, each of a bounded length."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def next(self) -> dict[str, Any] | None:
        """The next object, or None at the end of the stream."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            assert searched <= LINE_BYTES_MAX, "a worker's line has no end"
            chunk = await self._stream.receive_some(65536)
            if not chunk:
                return None
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        parsed: dict[str, Any] = json.loads(line)
        return parsed


class WorkerPool:
    """The workers of one restore, alive until the nursery that runs them is cancelled."""

    def __init__(
        self,
        workers: Sequence[Worker],
        nursery: WorkerNursery,
        lock_fd: int,
        journal: Journal,
        on_address: Callable[[str, Address], None],
    ) -> None:
        self._workers = tuple(workers)
        self._nursery = nursery
        self._lock_fd = lock_fd
        self._journal = journal
        self._on_address = on_address
        self._addresses: dict[str, Address] = {}

    async def start(self, known: Mapping[str, Address]) -> None:
        """Give every worker its job and wait until each knows where all others listen."""
        self._addresses.update(known)
        async with trio.open_nursery() as nursery:
            for worker in self._workers:
                nursery.start_soon(self._begin, worker)
        await self._tell_addresses()

    async def run(self) -> None:
        """Relay the workers' events and bring back those that die; until cancelled.

        Raises: whatever expected error a worker reports; StorageFailed when one keeps dying.
        """
        async with trio.open_nursery() as nursery:
            for worker in self._workers:
                nursery.start_soon(self._watch, worker)

    def close(self) -> None:
        """End every worker now. Nothing is lost: what was acknowledged is durable."""
        for worker in self._workers:
            self._hang_up(worker)  # It exits as soon as it sees this.
        self._nursery.close()

    def _hang_up(self, worker: Worker) -> None:
        if worker.stream is not None:
            worker.stream.socket.close()

    async def _begin(self, worker: Worker) -> None:
        """Make the process and give it its job, again when it dies before it is of use.

        Raises: StorageFailed when it keeps dying, or what it reports.
        """
        while (address := await self._made(worker)) is None:
            await self._bury(worker)
        self._addresses[worker.host] = worker.address = address
        self._on_address(worker.host, address)

    async def _made(self, worker: Worker) -> Address | None:
        """Make the process; where it listens, or None when it has died before it said so."""
        ours = self._nursery.make_worker(self._lock_fd)
        worker.stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        worker.lines = LineReader(worker.stream)
        await self._tell(worker, {"spec": worker.spec})
        while worker.address is None:
            line = await self._next_line(worker)
            if line is None:
                return None
            self._take(worker, line)
        return worker.address

    async def _watch(self, worker: Worker) -> None:
        while True:
            while (line := await self._next_line(worker)) is not None:
                self._take(worker, line)
            await self._bury(worker)
            await self._begin(worker)
            await self._tell_addresses()

    async def _bury(self, worker: Worker) -> None:
        """Tell of its death, and wait until it may be made again.

        Raises: StorageFailed when it keeps dying.
        """
        worker.deaths += 1
        worker.address = None
        self._hang_up(worker)
        self._journal.emit(worker.host, "worker.died", deaths=worker.deaths)
        await self._mourn(worker)

    async def _mourn(self, worker: Worker) -> None:
        """Wait a moment before the worker is made again.

        Raises: StorageFailed when it keeps dying.
        """
        if worker.deaths > RESTARTS_MAX:
            raise StorageFailed(
                f"worker {worker.host} died {worker.deaths} times; what was applied is safe; "
                "mend the cause and run the same command again"
            )
        await trio.sleep(RESTART_DELAY_S)

    async def _next_line(self, worker: Worker) -> dict[str, Any] | None:
        assert worker.lines is not None
        try:
            return await worker.lines.next()
        except trio.BrokenResourceError:  # Killed with words of ours unread: an end like another.
            return None

    def _take(self, worker: Worker, line: dict[str, Any]) -> None:
        match line:
            case {"event": event}:
                self._journal.relay(JournalEvent(*event))
            case {"lost": number}:
                self._journal.emit(worker.host, "events.lost", events=number)
            case {"listening": [ip, port]}:
                worker.address = (ip, port)
            case {"failed": {"kind": kind, "text": text}}:
                raise _error_named(kind, f"{text}")
            case {"bug": text}:
                raise RuntimeError(f"worker {worker.host} met a bug: {text}; its words are above")
            case _:
                raise AssertionError(f"worker {worker.host} said {line}")

    async def _tell_addresses(self) -> None:
        for worker in self._workers:
            await self._tell(worker, {"addresses": self._addresses})

    async def _tell(self, worker: Worker, line: Mapping[str, Any]) -> None:
        assert worker.stream is not None
        # If it has died, whoever watches it sees that and brings it back.
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with worker.telling:
                await worker.stream.send_all(json.dumps(line).encode() + b"\n")


def plain_event(event: JournalEvent) -> list[Any]:
    """As `JournalEvent(*plain)` takes it back."""
    plain: list[Any] = [event.at, event.node, event.name, event.facts]
    return [*plain, event.details, event.is_detail] if event.has_details else plain


def _error_named(kind: str, text: str) -> IncrestoreError:
    """The expected error a worker met, as itself."""
    cls = getattr(errors, kind, None)
    if isinstance(cls, type) and issubclass(cls, IncrestoreError):
        return cls(text)
    return IncrestoreError(text)
