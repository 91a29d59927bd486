"""What only real sockets can get wrong; every peer here that misbehaves is a raw socket."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager

import pytest
import trio

from increstore.errors import LocalProtocolError, RemoteProtocolError, UsageError
from increstore.transport.codec import encode
from increstore.transport.framing import HEARTBEAT, encode_frame
from increstore.transport.handshake import Handshake, Hello, Side
from increstore.transport.link import Backoff
from increstore.transport.room import BufferLimits
from increstore.transport.tcp import TcpTransport
from increstore.transport.wire import TcpSettings, open_connection, send_all, shake_hands

from .builders import a_batch, a_small_message, an_acknowledgement
from .clusters import PATIENCE_S, TOKEN

DIRECTORY = {"a": "left", "a2": "left", "b": "right", "b2": "right"}
SOON = TcpSettings(handshake_s_max=0.1, connect_s_max=1.0, heartbeat_s=0.01, silence_s_max=0.2)
"""Short limits, for tests in which the limit is what must be met."""


def a_transport(host, *, token=TOKEN, directory=DIRECTORY, addresses=None, **options):
    return TcpTransport(host, token, directory, addresses or {}, **options)


@asynccontextmanager
async def running(*transports):
    """Run them, each knowing where the others listen; closed when the block ends."""
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for transport in transports:
                await nursery.start(transport.run)
            for one in transports:
                for other in transports:
                    one.set_address(other.host, other.listening)
            yield nursery
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def dialled(transport, host="left", *, incarnation=1, token=TOKEN, **versions):
    """A raw socket that has shaken hands with `transport` as `host`."""
    hello = Hello(host, incarnation, b"n" * 16, **versions)
    with await open_connection(transport.listening) as sock:
        await shake_hands(sock, Handshake(Side.DIALLER, hello, token, lambda _: None))
        yield sock


@asynccontextmanager
async def a_raw_listener():
    with trio.socket.socket() as sock:
        await sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


async def until_end(sock):
    """Read, as a peer would, until the other side closes; what it said."""
    said = b""
    try:
        while piece := await sock.recv(65536):
            said += piece
    except ConnectionResetError:
        pass
    return said


async def problem_of(transport, host):
    """The text of the first problem on the link to `host`."""
    return (await transport.until(host, lambda status: bool(status.problem))).problem


async def first_refusal_of(transport):
    while not transport.refusals:
        await trio.lowlevel.checkpoint()
    return transport.refusals[0]


def frame_bytes(message, receiver="b"):
    return b"".join(encode_frame(*encode("a", receiver, message)))


# --- Frames that must not get in.


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        bytes(4096),
        b"\xff" * 4096,
        b"\x01\x00\x04oops",
    ],
    ids=["http", "tls", "zeros", "ones", "hello of four bytes"],
)
async def test_a_stranger_is_hung_up_on_and_everybody_else_goes_on(sent):
    left, right = a_transport("left"), a_transport("right")
    async with running(left, right):
        a, b = left.attach("a"), right.attach("b")
        with await open_connection(right.listening) as sock:
            await send_all(sock, sent)
            await until_end(sock)
        assert right.counters.refused_connections == 1
        assert "not an increstore peer" in right.refusals[0]

        await a.send("b", a_small_message())
        assert await b.receive() == ("a", a_small_message())


async def test_a_stranger_that_says_nothing_is_hung_up_on():
    right = a_transport("right", settings=SOON)
    async with running(right):
        with await open_connection(right.listening) as sock:
            await until_end(sock)
        assert "no handshake within 0.1 s" in right.refusals[0]


async def test_no_more_strangers_are_heard_at_once_than_allowed():
    right = a_transport("right", settings=TcpSettings(handshakes_max=1))
    async with running(right):
        with await open_connection(right.listening) as first:
            assert await first.recv(1) != b""  # Its handshake is under way.
            with await open_connection(right.listening) as second:
                assert await until_end(second) == b""
        assert "1 handshakes are under way" in right.refusals[0]


def changed(frame, place):
    damaged = bytearray(frame)
    damaged[place] ^= 0x10
    return bytes(damaged)


GOOD = frame_bytes(a_batch(payload=b"rows" * 100))
OVERSIZE = b"".join(encode_frame(b"h", bytes(5000)))


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (changed(GOOD, 5), "preamble's checksum"),
        (changed(GOOD, 40), "header's checksum"),
        (changed(GOOD, -1), "payload's checksum"),
        (OVERSIZE[:32], "payload of 5000 bytes .expected at most 4096"),
        (b"x" * 64, "not our peer"),
        (b"".join(encode_frame(b"\xc1", None)), "not msgpack"),
    ],
)
async def test_a_bad_frame_ends_its_connection_and_nothing_else(sent, complaint):
    left = a_transport("left")
    right = a_transport("right", settings=TcpSettings(payload_bytes_max=4096))
    async with running(left, right):
        a, b = left.attach("a"), right.attach("b")
        async with dialled(right) as sock:
            await send_all(sock, frame_bytes(an_acknowledgement(1)) + sent)
            await until_end(sock)
        assert right.counters.refused_frames == 1
        assert right.counters.received == 1
        with pytest.raises(RemoteProtocolError, match=complaint):
            raise RemoteProtocolError(right.refusals[0])

        await a.send("b", an_acknowledgement(2))
        assert [await b.receive() for _ in range(2)] == [
            ("a", an_acknowledgement(1)),
            ("a", an_acknowledgement(2)),
        ]


@pytest.mark.parametrize("cut", [1, 200, len(GOOD) - 1])
async def test_a_frame_torn_by_the_end_of_the_connection_is_not_delivered(cut):
    right = a_transport("right")
    async with running(right):
        b = right.attach("b")
        async with dialled(right) as sock:
            await send_all(sock, frame_bytes(an_acknowledgement(1)) + GOOD[:-cut])
            sock.shutdown(socket.SHUT_WR)
            await until_end(sock)
        assert right.counters.received == 1
        assert right.counters.refused_frames == 1
        assert "ended inside a frame" in right.refusals[0]
        assert await b.receive() == ("a", an_acknowledgement(1))


async def test_a_message_to_a_node_that_is_not_here_is_dropped_and_the_connection_kept():
    right = a_transport("right")
    async with running(right), dialled(right) as sock:
        b = right.attach("b")
        await send_all(sock, frame_bytes(a_small_message(1), "b2"))
        await send_all(sock, frame_bytes(a_small_message(2), "b"))
        assert await b.receive() == ("a", a_small_message(2))
        assert right.counters.dropped == 1


async def test_a_dialler_that_is_sent_a_message_hangs_up():
    async with a_raw_listener() as listener:
        left = a_transport("left", addresses={"right": listener.getsockname()})
        async with running(left):
            left.status("right")
            peer, _ = await listener.accept()
            with peer:
                await shake_hands(peer, as_right())
                await send_all(peer, GOOD)
                assert "payload of 400 bytes" in await problem_of(left, "right")


# --- Handshakes that must fail, with a text at both ends.


def as_right(incarnation=1):
    return Handshake(Side.ACCEPTOR, Hello("right", incarnation, b"r" * 16), TOKEN, lambda _: None)


async def test_a_wrong_token_is_told_at_both_ends():
    left, right = a_transport("left", token=b"another"), a_transport("right")
    async with running(left, right):
        assert "wrong cluster token" in await problem_of(left, "right")
        assert "wrong cluster token" in await first_refusal_of(right)
        assert not left.status("right").connected


async def test_a_newer_protocol_is_told_at_both_ends():
    right = a_transport("right")
    async with running(right):
        with pytest.raises(RemoteProtocolError, match="upgrade the one that speaks 1 to 1"):
            async with dialled(right, version_min=2, version_max=3):
                pass
        assert "upgrade the one that speaks 1 to 1" in await first_refusal_of(right)


async def test_a_host_nobody_knows_is_told_so():
    right = a_transport("right")
    async with running(right):
        with pytest.raises(RemoteProtocolError, match=r"refused by the peer.*'stray' is not part"):
            async with dialled(right, "stray"):
                pass
        assert "'stray' is not part of this cluster" in await first_refusal_of(right)


async def test_another_host_behind_the_address_is_noticed():
    left, right = a_transport("left"), a_transport("right", directory={"b": "right", "a": "left"})
    async with running(left, right):
        left.set_address("middle", right.listening)
        assert "'middle' was dialled, but 'right' answered" in await problem_of(left, "middle")


async def test_a_peer_that_never_answers_the_handshake_is_given_up():
    async with a_raw_listener() as listener:
        left = a_transport("left", addresses={"right": listener.getsockname()}, settings=SOON)
        async with running(left):
            assert "no answer within" in await problem_of(left, "right")


async def test_an_earlier_process_of_a_host_does_not_push_out_a_later_one():
    right = a_transport("right")
    async with running(right):
        b = right.attach("b")
        async with dialled(right, incarnation=2) as later:
            with pytest.raises(RemoteProtocolError, match="a later process of host 'left'"):
                async with dialled(right, incarnation=1):
                    pass
            await send_all(later, frame_bytes(a_small_message()))
            assert await b.receive() == ("a", a_small_message())


async def test_a_later_connection_of_a_host_replaces_the_one_before():
    right = a_transport("right")
    async with running(right):
        b = right.attach("b")
        async with dialled(right, incarnation=1) as earlier:
            await send_all(earlier, frame_bytes(a_small_message(1)))
            await b.receive()
            async with dialled(right, incarnation=2) as later:
                await send_all(later, frame_bytes(a_small_message(2)))
                assert await b.receive() == ("a", a_small_message(2))
                await until_end(earlier)


# --- Links that break, and peers that do not read.


async def test_messages_sent_before_the_peer_is_up_arrive_when_it_is():
    left, right = a_transport("left"), a_transport("right")
    async with running(left) as nursery:
        a, b = left.attach("a"), right.attach("b")
        await a.send("b", a_small_message(1))
        assert "address of right is not known" in await problem_of(left, "right")
        await nursery.start(right.run)
        left.set_address("right", right.listening)
        assert await b.receive() == ("a", a_small_message(1))


async def test_a_restarted_peer_is_found_again_at_its_new_address():
    left, first, second = a_transport("left"), a_transport("right"), a_transport("right")
    async with running(left):
        a = left.attach("a")
        async with running(first):
            b = first.attach("b")
            left.set_address("right", first.listening)
            await a.send("b", a_small_message(1))
            assert await b.receive() == ("a", a_small_message(1))
        await problem_of(left, "right")
        await a.send("b", a_small_message(2))

        async with running(second):
            b = second.attach("b")
            left.set_address("right", second.listening)
            assert await b.receive() == ("a", a_small_message(2))
        assert left.counters.reconnects == 1


async def test_a_peer_restarted_at_the_same_address_is_dialled_until_it_answers():
    left, first = a_transport("left"), a_transport("right")
    async with running(left):
        a = left.attach("a")
        async with running(first):
            left.set_address("right", first.listening)
            await left.until("right", lambda status: status.connected)
        await problem_of(left, "right")

        second = a_transport("right", listen=first.listening)
        async with running(second):
            b = second.attach("b")
            await a.send("b", a_small_message())
            assert await b.receive() == ("a", a_small_message())
        assert left.status("right").connections == 2


async def test_a_new_address_replaces_a_standing_connection():
    left, first, second = a_transport("left"), a_transport("right"), a_transport("right")
    async with running(left), running(first), running(second):
        a, b = left.attach("a"), second.attach("b")
        left.set_address("right", first.listening)
        await left.until("right", lambda status: status.connected)
        left.set_address("right", second.listening)
        await left.until("right", lambda status: status.connections == 2)
        await a.send("b", a_small_message())
        assert await b.receive() == ("a", a_small_message())


async def test_beyond_the_outbox_messages_to_an_unreachable_peer_are_dropped_not_waited_for():
    settings = TcpSettings(outbox=BufferLimits(messages_max=3))
    left, right = a_transport("left", settings=settings), a_transport("right")
    async with running(left) as nursery:
        a, b = left.attach("a"), right.attach("b")
        await problem_of(left, "right")
        for generation in range(5):
            await a.send("b", a_small_message(generation))
        assert left.counters.dropped == 2

        await nursery.start(right.run)
        left.set_address("right", right.listening)
        assert [(await b.receive())[1].generation for _ in range(3)] == [0, 1, 2]


async def test_a_peer_that_reads_nothing_and_says_nothing_is_given_up():
    """A frozen process: `send` waits while it may be alive, and drops once it cannot be."""
    limits = BufferLimits(payload_bytes_max=1 << 20)
    async with a_raw_listener() as listener, trio.open_nursery() as nursery:
        settings = TcpSettings(
            handshake_s_max=0.1, heartbeat_s=0.01, silence_s_max=0.3, outbox=limits
        )
        left = a_transport("left", addresses={"right": listener.getsockname()}, settings=settings)
        async with running(left):
            a = left.attach("a")

            async def send():
                while left.counters.dropped < 10:
                    await a.send("b", a_batch(payload=bytes(1 << 20)))

            nursery.start_soon(send)
            peer, _ = await listener.accept()
            with peer:
                await shake_hands(peer, as_right())
                await left.until("right", lambda status: "silent" in status.problem)
                while left.counters.dropped < 10:
                    await trio.lowlevel.checkpoint()


async def test_a_silent_dialler_is_hung_up_on():
    right = a_transport("right", settings=SOON)
    async with running(right), dialled(right) as sock:
        said = await until_end(sock)
        assert said.startswith(HEARTBEAT)


async def test_an_idle_link_is_kept_alive_by_heartbeats_alone():
    left, right = a_transport("left", settings=SOON), a_transport("right", settings=SOON)
    async with running(left, right):
        await left.until("right", lambda status: status.connected)
        with trio.move_on_after(0.6):  # Three times the silence that would end it.
            await problem_of(left, "right")
        assert left.status("right").connections == 1


async def test_a_full_mailbox_is_not_taken_for_silence():
    settings = TcpSettings(
        heartbeat_s=0.01,
        silence_s_max=0.2,
        mailbox=BufferLimits(messages_max=1),
        outbox=BufferLimits(messages_max=1),
    )
    left, right = a_transport("left", settings=settings), a_transport("right", settings=settings)
    async with running(left, right) as nursery:
        a, b = left.attach("a"), right.attach("b")

        async def send():
            for order in range(200):
                await a.send("b", a_batch(order, bytes(100_000)))

        nursery.start_soon(send)
        await left.until("right", lambda status: status.connected)
        started = trio.current_time()
        with trio.move_on_after(0.6):  # Three times the silence that would end it.
            await problem_of(left, "right")
        assert trio.current_time() - started > 0.5
        assert [(await b.receive())[1].order for _ in range(200)] == list(range(200))
        assert left.status("right").connections == 1


# --- Starting and ending.


async def test_cancelling_closes_every_socket_and_lets_go_whoever_waits():
    left, right = a_transport("left"), a_transport("right")
    a, b = left.attach("a"), right.attach("b")
    async with running(left, right):
        await a.send("b", a_small_message())
        await b.receive()
        async with dialled(right, incarnation=1 << 63) as sock:
            pass
        address = right.listening
    with trio.socket.socket() as sock, pytest.raises(ConnectionRefusedError):
        await sock.connect(address)
    for _ in range(3000):  # More than an outbox holds: nobody is left to wait for.
        await a.send("b", a_small_message())
    assert left.counters.dropped > 0


async def test_a_transport_is_started_once():
    left = a_transport("left")
    with pytest.raises(LocalProtocolError, match="does not listen yet"):
        _ = left.listening
    async with running(left):
        with pytest.raises(LocalProtocolError, match="started before"):
            await left.run()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7"])
async def test_an_address_others_could_reach_is_refused_unless_asked_for(address):
    with pytest.raises(UsageError, match=r"refusing to listen on .*allow remote peers explicitly"):
        await a_transport("left", listen=(address, 0)).run()


async def test_any_address_is_listened_on_when_asked_for():
    left = a_transport("left", listen=("0.0.0.0", 0), allow_remote=True)
    async with running(left):
        assert left.listening[0] == "0.0.0.0"


async def test_a_listen_address_that_is_no_address_is_refused():
    with pytest.raises(UsageError, match="'nowhere': expected an IP address"):
        await a_transport("left", listen=("nowhere", 0)).run()


async def test_a_port_in_use_is_named():
    left = a_transport("left")
    async with running(left):
        port = left.listening[1]
        with pytest.raises(UsageError, match=f"127.0.0.1:{port}: Address already in use"):
            await a_transport("right", listen=("127.0.0.1", port)).run()


async def test_localhost_and_ipv6_loopback_serve_as_well():
    left, right = (
        a_transport("left", listen=("localhost", 0)),
        a_transport("right", listen=("::1", 0)),
    )
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    async with running(left, right):
        a, b = left.attach("a"), right.attach("b")
        await a.send("b", a_small_message())
        assert await b.receive() == ("a", a_small_message())


@pytest.mark.parametrize(("host", "token"), [("", TOKEN), ("left", b""), ("x" * 2000, TOKEN)])
def test_a_host_needs_a_name_and_a_token(host, token):
    with pytest.raises(LocalProtocolError, match="needs a name and a token"):
        a_transport(host, token=token)


def test_a_node_is_attached_where_the_directory_has_it():
    with pytest.raises(LocalProtocolError, match="the directory says 'right'"):
        a_transport("left").attach("b")


def test_the_backoff_doubles_up_to_its_limit_and_never_stampedes():
    backoff = Backoff(0.1, 0.8)
    delays = [backoff.next_s() for _ in range(6)]
    for delay, nominal in zip(delays, [0.1, 0.2, 0.4, 0.8, 0.8, 0.8], strict=True):
        assert nominal / 2 <= delay <= nominal
    backoff.reset()
    assert backoff.next_s() <= 0.1
