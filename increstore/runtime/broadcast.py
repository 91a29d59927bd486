"""Serves what happens in one run to any number of viewers, over TCP, from a thread of its own.

Rules of this file:
- The engine only puts events into a ring: no viewer, slow or gone, costs it a moment.
- What was sent lately is kept once for all viewers. A viewer that is too slow for that misses what
  it missed: it is told how many events, and gets a snapshot.
- Viewers only look, unless `on_command` was given; then they may also ask.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from increstore.errors import RemoteProtocolError, UsageError
from increstore.runtime.backlog import Backlog
from increstore.runtime.control import Reins
from increstore.runtime.event_ring import EventRing
from increstore.runtime.stream_words import STREAM_VERSION, frame
from increstore.runtime.viewer import Viewer
from increstore.view.cluster import ClusterView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.journal import JournalEvent

PERIOD_S = 0.025
"""Events are sent on so often, together."""
ROUND_NS_MAX = 8_000_000
"""What one round may take: the engine's thread wants the interpreter, too."""
BATCH_EVENTS = 256
VIEWERS_MAX = 32
FAREWELL_S_MAX = 2.0
"""How long viewers are given to hear the last words."""
STOP_S_MAX = 3.0


class Broadcast:
    """The server of one run. `put`, `end`, `start` and `stop` are for other threads."""

    def __init__(
        self,
        title: str,
        *,
        can: Sequence[str] = (),
        on_command: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        ring: EventRing | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        """`can`: what viewers may ask of `on_command`, which is called in threads of its own."""
        self.hello: dict[str, Any] = {
            "version": STREAM_VERSION,
            "run": secrets.token_hex(8),
            "title": title,
            "can": sorted(can) if on_command is not None else [],
        }
        self.backlog = backlog or Backlog()
        self.view = ClusterView()
        self.news = trio.Event()
        self.outcome = ""
        self.is_over = False
        self.viewers = 0
        self._is_alone = trio.Event()
        self._is_alone.set()
        self._on_command = on_command
        self._ring = ring or EventRing()
        self._sockets: list[socket.socket] = []
        self._reins = Reins()
        self._thread = threading.Thread(target=trio.run, args=[self._main], name="broadcast")
        self._thread.daemon = True

    # --- From other threads.

    def put(self, event: JournalEvent) -> None:
        """What a journal calls; never waits."""
        self._ring.put(event)

    def start(self, host: str, port: int) -> list[tuple[str, int]]:
        """Listen and serve; returns where. Port 0 is any. Raises: UsageError."""
        self._sockets = _bound(host, port)
        self._thread.start()
        return [one.getsockname()[:2] for one in self._sockets]

    def end(self, outcome: str) -> None:
        """The run has ended like this; viewers may still look."""
        self.outcome = outcome or "ended"

    def stop(self) -> None:
        """Let viewers hear the last words, and leave. Fine before the start, and again."""
        if self._thread.ident is not None:
            self._reins.stop()
            self._thread.join(FAREWELL_S_MAX + STOP_S_MAX)

    # --- In the thread.

    async def _main(self) -> None:
        leaving = trio.Event()
        self._reins.attach(leaving.set)
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(s)) for s in self._sockets]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump)
            nursery.start_soon(partial(trio.serve_listeners, self._serve, listeners))
            await leaving.wait()
            with trio.move_on_after(FAREWELL_S_MAX):
                await self._say_farewell()
            nursery.cancel_scope.cancel()

    async def _say_farewell(self) -> None:
        """The viewers go by themselves once they have heard it all."""
        while self._pump_once():
            await trio.lowlevel.checkpoint()
        self.is_over = True
        self._wake_viewers()
        await self._is_alone.wait()

    async def _pump(self) -> None:
        while True:
            self._pump_once()
            await trio.sleep(PERIOD_S)

    def _pump_once(self) -> bool:
        """From the ring to the backlog, and into the view that newcomers get; whether there was
        anything."""
        began, end = time.perf_counter_ns(), self.backlog.end
        while events := self._ring.take(BATCH_EVENTS):
            for event in events:
                self.view.apply(event)
            self.view.dirty.clear()
            self.backlog.add(events)
            if time.perf_counter_ns() - began > ROUND_NS_MAX:
                break
        if self.backlog.end == end:
            return False
        self._wake_viewers()
        return True

    def _wake_viewers(self) -> None:
        self.news.set()
        self.news = trio.Event()

    async def _serve(self, stream: trio.SocketStream) -> None:
        self._came()
        try:
            if self.viewers > VIEWERS_MAX:
                await stream.send_all(frame(refused=f"there are {VIEWERS_MAX} viewers already"))
            else:
                await Viewer(self, stream).serve()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, RemoteProtocolError):
            pass  # It has gone, or it is none of ours.
        finally:
            self._went()
            await trio.aclose_forcefully(stream)

    def _came(self) -> None:
        if not self.viewers:
            self._is_alone = trio.Event()
        self.viewers += 1

    def _went(self) -> None:
        self.viewers -= 1
        if not self.viewers:
            self._is_alone.set()

    # --- For viewers.

    def status(self) -> dict[str, Any]:
        """How it is with the run."""
        return {
            "state": "ended" if self.outcome and self._ring.is_empty else "running",
            "outcome": self.outcome,
            "dropped": self._ring.dropped,
            "viewers": self.viewers,
        }

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        if self._on_command is None:
            return {"is_done": False, "says": "this run is only looked at (no --control)"}
        return await trio.to_thread.run_sync(self._on_command, command)


def _bound(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen at every address of the host."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # Any port is another one at each address, so there it is the first address alone.
        for family, _, _, _, address in dict.fromkeys(found if port else found[:1]):
            one = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen()
    except OSError as error:
        for one in sockets:
            one.close()
        raise UsageError(
            f"cannot listen at {host}:{port} ({error.strerror}); choose another with --serve"
        ) from error
    return sockets
