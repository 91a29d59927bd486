"""A transport behind faults does to real mailboxes and sockets what it is told to."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from increstore.errors import LocalProtocolError, RemoteProtocolError
from increstore.transport.codec import encode
from increstore.transport.damage import KINDS as DAMAGES
from increstore.transport.damage import damage_of, frames_of
from increstore.transport.faulty import HELD_MESSAGES_MAX, FaultyTransport, Treatment
from increstore.transport.framing import PAYLOAD_BYTES_MAX, encode_frame
from increstore.transport.memory import MemoryTransport
from increstore.transport.tcp import TcpTransport
from increstore.transport.wire import TcpSettings

from .builders import a_batch, a_small_message, an_acknowledgement

MS = 1_000_000
BOTH = pytest.mark.parametrize("kind", ["memory", "tcp"])


class Script:
    """Treats messages as told, by number (1-based, of all that are sent); the others not at all."""

    def __init__(self, **by_number):
        self.treatments = {int(name.lstrip("n")): one for name, one in by_number.items()}
        self.asked = []

    async def treatment(self, sender, receiver, message):
        self.asked.append((sender, receiver, message))
        return self.treatments.get(len(self.asked))


class Pair:
    """Nodes a and b, in one process or on two hosts; what a sends is treated by the script."""

    def __init__(self, left, right):
        self.left, self.right = left, right
        self.a, self.b = left.attach("a"), right.attach("b")

    async def sends(self, *orders):
        for order in orders:
            await self.a.send("b", an_acknowledgement(order))

    async def receives(self, count):
        return [(await self.b.receive())[1].watermark for _ in range(count)]


@asynccontextmanager
async def a_pair(kind, script):
    async with trio.open_nursery() as nursery:
        if kind == "memory":
            left = right = FaultyTransport(MemoryTransport(), script)
            await nursery.start(left.run)
        else:
            settings = TcpSettings(backoff_s_first=0.01)
            directory = {"a": "left", "b": "right"}
            hosts = {
                host: TcpTransport(host, b"token", directory, {}, settings=settings)
                for host in ("left", "right")
            }
            left, right = FaultyTransport(hosts["left"], script), hosts["right"]
            await nursery.start(left.run)
            await nursery.start(right.run)
            hosts["left"].set_address("right", right.listening)
        with trio.fail_after(10):
            yield Pair(left, right)
        nursery.cancel_scope.cancel()


@BOTH
async def test_what_is_lost_does_not_arrive_and_is_counted(kind):
    async with a_pair(kind, Script(n2=Treatment(copies=()))) as pair:
        await pair.sends(1, 2, 3)
        assert await pair.receives(2) == [1, 3]
        assert pair.left.counters.dropped == 1


@BOTH
async def test_what_is_doubled_arrives_twice(kind):
    async with a_pair(kind, Script(n1=Treatment(copies=(0, MS)))) as pair:
        await pair.sends(1)
        assert await pair.receives(2) == [1, 1]


@BOTH
async def test_what_a_fault_delays_may_be_overtaken(kind):
    async with a_pair(kind, Script(n1=Treatment(copies=(40 * MS,)))) as pair:
        await pair.sends(1, 2, 3)
        assert await pair.receives(3) == [2, 3, 1]


@BOTH
async def test_what_keeps_its_order_is_late_and_so_is_all_behind_it(kind):
    script = Script(n1=Treatment((30 * MS,), keeps_order=True), n2=Treatment((0,), True))
    async with a_pair(kind, script) as pair:
        started = trio.current_time()
        await pair.sends(1, 2, 3)
        assert await pair.receives(3) == [1, 2, 3]
        assert trio.current_time() - started >= 0.03


@BOTH
async def test_what_is_held_comes_when_its_fault_ends_in_the_order_held(kind):
    held = Treatment(hold="cut")
    async with a_pair(kind, Script(n1=held, n2=held)) as pair:
        await pair.sends(1, 2, 3)
        assert await pair.receives(1) == [3]
        pair.left.release("another")
        pair.left.release("cut")
        assert await pair.receives(2) == [1, 2]


async def test_what_is_held_is_bounded():
    count = HELD_MESSAGES_MAX + 5
    script = Script(**{f"n{n}": Treatment(hold="cut") for n in range(1, count + 1)})
    async with a_pair("memory", script) as pair:
        await pair.sends(*range(count))
        assert pair.left.counters.dropped == 5


@BOTH
async def test_a_reset_loses_what_is_on_its_way_and_the_link_works_again(kind):
    script = Script(n2=Treatment((5_000 * MS,)), n3=Treatment(copies=(), reset=True))
    async with a_pair(kind, script) as pair:
        await pair.sends(1)
        assert await pair.receives(1) == [1]
        await pair.sends(2, 3)
        while True:  # What follows a broken connection may be lost with it.
            await pair.sends(4)
            with trio.move_on_after(0.2):
                assert await pair.receives(1) == [4]
                break
        assert pair.left.counters.dropped >= 2
        assert pair.left.counters.reconnects == (1 if kind == "tcp" else 0)


@BOTH
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_frame_is_refused_and_what_is_sent_again_arrives(kind, damage):
    async with a_pair(kind, Script(n1=Treatment(damage=damage))) as pair:
        await pair.sends(1)
        while True:
            await pair.sends(2)
            with trio.move_on_after(0.2):
                assert await pair.receives(1) == [2]
                break
        assert pair.right.counters.refused_frames == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_wherever_a_frame_is_damaged_it_is_refused(damage):
    header, payload = encode("orders/s0", "orders/t0", a_batch(1, bytes(range(200))))
    for frame in (encode_frame(header, payload), encode_frame(*encode("a", "b", _small()))):
        assert len(frames_of(frame, PAYLOAD_BYTES_MAX)) == 1
        for number in range(400):
            with pytest.raises(RemoteProtocolError):
                frames_of(damage_of(damage, number)(frame), PAYLOAD_BYTES_MAX)


def _small():
    return a_small_message()


def test_a_damage_nobody_knows_is_a_misuse():
    with pytest.raises(LocalProtocolError, match="expected corrupt or truncate"):
        damage_of("melt", 1)


async def test_a_late_message_outlives_its_sender():
    """How stale reports are born: the network knows nothing of who is still alive."""
    async with a_pair("memory", Script(n1=Treatment(copies=(20 * MS,)))) as pair:
        await pair.sends(1)
        pair.a.close()
        assert await pair.receives(1) == [1]


async def test_a_closed_node_sends_nothing():
    async with a_pair("memory", Script()) as pair:
        pair.a.close()
        with pytest.raises(LocalProtocolError, match="closed"):
            await pair.sends(1)


async def test_a_flood_of_late_messages_waits_for_room():
    """Ambient latency must not become a queue without a bound."""
    script = Script()

    async def treatment(sender, receiver, message):
        return Treatment((3_600_000 * MS,), keeps_order=True)

    script.treatment = treatment
    sent = 0
    async with a_pair("memory", script) as pair, trio.open_nursery() as nursery:

        async def flood():
            nonlocal sent
            while True:
                await pair.sends(sent)
                sent += 1

        nursery.start_soon(flood)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert 1000 <= sent <= 1100
        nursery.cancel_scope.cancel()
