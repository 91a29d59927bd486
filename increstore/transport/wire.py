"""Sockets: opening them, the handshake over one, and tasks that end together when it breaks."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import trio

from increstore.errors import RemoteProtocolError, UsageError
from increstore.transport.framing import PAYLOAD_BYTES_MAX
from increstore.transport.handshake import STEP_HEAD_BYTES, Handshake, Peer, decode_step_head
from increstore.transport.room import BufferLimits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Address: TypeAlias = tuple[str, int]
"""(IP address or host name, port)."""


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """Times in seconds, sizes in bytes; the defaults suit one machine and a local network.

    A connection on which nothing at all has come for `silence_s_max` is taken for dead; as both
    sides say something every `heartbeat_s`, a full mailbox at the peer is not silence.
    """

    connect_s_max: float = 5.0
    handshake_s_max: float = 5.0
    heartbeat_s: float = 2.0
    silence_s_max: float = 15.0
    backoff_s_first: float = 0.05
    backoff_s_max: float = 2.0
    payload_bytes_max: int = PAYLOAD_BYTES_MAX
    handshakes_max: int = 64
    outbox: BufferLimits = field(default_factory=BufferLimits)
    mailbox: BufferLimits = field(default_factory=BufferLimits)

    def __post_init__(self) -> None:
        assert 0 < self.heartbeat_s < self.silence_s_max
        assert 0 < self.backoff_s_first <= self.backoff_s_max


def address_text(address: Address) -> str:
    """As people write it: an IPv6 address in brackets."""
    ip, port = address
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


async def open_listener(address: Address, *, allow_remote: bool) -> trio.SocketListener:
    """Listen on a numeric IP address or `localhost`.

    Raises: UsageError when others could reach the address and `allow_remote` is not set, or when
    it cannot be had.
    """
    ip = "127.0.0.1" if address[0] == "localhost" else address[0]
    try:
        is_loopback = ipaddress.ip_address(ip).is_loopback
    except ValueError as error:
        raise UsageError(f"listen address {ip!r}: expected an IP address: {error}") from error
    if not is_loopback and not allow_remote:
        raise UsageError(
            f"refusing to listen on {address_text(address)}: other machines could reach it and the"
            " connection is not encrypted; use 127.0.0.1, or allow remote peers explicitly"
        )
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await sock.bind((ip, address[1]))
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise UsageError(
            f"cannot listen on {address_text(address)}: {error.strerror}; choose another port"
            " (0 for any) or end the process that holds it"
        ) from error
    return trio.SocketListener(sock)


async def open_connection(address: Address) -> trio.socket.SocketType:
    """A connected socket. Raises: OSError of the last address tried."""
    problem = OSError(f"{address[0]} has no address")
    for family, kind, protocol, _, target in await trio.socket.getaddrinfo(
        *address, type=socket.SOCK_STREAM
    ):
        sock = trio.socket.socket(family, kind, protocol)
        try:
            await sock.connect(target)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise problem


async def shake_hands(sock: trio.socket.SocketType, handshake: Handshake) -> Peer:
    """Do one side of the handshake; the caller bounds its time.

    Raises: RemoteProtocolError when either side refuses, and OSError when the connection breaks.
    """
    await send_all(sock, handshake.opening())
    while handshake.peer is None:
        kind, length = decode_step_head(await _receive_exactly(sock, STEP_HEAD_BYTES))
        body = await _receive_exactly(sock, length)
        try:
            reply = handshake.answer(kind, body)
        except RemoteProtocolError:
            # Told on a best effort: the reason we raise does not depend on the peer hearing it.
            with suppress(OSError):
                await send_all(sock, handshake.farewell)
            raise
        await send_all(sock, reply)
    return handshake.peer


async def send_all(sock: trio.socket.SocketType, data: bytes) -> None:
    """Send all of it, however little the kernel takes at once. Raises: OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[await sock.send(rest) :]


async def _receive_exactly(sock: trio.socket.SocketType, count: int) -> bytes:
    received = b""
    while len(received) < count:
        piece = await sock.recv(count - len(received))
        if not piece:
            raise RemoteProtocolError("handshake: the connection was closed in the middle of it")
        received += piece
    return received


async def first_to_break(*parts: Callable[[], Awaitable[None]]) -> Exception | None:
    """Run the parts of one connection until one ends, then cancel the others.

    Returns what it ended with: None, or the OSError, RemoteProtocolError or TooSlowError. Any
    other exception is ours, and is raised.
    """
    reasons: list[Exception | None] = []
    async with trio.open_nursery() as nursery:

        async def run(part: Callable[[], Awaitable[None]]) -> None:
            try:
                await part()
                reasons.append(None)
            except (OSError, RemoteProtocolError, trio.TooSlowError) as error:
                reasons.append(error)
            nursery.cancel_scope.cancel()

        for part in parts:
            nursery.start_soon(run, part)
    return reasons[0] if reasons else None


LOOKS_PER_SILENCE = 4
"""So many times in the longest silence that is borne, somebody looks whether it is one."""


class Listener:
    """Receives the bytes of one connection, and notices when nothing comes any more.

    A few looks per `silence_s_max` instead of a deadline around every receive, which would cost
    more than the receive. Looks are counted, not seconds: when this process itself was stopped,
    what came meanwhile is read before the next look. Not receiving (a full mailbox) is no silence.
    """

    def __init__(self, sock: trio.socket.SocketType, silence_s_max: float) -> None:
        self._sock = sock
        self._look_s = silence_s_max / LOOKS_PER_SILENCE
        self._listens = False
        self._looks = 0

    async def receive_into(self, buffer: memoryview) -> int:
        """At least one byte into the front of `buffer`; 0 at the end of the stream."""
        self._listens, self._looks = True, 0
        count = await self._sock.recv_into(buffer)
        self._listens = False
        return count

    async def watch(self) -> None:
        """Raises: TooSlowError once it has listened in vain for `silence_s_max` or a bit longer."""
        while True:
            await trio.sleep(self._look_s)
            self._looks += 1
            if self._listens and self._looks > LOOKS_PER_SILENCE:
                raise trio.TooSlowError
