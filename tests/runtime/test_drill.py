"""The pieces of a drill: lives that end without a last word, and questions to another process."""

from __future__ import annotations

import json
from collections import deque
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from increstore.journal import Journal
from increstore.protocol.messages import ScanId
from increstore.runtime.drill.cast import Cast
from increstore.runtime.drill.life import Life, LifeEndpoint, LifeGuard
from increstore.runtime.drill.questions import RemoteInjector, answer, questions_of
from increstore.scenario.actions import Crash, DiskFault, PageFault, Pause
from increstore.scenario.load import parse_scenario
from increstore.store.faulty import FaultyStore
from increstore.store.memory import MemoryStore
from increstore.transport.faulty import Treatment
from increstore.transport.memory import MemoryTransport
from tests.store.builders import a_layout, batches_of, upsert
from tests.transport.builders import a_batch, a_small_message

SCAN = ScanId("r1", 2, "orders/s0", 1)


class Script:
    """Answers as told, and remembers what it was asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    async def treatment(self, sender, receiver, message):
        self.asked.append((sender, receiver, message))
        return self.answers.get("treatment")

    async def disk_fault(self, node, operation):
        self.asked.append((node, operation))
        return self.answers.get("disk")

    async def page_fault(self, node, scan, page):
        self.asked.append((node, scan, page))
        return self.answers.get("page")

    async def crash_at(self, node, point, records):
        self.asked.append((node, point, list(records)))
        return self.answers.get("crash", False)

    def mark(self, name):
        self.asked.append(name)


class Told:
    """The journal of a test."""

    def __init__(self):
        self.journal, self.names = Journal(), []
        self.journal.subscribe(lambda event: self.names.append(event.name))


@asynccontextmanager
async def a_cast(told):
    async with trio.open_nursery() as nursery:
        with trio.fail_after(10):
            yield Cast(told.journal, nursery), nursery
        nursery.cancel_scope.cancel()


# --- Lives.


async def test_an_ended_life_comes_back_when_it_is_time():
    told, lives = Told(), []
    send, receive = trio.open_memory_channel(9)

    async def live(life):
        lives.append(life.number)
        await send.send(life)
        await trio.sleep_forever()

    async with a_cast(told) as (cast, nursery):
        nursery.start_soon(cast.play, "t0", live)
        await receive.receive()
        assert cast.crash(Crash("t0", 1_000_000, fault="power"))
        assert not cast.crash(Crash("t0", 0)), "it is down already"
        assert (await receive.receive()).number == 2
        assert cast.crash(Crash("t0", None)), "for good, unless it is told to come back"
        await trio.testing.wait_all_tasks_blocked()
        assert lives == [1, 2]
        cast.restart("t0")
        assert (await receive.receive()).number == 3
    assert told.names == ["node.started", "node.crashed"] * 2 + ["node.started"]


async def test_what_a_node_does_while_it_is_ended_reaches_nobody():
    """Cancelling alone is no crash: a last word, and a last write, would still go out."""
    told, transport, tried = Told(), MemoryTransport(), []
    store = MemoryStore(a_layout())
    listener = transport.attach("listener")

    async def live(life):
        guarded = FaultyStore(store, LifeGuard(life, Script()))
        endpoint = LifeEndpoint(transport.attach("t0"), life, Script(), deque([()] * 9))
        await endpoint.send("listener", a_small_message(1))
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 0.1):
                tried.append("word")
                await endpoint.send("listener", a_small_message(2))
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 0.1):
                tried.append("write")
                await trio.to_thread.run_sync(guarded.append, batches_of([upsert(1)], 0))

    async with a_cast(told) as (cast, nursery):
        nursery.start_soon(cast.play, "t0", live)
        assert await listener.receive() == ("t0", a_small_message(1))
        cast.crash(Crash("t0", None))
        with trio.move_on_after(0.4):
            raise AssertionError(f"heard {await listener.receive()}")
    assert tried == ["word", "write"]
    assert store.recover().streams == {}


async def test_a_crash_point_in_a_thread_keeps_the_write_from_happening():
    told, store, points = Told(), MemoryStore(a_layout()), []

    class CrashesBefore(Script):
        async def crash_at(self, node, point, records):
            points.append((point, *records))
            cast.crash(Crash(node, None))
            return True

    async def live(life):
        guarded = FaultyStore(store, LifeGuard(life, CrashesBefore()))
        await trio.to_thread.run_sync(guarded.append, batches_of([upsert(1)], 0))
        raise AssertionError("the life goes on after its end")

    async with a_cast(told) as (cast, nursery):
        nursery.start_soon(cast.play, "t0", live)
        await trio.testing.wait_all_tasks_blocked(0.05)
    assert points == [("before_append", "ApplyBatch")]
    assert store.recover().streams == {}
    assert told.names == ["node.started", "node.crashed"]


async def test_a_paused_life_stands_still_until_every_fault_lets_go():
    passed = []
    ask, asked = trio.open_memory_channel(9)

    async def live(life):
        async for number in asked:
            await life.passage()
            passed.append(number)

    async with a_cast(Told()) as (cast, nursery):
        nursery.start_soon(cast.play, "s0", live)
        await trio.testing.wait_all_tasks_blocked()
        cast.pause(Pause("s0", None, "one"))
        cast.pause(Pause("s0", None, "other"))
        await ask.send(1)
        cast.unpause("s0", "one")
        await trio.testing.wait_all_tasks_blocked()
        assert passed == []
        cast.unpause("s0", "other")
        await trio.testing.wait_all_tasks_blocked()
        assert passed == [1]


async def test_a_pause_of_some_length_ends_by_itself():
    went_on = trio.Event()

    async def live(life):
        await trio.testing.wait_all_tasks_blocked()
        cast.pause(Pause("s0", 20_000_000, "one"))
        await life.passage()
        went_on.set()

    async with a_cast(Told()) as (cast, nursery):
        started = trio.current_time()
        nursery.start_soon(cast.play, "s0", live)
        await went_on.wait()
        assert trio.current_time() - started >= 0.02


async def test_a_slow_disk_can_be_left_at_once():
    """A stall of an hour must not keep a run from ending."""
    life = Life("t0", 1)
    guard = LifeGuard(life, Script(disk=DiskFault("stall", 3_600_000_000_000, "", "f")))
    store = FaultyStore(MemoryStore(a_layout()), guard)
    with trio.move_on_after(0.05) as scope:
        await trio.to_thread.run_sync(store.append, batches_of([upsert(1)], 0))
    assert scope.cancelled_caught


# --- Questions.


class Line:
    """A worker's questions and its parent's answers, as the JSON that goes between them."""

    def __init__(self, script, asks):
        self.script = script
        self._nursery = None
        self.remote = RemoteInjector(self._say, asks)
        self.said = 0

    def _say(self, line):
        self.said += 1
        self._nursery.start_soon(self._answer, json.loads(json.dumps(line))["ask"])

    async def _answer(self, asked):
        number, question, arguments = asked
        found = json.loads(json.dumps(await answer(self.script, question, arguments)))
        self.remote.hear(number, found)

    @asynccontextmanager
    async def open(self):
        async with trio.open_nursery() as self._nursery:
            with trio.fail_after(5):
                yield self.remote


ALL = ("message", "disk", "page", "point")
TREATMENTS = [
    None,
    Treatment(),
    Treatment((0, 5), keeps_order=True),
    Treatment((), reset=True),
    Treatment(damage="corrupt"),
    Treatment(hold="cut"),
]


@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("message", [a_small_message(), a_batch(3, b"rows" * 9)])
async def test_a_treatment_comes_back_as_the_director_gave_it(treatment, message):
    line = Line(Script(treatment=treatment), ALL)
    async with line.open() as remote:
        assert await remote.treatment("orders/s0", "orders/t0", message) == treatment
    ((sender, receiver, asked),) = line.script.asked
    assert (sender, receiver, type(asked)) == ("orders/s0", "orders/t0", type(message))
    if hasattr(message, "payload"):
        assert (asked.scan, asked.order) == (message.scan, message.order)
        assert len(asked.payload) == len(message.payload), "its weight matters, its bytes do not"


async def test_other_answers_come_back_as_they_were_given():
    disk, page = DiskFault("eio", 7, "no", ""), PageFault(False, "torn", "")
    line = Line(Script(disk=disk, page=page), ALL)
    async with line.open() as remote:
        assert await remote.disk_fault("orders/t0", "seal") == disk
        assert await remote.page_fault("orders/s0", SCAN, 3) == page
        assert await remote.crash_at("orders/t0", "after_sync", ("SealRun",)) is False
        remote.mark("dropped: of another restore")
        await trio.testing.wait_all_tasks_blocked()
    assert line.script.asked == [
        ("orders/t0", "seal"),
        ("orders/s0", SCAN, 3),
        ("orders/t0", "after_sync", ["SealRun"]),
        "dropped: of another restore",
    ]


async def test_questions_of_many_tasks_each_get_their_own_answer():
    class Echo(Script):
        async def disk_fault(self, node, operation):
            await trio.sleep(0.001 * (7 - int(operation)))
            return DiskFault("slow", int(operation), "", "")

    line, answers = Line(Echo(), ALL), {}

    async def ask(number):
        answers[number] = (await remote.disk_fault("t0", str(number))).by_ns

    async with line.open() as remote, trio.open_nursery() as nursery:
        for number in range(7):
            nursery.start_soon(ask, number)
    assert answers == {number: number for number in range(7)}


async def test_what_no_fault_concerns_is_not_asked():
    line = Line(Script(), ())
    async with line.open() as remote:
        assert await remote.treatment("orders/s0", "orders/t0", a_small_message()) is None
        assert await remote.disk_fault("orders/t0", "seal") is None
        assert await remote.page_fault("orders/s0", SCAN, 3) is None
        assert await remote.crash_at("orders/t0", "after_sync", ()) is False
    assert line.said == 0


HEAD = 'format = 1\ntitle = "A test"\nwhy = "It tests."\non = ["tcp"]\n'


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", []),
        ('[[fault]]\nkind = "drop"\nmessage = "StartScan"', ["message"]),
        ('[[fault]]\nkind = "clog"\nnode = "s0"', ["message"]),
        ('[[fault]]\nkind = "reset"\nat = "1s"', []),
        ('[[fault]]\nkind = "reset"\nmessage = "StartScan"', ["message"]),
        ('[network]\nloss = "1%"', ["message"]),
        ('[[fault]]\nkind = "disk"\nnode = "t0"\naction = "eio"', ["disk"]),
        ('[[fault]]\nkind = "page"', ["page"]),
        ('[[fault]]\nkind = "crash"\nnode = "t0"\nat = "1s"', []),
        ('[[fault]]\nkind = "crash"\nnode = "t0"\npoint = "after_sync"', ["point"]),
        ('[nodes]\ncrash = "1%"', ["point"]),
    ],
)
def test_a_scenario_makes_only_those_questions_worth_asking_that_it_may_answer(text, asked):
    assert questions_of(parse_scenario(HEAD + text, "a test")) == asked
