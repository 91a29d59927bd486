from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from increstore.transport.wire import LOOKS_PER_SILENCE, Listener

SILENCE_S = 8.0


@asynccontextmanager
async def a_listener():
    """A listener at one end of a pair of sockets, and what came of watching it; our end."""
    near, far = trio.socket.socketpair()
    with near, far:
        listener, outcome = Listener(near, SILENCE_S), []

        async def watch():
            with pytest.raises(trio.TooSlowError):
                await listener.watch()
            outcome.append("silent")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await trio.testing.wait_all_tasks_blocked()
            yield listener, far, nursery, outcome
            nursery.cancel_scope.cancel()


async def look(clock):
    clock.jump(SILENCE_S / LOOKS_PER_SILENCE)
    await trio.testing.wait_all_tasks_blocked()


async def test_a_peer_that_says_nothing_for_the_whole_time_is_silent(mock_clock):
    async with a_listener() as (listener, _, nursery, outcome):
        nursery.start_soon(listener.receive_into, memoryview(bytearray(9)))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(LOOKS_PER_SILENCE):
            await look(mock_clock)
        assert outcome == []
        await look(mock_clock)
        assert outcome == ["silent"]


async def test_every_byte_begins_the_silence_anew(mock_clock):
    async with a_listener() as (listener, far, _, outcome):
        for _ in range(LOOKS_PER_SILENCE * 3):
            await far.send(b"x")
            assert await listener.receive_into(memoryview(bytearray(9))) == 1
            await look(mock_clock)
        assert outcome == []


async def test_not_listening_is_no_silence(mock_clock):
    async with a_listener() as (_, _, _, outcome):
        for _ in range(LOOKS_PER_SILENCE * 3):
            await look(mock_clock)
        assert outcome == []


async def test_a_process_that_was_stopped_does_not_blame_its_peer(mock_clock):
    async with a_listener() as (listener, _, nursery, outcome):
        nursery.start_soon(listener.receive_into, memoryview(bytearray(9)))
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(SILENCE_S * 100)
        await trio.testing.wait_all_tasks_blocked()
        assert outcome == []
