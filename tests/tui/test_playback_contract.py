"""What every source keeps to, whatever it is: one story, told by a simulation, a file, a stream
and a thread."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from increstore.runtime.broadcast import Broadcast
from increstore.tui.playback import seam
from increstore.tui.playback.file import FilePlayback
from increstore.tui.playback.simulated import SimPlayback
from increstore.tui.playback.stream import StreamPlayback
from increstore.tui.playback.threaded import ThreadPlayback
from increstore.tui.playback.whole import whole
from increstore.view.history import History
from tests.tui.faults import a_fault
from tests.view.journals import HEADER, STORM, journal_of
from tests.view.test_cluster import fold, what_is_seen

SEED = 4
PATIENCE_S = 60.0


class Retold:
    """An engine that tells events that have happened, and then waits to be stopped."""

    title = "retold"
    can = frozenset()

    def __init__(self, events):
        self._events = events
        self._leaving = threading.Event()

    def run(self, put):
        for event in self._events:
            put(event)
        self._leaving.wait(PATIENCE_S)
        return "told"

    def stop(self):
        self._leaving.set()

    def command(self, command, history):
        return seam.cannot(command, "it is only retold")


def the_story():
    return journal_of(STORM, SEED)[1]


def simulated(tmp_path, stack):
    from increstore.scenario.load import parse_scenario

    return SimPlayback(parse_scenario(HEADER + STORM, "t"), SEED, speed=seam.FLAT_OUT)


def from_a_file(tmp_path, stack):
    path = tmp_path / "run.jsonl"
    lines = [json.dumps(event.in_detail(), default=str) + "\n" for event in the_story()]
    path.write_text("".join(lines))
    return FilePlayback(path, speed=seam.FLAT_OUT, follows=False)


def streamed(tmp_path, stack):
    server = Broadcast("a run")
    [(host, port)] = server.start("127.0.0.1", 0)
    stack.callback(server.stop)
    for event in the_story():
        server.put(event)
    server.end("told")
    return StreamPlayback(host, port)


def threaded(tmp_path, stack):
    return ThreadPlayback(Retold(the_story()))


SOURCES = [simulated, from_a_file, streamed, threaded]


@pytest.fixture(params=SOURCES, ids=lambda source: source.__name__)
def playback(request, tmp_path):
    """Not yet started."""
    with ExitStack() as stack:
        made = request.param(tmp_path, stack)
        stack.callback(made.stop)
        yield made


def drain_all(playback, count, **options):
    events, deadline = [], time.monotonic() + PATIENCE_S
    while len(events) < count:
        assert time.monotonic() < deadline, playback.status
        found = playback.drain(**options)
        events += found
        if not found:
            time.sleep(0.002)
    return events


def told(events):
    """Events as all sources can tell them: a file rounds times to fractions of a microsecond."""
    return [(e.node, e.name, json.loads(json.dumps(e.facts, default=str))) for e in events]


def test_all_sources_tell_the_same_story(playback):
    story = [whole(event) for event in the_story()]
    playback.start()

    events = drain_all(playback, len(story))

    assert told(events) == told(story)
    assert all(abs(one.at - other.at) < 1_000 for one, other in zip(events, story, strict=True))
    assert [event.is_detail for event in events] == [event.is_detail for event in story]


def test_what_was_drained_is_in_the_history_and_folded_into_its_view(playback):
    playback.start()
    events = []
    while len(events) < 600:
        events += drain_all(playback, 50, limit=50)
        history = playback.history()
        assert isinstance(history, History)
        assert playback.status.events == len(history) == len(events)
        assert [*history.events(0, len(events))] == events

    assert what_is_seen(playback.history().live) == what_is_seen(fold(events))


def test_no_drain_gives_more_than_its_limit(playback):
    playback.start()
    for _ in range(50):
        assert len(playback.drain(limit=7)) <= 7


COMMANDS = [
    seam.Pause(),
    seam.Resume(),
    seam.Step("notification"),
    seam.Speed(3.0),
    seam.Seek(index=1),
    seam.Fork(),
    seam.Inject(a_fault('kind="drop" message="StartScan"')),
    seam.Heal(),
    seam.Operate("cap", 3),
    seam.SaveScenario(Path("/nowhere/at all.toml")),
]


@pytest.mark.parametrize("is_started", [False, True])
def test_what_a_source_cannot_do_is_answered_and_never_raised(playback, is_started):
    if is_started:
        playback.start()
        drain_all(playback, 20, limit=20)
    for command in COMMANDS:
        result = playback.command(command)
        assert isinstance(result, seam.CommandResult)
        if seam.ABILITIES[type(command)] not in playback.can:
            assert not result.is_done
            assert result.says
        playback.drain(limit=5)


@pytest.mark.parametrize("is_started", [False, True])
def test_after_a_stop_nothing_comes_and_another_stop_is_fine(playback, is_started):
    if is_started:
        playback.start()
        drain_all(playback, 5, limit=5)
    playback.stop()
    assert playback.drain() == []
    playback.stop()
    assert playback.status.events == (5 if is_started else 0)


def test_a_source_that_was_stopped_in_the_middle_leaves_no_thread(playback):
    before = {thread.name for thread in threading.enumerate()}
    playback.start()
    drain_all(playback, 30, limit=30)

    playback.stop()
    playback.drain()

    after = {thread.name for thread in threading.enumerate() if thread.is_alive()}
    assert "engine" not in after - before


def test_a_title_and_a_status_are_there_before_anything_happens(playback):
    assert playback.title
    status = playback.status
    assert status.events == 0
    assert status.state in ("connecting", "running", "paused", "ended")
