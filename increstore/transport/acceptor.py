"""The accepting side of connections: it proves the peer, then reads frames into mailboxes.

A peer host has one connection at a time. A new one replaces the old, which is first brought to its
end, so that messages of two connections never mix; unless the new one comes from an earlier
process of that host, which is refused. Whatever comes over a connection can end that connection
and nothing else.
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

from increstore.errors import RemoteProtocolError
from increstore.transport.codec import decode
from increstore.transport.framing import HEARTBEAT, FrameDecoder
from increstore.transport.handshake import Handshake, Hello, Peer, Side
from increstore.transport.wire import Listener, TcpSettings, first_to_break, send_all, shake_hands

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from increstore.transport.framing import Frame
    from increstore.transport.mailbox import Mailboxes
    from increstore.transport.seam import LinkCounters

REFUSALS_KEPT_MAX = 64


@dataclass(slots=True)
class _Connection:
    incarnation: int
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)


class Acceptor:
    """Serves the connections that others dial; `knows_host` says who may."""

    def __init__(
        self,
        hello: Callable[[], Hello],
        token: bytes,
        settings: TcpSettings,
        knows_host: Callable[[str], bool],
        mailboxes: Mailboxes,
        counters: LinkCounters,
    ) -> None:
        self.refusals: deque[str] = deque(maxlen=REFUSALS_KEPT_MAX)
        self._hello = hello
        self._token = token
        self._settings = settings
        self._knows_host = knows_host
        self._mailboxes = mailboxes
        self._counters = counters
        self._connections: dict[str, _Connection] = {}
        self._handshakes = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """One accepted connection, from its handshake to its end."""
        with stream.socket as sock:
            peer = await self._admit(sock)
            if peer is None:
                return
            async with self._only_connection_of(peer):
                listener = Listener(sock, self._settings.silence_s_max)
                reason = await first_to_break(
                    partial(self._read, listener), partial(self._beat, sock), listener.watch
                )
                if isinstance(reason, RemoteProtocolError):
                    self._counters.refused_frames += 1
                    self.refusals.append(f"{peer.host}: {reason}; the connection was closed")

    async def _admit(self, sock: trio.socket.SocketType) -> Peer | None:
        """The peer, when the handshake succeeds in time."""
        place = str(sock.getpeername())
        if self._handshakes >= self._settings.handshakes_max:
            self._refuse(f"{place}: {self._handshakes} handshakes are under way; closed unheard")
            return None
        handshake = Handshake(Side.ACCEPTOR, self._hello(), self._token, self._refuse_host)
        self._handshakes += 1
        try:
            with trio.fail_after(self._settings.handshake_s_max):
                return await shake_hands(sock, handshake)
        except trio.TooSlowError:
            self._refuse(f"{place}: no handshake within {self._settings.handshake_s_max:g} s")
        except (OSError, RemoteProtocolError) as error:
            self._refuse(f"{place}: {error}")
        finally:
            self._handshakes -= 1
        return None

    def _refuse(self, why: str) -> None:
        self._counters.refused_connections += 1
        self.refusals.append(why)

    def _refuse_host(self, hello: Hello) -> str | None:
        if not self._knows_host(hello.host):
            return f"host {hello.host!r} is not part of this cluster; check its name"
        standing = self._connections.get(hello.host)
        if standing is not None and hello.incarnation < standing.incarnation:
            return f"a later process of host {hello.host!r} is connected; end this one"
        return None

    @asynccontextmanager
    async def _only_connection_of(self, peer: Peer) -> AsyncIterator[None]:
        """The body runs as the peer's one connection: the last has ended, the next cancels it."""
        while (standing := self._connections.get(peer.host)) is not None:
            standing.scope.cancel()
            await standing.ended.wait()
        connection = self._connections[peer.host] = _Connection(peer.incarnation)
        try:
            with connection.scope:
                yield
        finally:
            del self._connections[peer.host]
            connection.ended.set()

    async def _read(self, listener: Listener) -> None:
        """Deliver frame by frame: a full mailbox stops the reading, and so, by TCP, the sender."""
        decoder = FrameDecoder(self._settings.payload_bytes_max)
        while True:
            count = await listener.receive_into(decoder.writable())
            if count == 0:
                break
            decoder.received(count)
            while (frame := decoder.next_frame()) is not None:
                await self._deliver(frame)
        if not decoder.is_between_frames:
            raise RemoteProtocolError("the connection ended inside a frame")

    async def _deliver(self, frame: Frame) -> None:
        sender, receiver, message = decode(frame.header, frame.payload)
        await self._mailboxes.deliver(sender, receiver, message)

    async def _beat(self, sock: trio.socket.SocketType) -> None:
        """Tell the dialler that we live, also while a full mailbox keeps us from reading."""
        while True:
            await trio.sleep(self._settings.heartbeat_s)
            await send_all(sock, HEARTBEAT)
