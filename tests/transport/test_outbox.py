from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from increstore.transport.framing import FrameDecoder, encode_frame
from increstore.transport.outbox import GATHERED_BUFFERS_MAX, GATHERED_BYTES_MAX, Outbox
from increstore.transport.room import BufferLimits, Room


def payload_of(number):
    return None if number % 3 == 0 else b"%d" % number * (number * 7)


async def an_outbox_with(count, limits=None):
    outbox = Outbox(limits or BufferLimits())
    for number in range(count):
        payload = payload_of(number)
        frame = encode_frame(b"%d" % number, payload)
        assert await outbox.put(frame, None if payload is None else len(payload))
    return outbox


@given(
    count=st.integers(0, 12),
    steps=st.lists(st.one_of(st.integers(0, 400), st.none()), max_size=60),
)
async def test_whatever_the_kernel_takes_and_however_often_the_link_breaks_each_frame_comes_once(
    count, steps
):
    """A step is how many bytes one send takes; None breaks the link and makes another."""
    outbox = await an_outbox_with(count)
    decoder, numbers = FrameDecoder(staging_bytes=4096), []
    for step in [*steps, None, *[1000] * 40]:
        if step is None:
            outbox.restart()
            decoder = FrameDecoder(staging_bytes=4096)
            continue
        stream = b"".join(outbox.gather())[:step]
        outbox.sent(len(stream))
        decoder.writable()[: len(stream)] = stream
        decoder.received(len(stream))
        while (frame := decoder.next_frame()) is not None:
            numbers.append(int(frame.header))
            assert frame.payload == payload_of(numbers[-1])

    assert numbers == list(range(count))
    assert len(outbox) == 0
    assert outbox.payload_bytes == 0


async def test_one_gathering_is_bounded_in_pieces_and_in_bytes():
    outbox = await an_outbox_with(0)
    for _ in range(GATHERED_BUFFERS_MAX + 10):
        await outbox.put(encode_frame(b"h", None), None)
    assert len(outbox.gather()) == GATHERED_BUFFERS_MAX

    outbox = await an_outbox_with(0)
    for _ in range(10):
        await outbox.put(encode_frame(b"h", bytes(1 << 20)), 1 << 20)
    assert GATHERED_BYTES_MAX <= sum(map(len, outbox.gather())) <= GATHERED_BYTES_MAX + (2 << 20)


async def test_beyond_its_room_nothing_is_taken_while_no_link_is_expected():
    outbox = await an_outbox_with(0, BufferLimits(messages_max=2, payload_bytes_max=100))
    frame = encode_frame(b"h", None)

    assert [await outbox.put(frame, None) for _ in range(4)] == [True, True, False, False]


async def test_whoever_waits_for_room_is_let_go_when_the_peer_is_out_of_reach():
    outbox = await an_outbox_with(0, BufferLimits(messages_max=1))
    outbox.expect_link()
    taken = []

    async def put():
        taken.append(await outbox.put(encode_frame(b"h", None), None))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(put)
        await trio.testing.wait_all_tasks_blocked()
        assert taken == [True]
        outbox.give_up_waiting()
    assert taken == [True, False, False]


async def test_room_is_given_in_the_order_it_was_asked_for():
    room, let_in = Room(BufferLimits(payload_bytes_max=10)), []
    assert await room.enter(10, lambda: True)

    async def enter(name, size):
        await room.enter(size, lambda: True)
        let_in.append(name)

    async with trio.open_nursery() as nursery:
        for name, size in (("large", 9), ("small", 1), ("last", 5)):
            nursery.start_soon(enter, name, size)
            await trio.testing.wait_all_tasks_blocked()
        room.leave(10)
        await trio.testing.wait_all_tasks_blocked()
        assert let_in == ["large", "small"]  # The small one did not overtake.
        room.leave(9)
    assert let_in == ["large", "small", "last"]
    assert room.payload_bytes == 6


async def test_a_message_larger_than_the_room_is_let_in_alone():
    room = Room(BufferLimits(payload_bytes_max=10))
    assert await room.enter(1000, lambda: False)
    assert not await room.enter(1, lambda: False)
    room.leave(1000)
    assert await room.enter(1, lambda: False)
    assert not await room.enter(1000, lambda: False)


async def test_small_messages_and_rows_do_not_take_each_others_room():
    room = Room(BufferLimits(messages_max=1, payload_bytes_max=10))
    assert await room.enter(10, lambda: False)
    assert await room.enter(None, lambda: False)
    assert not await room.enter(None, lambda: False)
    assert room.messages == 2


@pytest.mark.parametrize("limits", [{"messages_max": 0}, {"payload_bytes_max": 0}])
def test_a_buffer_without_any_room_is_our_own_error(limits):
    with pytest.raises(AssertionError):
        BufferLimits(**limits)
