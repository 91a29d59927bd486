"""The outgoing connection to one peer host: dialled, kept, and dialled again when it breaks.

Rows and messages go one way on it. The peer says only "I am here", so that its end, or its
silence, is noticed even by a side with nothing to send.
"""

from __future__ import annotations

import random
import socket
import struct
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from increstore.errors import RemoteProtocolError
from increstore.transport.framing import HEARTBEAT, FrameDecoder
from increstore.transport.handshake import Handshake, Hello, Side
from increstore.transport.outbox import Outbox
from increstore.transport.wire import (
    Listener,
    TcpSettings,
    address_text,
    first_to_break,
    open_connection,
    send_all,
    shake_hands,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.transport.seam import LinkCounters
    from increstore.transport.wire import Address

_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)  # struct linger: closing sends a reset, and waits not.


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """How the link to one peer host is; `problem` says why it last broke or could not be made."""

    host: str
    connected: bool = False
    connections: int = 0
    attempts: int = 0
    problem: str = ""


class Backoff:
    """How long to wait before the next try: doubled each time, with jitter, up to a limit."""

    def __init__(self, first_s: float, max_s: float) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Between half and all of the current delay, so that peers do not return in step."""
        delay_s = self._next_s * random.uniform(0.5, 1.0)
        self._next_s = min(self._max_s, self._next_s * 2)
        return delay_s

    def reset(self) -> None:
        self._next_s = self._first_s


class Link:
    """Carries the frames of `outbox` to one peer host, from `start` on."""

    def __init__(
        self,
        host: str,
        hello: Callable[[], Hello],
        token: bytes,
        settings: TcpSettings,
        counters: LinkCounters,
    ) -> None:
        self.outbox = Outbox(settings.outbox)
        self.status = PeerStatus(host)
        self._hello = hello
        self._token = token
        self._settings = settings
        self._counters = counters
        self._address: Address | None = None
        self._connection: trio.CancelScope | None = None
        self._socket: trio.socket.SocketType | None = None
        self._redial = trio.Event()
        self._changed = trio.lowlevel.ParkingLot()
        self._runs = False
        self._backoff = Backoff(settings.backoff_s_first, settings.backoff_s_max)

    def set_address(self, address: Address) -> None:
        """Where the peer listens now: dialled at once, also when it was another place before."""
        if address != self._address and self._connection is not None:
            self._connection.cancel()
        self._address = address
        self._expect_connection()
        self._backoff.reset()
        self._redial.set()

    def reset(self) -> None:
        """Break the connection, if one stands: what the kernel still holds of it is lost."""
        if self._socket is not None and self._connection is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
            self._connection.cancel()

    async def until(self, condition: Callable[[PeerStatus], bool]) -> PeerStatus:
        """Wait until the status meets `condition`; returns that status."""
        while not condition(self.status):
            await self._changed.park()
        return self.status

    def start(self, nursery: trio.Nursery) -> None:
        """Dial, and keep the link, until the nursery is cancelled."""
        self._runs = True
        self._expect_connection()
        nursery.start_soon(self._run)

    def _expect_connection(self) -> None:
        """Until the first try has failed, a full outbox is no reason to drop a message."""
        if self._runs and self._address is not None:
            self.outbox.expect_link()

    async def _run(self) -> None:
        """Nothing a peer does ends it."""
        try:
            while True:
                delay_s = await self._connect_once()
                with trio.move_on_after(delay_s):
                    await self._redial.wait()
        finally:
            self._runs = False
            self.outbox.give_up_waiting()

    async def _connect_once(self) -> float:
        """One connection from its making to its end; how long to wait before the next."""
        self._redial = trio.Event()
        if self._address is None:
            self._note(problem=f"the address of {self.status.host} is not known yet")
            return float("inf")
        self._note(attempts=self.status.attempts + 1)
        with trio.CancelScope() as self._connection:
            started = trio.current_time()
            connections = self.status.connections
            address = self._address
            problem = await self._connect_and_serve(address)
            if connections == self.status.connections:
                self.outbox.give_up_waiting()
            self._note(problem=f"{self.status.host} at {address_text(address)}: {problem}")
            # A link that breaks as soon as it stands must not be dialled in a busy loop.
            if trio.current_time() - started > self._settings.backoff_s_max:
                self._backoff.reset()
        self._connection = None
        return 0.0 if self._redial.is_set() else self._backoff.next_s()

    async def _connect_and_serve(self, address: Address) -> str:
        settings = self._settings
        try:
            with trio.fail_after(settings.connect_s_max):
                sock = await open_connection(address)
            with sock:
                with trio.fail_after(settings.handshake_s_max):
                    await shake_hands(sock, self._handshake())
                return await self._serve(sock)
        except trio.TooSlowError:
            return f"no answer within {settings.connect_s_max + settings.handshake_s_max:g} s"
        except (OSError, RemoteProtocolError) as error:
            return str(error)

    def _handshake(self) -> Handshake:
        return Handshake(Side.DIALLER, self._hello(), self._token, self._refuse_other_host)

    def _refuse_other_host(self, answered: Hello) -> str | None:
        if answered.host == self.status.host:
            return None
        return f"{self.status.host!r} was dialled, but {answered.host!r} answered"

    async def _serve(self, sock: trio.socket.SocketType) -> str:
        if self.status.connections:
            self._counters.reconnects += 1
        self.outbox.restart()
        self.outbox.expect_link()
        self._note(connected=True, connections=self.status.connections + 1, problem="")
        self._socket = sock
        try:
            listener = Listener(sock, self._settings.silence_s_max)
            reason = await first_to_break(
                partial(self._write, sock), partial(self._listen, listener), listener.watch
            )
        finally:
            self._socket = None
            self._note(connected=False)
        if isinstance(reason, trio.TooSlowError):
            return f"silent for {self._settings.silence_s_max:g} s"
        return "the peer closed the connection" if reason is None else str(reason)

    async def _write(self, sock: trio.socket.SocketType) -> None:
        while True:
            if not self.outbox:
                with trio.move_on_after(self._settings.heartbeat_s):
                    await self.outbox.wait_until_filled()
            if not self.outbox:
                await send_all(sock, HEARTBEAT)
                continue
            self.outbox.sent(await sock.sendmsg(self.outbox.gather()))

    async def _listen(self, listener: Listener) -> None:
        """Read the peer's heartbeats until it closes or breaks the rules."""
        decoder = FrameDecoder(payload_bytes_max=0, staging_bytes=4096)
        while True:
            count = await listener.receive_into(decoder.writable())
            if count == 0:
                return
            decoder.received(count)
            if decoder.next_frame() is not None:
                raise RemoteProtocolError("the peer sent a message on a connection we dialled")

    def _note(self, **changes: Any) -> None:
        self.status = replace(self.status, **changes)
        self._changed.unpark_all()
