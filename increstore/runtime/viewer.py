"""One viewer of a broadcast, seen from the server: what it is told, and what it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import trio

from increstore.runtime.stream_words import STREAM_VERSION, FrameReader, frame, plain
from increstore.view.snapshots import snapshot_event

if TYPE_CHECKING:
    from increstore.runtime.backlog import Backlog
    from increstore.view.cluster import ClusterView

JOIN_S_MAX = 5.0
WHOLE_EVENTS_MAX = 20_000
"""A newcomer is not made to fold more than this."""
STATUS_PERIOD_S = 0.5
"""Also while nothing happens: a viewer that hears nothing knows that nobody is there."""
RECEIVE_BYTES = 64 << 10
ASKED_BYTES_MAX = 1 << 20
"""A viewer has little to say."""


class Stage(Protocol):
    """What all viewers of a broadcast look at."""

    hello: dict[str, Any]
    backlog: Backlog
    view: ClusterView
    news: trio.Event
    outcome: str
    is_over: bool
    """Whether there will be no more events, and no server."""

    def status(self) -> dict[str, Any]: ...
    async def answer(self, command: dict[str, Any]) -> dict[str, Any]: ...


class Viewer:
    """Serves one connection until either side goes."""

    def __init__(self, stage: Stage, stream: trio.SocketStream) -> None:
        self._stage = stage
        self._stream = stream
        self._reader = FrameReader(ASKED_BYTES_MAX)
        self._sending = trio.Lock()
        self._next = 0
        """The number of the event that it gets next."""
        self._status: dict[str, Any] = {}
        self._status_at = 0.0

    async def serve(self) -> None:
        """Raises: BrokenResourceError when it goes, RemoteProtocolError when it is none."""
        join = None
        with trio.move_on_after(JOIN_S_MAX):
            join = (await self._receive()).get("join")
        if not isinstance(join, dict):
            return
        version = join.get("version")
        if version != STREAM_VERSION:
            why = f"this run speaks version {STREAM_VERSION} of the stream, the viewer {version}"
            await self._send(frame(refused=f"{why}; use the same increstore on both sides"))
            return
        await self._send(frame(hello=self._stage.hello))
        await self._begin(join)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            await self._tell()
            nursery.cancel_scope.cancel()

    async def _begin(self, join: dict[str, Any]) -> None:
        """Where it was when it comes again. A newcomer gets all that has happened while that is
        not much, else a picture of how things are."""
        stage, number = self._stage, join.get("seq")
        if join.get("run") != stage.hello["run"] or not isinstance(number, int):
            if stage.backlog.end > WHOLE_EVENTS_MAX or stage.backlog.since(0) is None:
                await self._send_snapshot(missed=0)
        elif stage.backlog.since(number) is None:
            await self._send_snapshot(missed=stage.backlog.end - number)
        else:
            self._next = number

    async def _tell(self) -> None:
        stage = self._stage
        while True:
            news = stage.news
            batches = stage.backlog.since(self._next)
            if batches is None:
                await self._send_snapshot(missed=stage.backlog.end - self._next)
            elif batches:
                self._next = batches[-1].end
                await self._send(b"".join(batch.frame for batch in batches))
            elif stage.is_over:
                await self._send(frame(bye=stage.outcome))
                return
            else:
                with trio.move_on_after(STATUS_PERIOD_S):
                    await news.wait()
            await self._send_status()

    async def _send_snapshot(self, missed: int) -> None:
        stage = self._stage
        self._next = stage.backlog.end
        event = plain(snapshot_event(stage.view))
        await self._send(frame(snapshot=event, seq=self._next, missed=missed))

    async def _send_status(self) -> None:
        now, status = trio.current_time(), self._stage.status()
        if self._next < self._stage.backlog.end:
            status["state"] = "running"  # For this viewer: it has not seen the end.
        if status != self._status or now - self._status_at >= STATUS_PERIOD_S:
            self._status, self._status_at = status, now
            await self._send(frame(status=status))

    async def _listen(self) -> None:
        while True:
            command = (await self._receive()).get("command")
            if isinstance(command, dict):
                found = await self._stage.answer(command)
                await self._send(frame(answer={"id": command.get("id"), **found}))

    async def _receive(self) -> dict[str, Any]:
        while True:
            for found in self._reader.frames():
                return found
            received = await self._stream.receive_some(RECEIVE_BYTES)
            if not received:
                raise trio.BrokenResourceError("the viewer has gone")
            self._reader.feed(received)

    async def _send(self, frames: bytes) -> None:
        async with self._sending:
            await self._stream.send_all(frames)
