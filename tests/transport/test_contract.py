"""What every transport promises (increstore/transport/seam.py), over every one we have."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from increstore.errors import LocalProtocolError
from increstore.protocol.messages import Reason, Refused
from increstore.transport.room import BufferLimits

from .builders import a_batch, a_small_message, an_acknowledgement, any_message
from .clusters import KINDS, a_cluster

MIB = 1 << 20
KERNEL_BYTES_MAX = 48 * MIB
"""What two socket buffers and a staging buffer may hold besides ours, generously."""

SETTLED_S = 0.05

pytestmark = pytest.mark.parametrize("kind", KINDS)


async def test_messages_between_two_nodes_arrive_in_the_order_sent(kind):
    sent = [a_batch(n, b"r" * (n * 1000)) if n % 3 else an_acknowledgement(n) for n in range(300)]
    async with a_cluster(kind) as cluster, trio.open_nursery() as nursery:
        a, b = cluster.attach("a"), cluster.attach("b")

        async def send():
            for message in sent:
                await a.send("b", message)

        nursery.start_soon(send)
        assert [await b.receive() for _ in sent] == [("a", message) for message in sent]


@given(messages=st.lists(any_message(), max_size=20))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_any_message_arrives_whole(kind, messages):
    async with a_cluster(kind) as cluster:
        a, b = cluster.attach("a"), cluster.attach("b")
        for message in messages:
            await a.send("b", message)
            assert await b.receive() == ("a", message)
        assert cluster.dropped == 0


async def test_both_ways_at_once_and_on_one_host_too(kind):
    async with a_cluster(kind, left=("a", "a2")) as cluster:
        a, a2, b = (cluster.attach(node) for node in ("a", "a2", "b"))
        await a.send("b", an_acknowledgement(1))
        await b.send("a", an_acknowledgement(2))
        await a.send("a2", an_acknowledgement(3))
        await a.send("a", an_acknowledgement(4))

        assert await b.receive() == ("a", an_acknowledgement(1))
        assert sorted([(await a.receive())[1].watermark for _ in range(2)]) == [2, 4]
        assert await a2.receive() == ("a", an_acknowledgement(3))


async def test_a_receiver_that_does_not_read_makes_send_wait_and_memory_stays_bounded(kind):
    limits = BufferLimits(payload_bytes_max=2 * MIB)
    batch_bytes, batches = MIB // 2, 200
    sent = 0
    async with a_cluster(kind, limits=limits) as cluster, trio.open_nursery() as nursery:
        a, b = cluster.attach("a"), cluster.attach("b")

        async def send():
            nonlocal sent
            for order in range(batches):
                await a.send("b", a_batch(order, bytes(batch_bytes)))
                sent += 1

        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked(SETTLED_S)
        buffers = 1 if kind.endswith("memory") else 2
        assert 4 <= sent < batches
        kernel = 0 if kind.endswith("memory") else KERNEL_BYTES_MAX
        assert sent * batch_bytes <= buffers * limits.payload_bytes_max + kernel

        orders = [(await b.receive())[1].order for _ in range(batches)]
        assert orders == list(range(batches))
        assert cluster.dropped == 0


async def test_messages_without_rows_unread_make_send_wait_too(kind):
    sent, limits = 0, BufferLimits(messages_max=10)
    refusal = Refused("nightly", 1, 2, None, Reason.STORAGE_FAILED, "why " * 20_000)
    async with a_cluster(kind, limits=limits) as cluster, trio.open_nursery() as nursery:
        a, _ = cluster.attach("a"), cluster.attach("b")

        async def send():
            nonlocal sent
            while True:
                await a.send("b", refusal)
                sent += 1

        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked(SETTLED_S)
        kernel = 0 if kind.endswith("memory") else KERNEL_BYTES_MAX // len(refusal.detail)
        assert 10 <= sent <= 2 * limits.messages_max + kernel
        nursery.cancel_scope.cancel()


async def test_an_acknowledgement_is_taken_at_once_while_rows_wait(kind):
    """Or two hosts full of rows for each other would wait for each other for ever."""
    limits = BufferLimits(payload_bytes_max=MIB)
    async with (
        a_cluster(kind, left=("a", "a2"), limits=limits) as cluster,
        trio.open_nursery() as nursery,
    ):
        a, a2, b = (cluster.attach(node) for node in ("a", "a2", "b"))

        async def flood():
            while True:
                await a.send("b", a_batch(payload=bytes(MIB)))

        nursery.start_soon(flood)
        await trio.testing.wait_all_tasks_blocked(SETTLED_S)
        await a2.send("b", an_acknowledgement(7))  # Or the cluster's patience ends.

        while (await b.receive()) != ("a2", an_acknowledgement(7)):
            pass
        nursery.cancel_scope.cancel()


async def test_two_nodes_that_flood_each_other_and_answer_each_batch_make_progress(kind):
    limits = BufferLimits(messages_max=64, payload_bytes_max=MIB)
    batches = 100

    async def flood(endpoint, receiver):
        for order in range(batches):
            await endpoint.send(receiver, a_batch(order, bytes(MIB // 2)))

    async def answer(endpoint, receiver):
        answers = seen = 0
        while answers < batches or seen < batches:
            _, message = await endpoint.receive()
            if hasattr(message, "payload"):
                seen += 1
                await endpoint.send(receiver, an_acknowledgement(message.order))
            else:
                answers += 1

    async with a_cluster(kind, limits=limits) as cluster, trio.open_nursery() as nursery:
        a, b = cluster.attach("a"), cluster.attach("b")
        for endpoint, receiver in ((a, "b"), (b, "a")):
            nursery.start_soon(flood, endpoint, receiver)
            nursery.start_soon(answer, endpoint, receiver)


async def test_a_message_to_a_node_nobody_knows_is_dropped_and_counted(kind):
    async with a_cluster(kind) as cluster:
        a = cluster.attach("a")
        await a.send("nobody", a_small_message())
        assert cluster.dropped == 1


async def test_messages_to_a_closed_node_are_dropped_until_it_is_attached_again(kind):
    async with a_cluster(kind, right=("b", "witness")) as cluster:
        a, b, witness = (cluster.attach(node) for node in ("a", "b", "witness"))
        await a.send("b", a_small_message(1))
        await a.send("witness", a_small_message(1))
        await witness.receive()  # So what was sent to b before is in its mailbox,
        b.close()  # and is lost with it.
        assert cluster.dropped == 1

        await a.send("b", a_small_message(2))
        await a.send("witness", a_small_message(2))
        await witness.receive()
        assert cluster.dropped == 2

        b = cluster.attach("b")
        await a.send("b", a_small_message(3))
        assert await b.receive() == ("a", a_small_message(3))


async def test_closing_a_full_mailbox_lets_go_whoever_waits_for_room(kind):
    limits = BufferLimits(payload_bytes_max=MIB)
    async with a_cluster(kind, limits=limits) as cluster:
        a, b = cluster.attach("a"), cluster.attach("b")
        async with trio.open_nursery() as nursery:

            async def send():
                for order in range(50):
                    await a.send("b", a_batch(order, bytes(MIB)))

            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked(SETTLED_S)
            b.close()
        if kind.endswith("tcp"):
            # Sent is not arrived: a second closing waits for the rest to be read.
            b = cluster.attach("b")
            await a.send("b", a_small_message())
            while not isinstance((await b.receive())[1], type(a_small_message())):
                pass
        assert cluster.dropped > 0


async def test_cancelling_a_waiting_send_neither_sends_nor_leaks_room(kind):
    limits = BufferLimits(payload_bytes_max=MIB)
    async with a_cluster(kind, limits=limits) as cluster:
        a, b = cluster.attach("a"), cluster.attach("b")
        orders = iter(range(1000))
        sent = []

        async def send():
            for order in orders:
                await a.send("b", a_batch(order, bytes(MIB)))
                sent.append(order)

        for _ in range(3):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                await trio.testing.wait_all_tasks_blocked(SETTLED_S)
                nursery.cancel_scope.cancel()
            assert [(await b.receive())[1].order for _ in sent] == sent
            sent.clear()


async def test_a_payload_of_32_megabytes_arrives(kind):
    payload = bytearray(range(256)) * (32 * MIB // 256)
    async with a_cluster(kind) as cluster:
        a, b = cluster.attach("a"), cluster.attach("b")
        await a.send("b", a_batch(1, payload))
        _, message = await b.receive()
        assert message.payload == payload


async def test_two_hundred_nodes_talk_at_once(kind):
    left = [f"orders/s{n}" for n in range(100)]
    right = [f"orders/t{n}" for n in range(100)]

    async def echo(endpoint, count):
        for _ in range(count):
            sender, message = await endpoint.receive()
            await endpoint.send(sender, an_acknowledgement(message.order))

    async def ask(endpoint, number):
        receivers = [right[(number + step) % 100] for step in range(10)]
        for order, receiver in enumerate(receivers):
            await endpoint.send(receiver, a_batch(order, b"rows" * 100))
        answers = [await endpoint.receive() for _ in receivers]
        assert sorted((s, m.watermark) for s, m in answers) == sorted(
            zip(receivers, range(10), strict=True)
        )

    async with a_cluster(kind, left, right) as cluster, trio.open_nursery() as nursery:
        for node in right:
            nursery.start_soon(echo, cluster.attach(node), 10)
        for number, node in enumerate(left):
            nursery.start_soon(ask, cluster.attach(node), number)


async def test_what_a_node_receives_is_its_own(kind):
    """No two nodes share an object one of them could change: only payloads are handed on."""
    async with a_cluster(kind) as cluster:
        a, b = cluster.attach("a"), cluster.attach("b")
        message = an_acknowledgement()
        await a.send("b", message)
        received = (await b.receive())[1]
        assert received == message
        assert received is not message


async def test_a_name_is_attached_once_at_a_time(kind):
    async with a_cluster(kind) as cluster:
        a = cluster.attach("a")
        with pytest.raises(LocalProtocolError, match="already attached"):
            cluster.attach("a")
        a.close()
        again = cluster.attach("a")
        a.close()  # Nothing happens: the name belongs to another mailbox now.
        await again.send("a", a_small_message())
        assert await again.receive() == ("a", a_small_message())


async def test_a_closed_endpoint_neither_sends_nor_receives(kind):
    async with a_cluster(kind) as cluster:
        a, b = cluster.attach("a"), cluster.attach("b")
        await b.send("a", a_small_message())
        a.close()
        with pytest.raises(LocalProtocolError, match="closed"):
            await a.send("b", a_small_message())
        with pytest.raises(LocalProtocolError, match="closed"):
            await a.receive()


async def test_closing_wakes_a_waiting_receive(kind):
    async with a_cluster(kind) as cluster, trio.open_nursery() as nursery:
        a = cluster.attach("a")

        async def receive():
            with pytest.raises(LocalProtocolError, match="closed"):
                await a.receive()

        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        a.close()


async def test_send_and_receive_can_be_cancelled_at_any_time(kind):
    async with a_cluster(kind) as cluster:
        a = cluster.attach("a")
        await a.send("a", a_small_message())
        with trio.CancelScope() as scope:
            scope.cancel()
            await a.send("a", a_small_message())
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            scope.cancel()
            await a.receive()
        assert scope.cancelled_caught
        assert await a.receive() == ("a", a_small_message())
        assert cluster.received == 1
