"""A run that is broadcast, and those who look at it: slow, late, gone, back, and allowed to ask."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from increstore.errors import UsageError
from increstore.journal import JournalEvent
from increstore.runtime.backlog import Backlog
from increstore.runtime.broadcast import Broadcast
from increstore.runtime.event_ring import GAP, EventRing
from increstore.runtime.stream_words import FrameReader, frame
from increstore.runtime.viewer import WHOLE_EVENTS_MAX
from increstore.scenario.faults import Drop
from increstore.tui.playback import seam
from increstore.tui.playback.connection import Connection
from increstore.tui.playback.stream import StreamPlayback
from increstore.tui.playback.whole import whole
from increstore.tui.playback.wire import command_of, plain_of, plain_result
from increstore.view.snapshots import SNAPSHOT
from tests.view.journals import SILENT, STORM, journal_of
from tests.view.test_cluster import fold, what_is_seen

HOST = "127.0.0.1"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def storm():
    return [whole(event) for event in journal_of(STORM)[1]]


@pytest.fixture
def stage():
    """Starts broadcasts and viewers, and stops them in the end."""
    with ExitStack() as stack:

        class Stage:
            def broadcast(self, port=0, **options):
                server = Broadcast("a run", **options)
                [(_, bound)] = server.start(HOST, port)
                stack.callback(server.stop)
                return server, bound

            def viewer(self, port, **options):
                viewer = StreamPlayback(HOST, port, **options)
                stack.callback(viewer.stop)
                viewer.start()
                return viewer

        yield Stage()


def drain_until(viewer, is_enough, patience_s=PATIENCE_S):
    """Ticks until `is_enough(events so far)`; the events."""
    events, deadline = [], time.monotonic() + patience_s
    while not is_enough(events):
        assert time.monotonic() < deadline, f"only {len(events)} events; {viewer.status}"
        found = viewer.drain()
        events += found
        if not found:
            time.sleep(0.002)  # A tick: the tests' own clock would starve the server's thread.
    return events


def status_until(viewer, is_enough):
    drain_until(viewer, lambda _: is_enough(viewer.status))
    return viewer.status


def put_all(server, events):
    for event in events:
        server.put(event)


def test_a_viewer_sees_every_event_of_the_run(stage, storm):
    server, port = stage.broadcast()
    viewer = stage.viewer(port)
    put_all(server, storm)

    events = drain_until(viewer, lambda found: len(found) >= len(storm))

    assert events == storm
    assert what_is_seen(viewer.history().live) == what_is_seen(fold(storm))
    assert viewer.status.state == "running"
    assert viewer.title.startswith("a run at 127.0.0.1:")


def test_several_viewers_see_the_same(stage, storm):
    server, port = stage.broadcast()
    viewers = [stage.viewer(port) for _ in range(4)]
    put_all(server, storm[:700])

    for viewer in viewers:
        assert drain_until(viewer, lambda found: len(found) >= 700) == storm[:700]
    assert status_until(viewers[0], lambda status: status.viewers == 4)


def test_one_who_comes_late_to_a_short_run_gets_all_of_it(stage, storm):
    server, port = stage.broadcast()
    put_all(server, storm[:500])
    drain_until(stage.viewer(port), lambda found: len(found) >= 500)

    late = stage.viewer(port)

    assert drain_until(late, lambda found: len(found) >= 500) == storm[:500]


def test_one_who_comes_late_to_a_long_run_gets_a_picture_of_it_and_goes_on(stage, storm):
    server, port = stage.broadcast()
    first = stage.viewer(port)
    long = [*storm, *(an_event(number) for number in range(WHOLE_EVENTS_MAX))]
    for begin in range(0, len(long), 5_000):
        put_all(server, long[begin : begin + 5_000])
        drain_until(first, lambda _: len(first.history()) >= min(begin + 5_000, len(long)))  # noqa: B023

    late = stage.viewer(port)
    (picture,) = drain_until(late, lambda found: len(found) >= 1)

    assert picture.name == SNAPSHOT
    assert what_is_seen(late.history().live) == what_is_seen(first.history().live)
    server.put(an_event(1, "restore.completed"))
    drain_until(late, lambda found: len(found) >= 1)
    assert late.history().live.state == "completed"


def an_event(number, name="page.read", **facts):
    return JournalEvent(1_700_000_100 * 10**9 + number, "orders/s0", name, facts)


def test_the_end_of_the_run_is_told_and_the_viewer_does_not_come_again(stage, storm):
    server, port = stage.broadcast()
    viewer = stage.viewer(port)
    status_until(viewer, lambda status: status.state == "running")
    put_all(server, storm)
    server.end("completed, as it must")
    stopping = threading.Thread(target=server.stop)
    stopping.start()

    events = drain_until(viewer, lambda _: viewer.status.outcome)
    events += drain_until(viewer, lambda _: viewer.status.state == "ended")
    stopping.join(PATIENCE_S)

    assert events == storm
    assert (viewer.status.outcome, viewer.status.error) == ("completed, as it must", "")
    assert not stopping.is_alive()


def test_a_run_that_has_ended_can_still_be_looked_at(stage, storm):
    server, port = stage.broadcast()
    put_all(server, storm)
    server.end("completed")

    viewer = stage.viewer(port)
    drain_until(viewer, lambda found: len(found) >= len(storm))

    assert status_until(viewer, lambda status: status.state == "ended").outcome == "completed"


SERVER = """
import sys, time
from increstore.journal import JournalEvent
from increstore.runtime.broadcast import Broadcast
server = Broadcast("a run")
[(_, port)] = server.start("127.0.0.1", int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    server.put(JournalEvent(10**18 + number, "orders/s0", "page.read", {"n": number}))
print(port, flush=True)
time.sleep(600)
"""


def a_server_process(port, events):
    """(the process, its port)."""
    command = [sys.executable, "-c", SERVER, str(port), str(events)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def test_a_server_that_is_killed_and_started_anew_is_another_run(stage):
    process, port = a_server_process(0, events=300)
    with process:
        viewer = stage.viewer(port)
        drain_until(viewer, lambda found: len(found) >= 300)
        history = viewer.history()
        process.kill()
    assert status_until(viewer, lambda status: status.state == "lost").error

    process, _ = a_server_process(port, events=40)
    with process:
        drain_until(viewer, lambda _: viewer.history() is not history)
        drain_until(viewer, lambda _: len(viewer.history()) >= 40)
        process.kill()

    assert len(viewer.history()) == 40
    assert len(history) == 300


class Proxy:
    """Between viewer and server; it can cut the wire."""

    def __init__(self, port):
        self.port = port
        self._listener = socket.create_server((HOST, 0))
        self.address = self._listener.getsockname()[1]
        self._pairs = []
        self._threads = []
        self._start(self._accept)

    def _start(self, work, *arguments):
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((HOST, self.port))
            except OSError:
                client.close()
                continue
            self._pairs.append((client, server))
            for one, other in ((client, server), (server, client)):
                self._start(self._pass_on, one, other)

    def _pass_on(self, one, other):
        try:
            while received := one.recv(65536):
                other.sendall(received)
        except OSError:
            pass
        for end in (one, other):
            with_suppressed(end.shutdown, socket.SHUT_RDWR)  # Wakes who waits for it.
            end.close()

    def cut(self):
        for pair in self._pairs:
            for end in pair:
                with_suppressed(end.shutdown, socket.SHUT_RDWR)
        self._pairs.clear()

    def close(self):
        """Leaves no thread to the tests that follow, which may count them."""
        # Closing alone does not wake whoever waits in `accept`.
        with_suppressed(self._listener.shutdown, socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()


def with_suppressed(act, *arguments):
    with suppress(OSError):
        act(*arguments)


@pytest.fixture
def proxies():
    made = []

    def make(port):
        made.append(Proxy(port))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


def test_after_a_cut_the_viewer_goes_on_where_it_was(stage, storm, proxies):
    server, port = stage.broadcast()
    proxy = proxies(port)
    viewer = stage.viewer(proxy.address)
    put_all(server, storm[:300])
    drain_until(viewer, lambda found: len(found) >= 300)

    proxy.cut()
    status_until(viewer, lambda status: status.state == "lost")
    put_all(server, storm[300:600])
    drain_until(viewer, lambda _: len(viewer.history()) >= 600)

    assert [*viewer.history().events(0, 999)] == storm[:600]


def test_what_was_missed_for_too_long_is_counted_and_replaced_by_a_picture(stage, storm, proxies):
    server, port = stage.broadcast(backlog=Backlog(bytes_max=20_000))
    proxy = proxies(port)
    viewer = stage.viewer(proxy.address)
    put_all(server, storm[:100])
    drain_until(viewer, lambda _: viewer.history().live.now == fold(storm[:100]).now)
    proxy.cut()
    status_until(viewer, lambda status: status.state == "lost")

    witness = stage.viewer(port)
    put_all(server, storm[100:])
    drain_until(witness, lambda _: witness.history().live.now == fold(storm).now)
    events = drain_until(viewer, lambda found: any(event.name == SNAPSHOT for event in found))

    assert GAP in [event.name for event in events]
    assert viewer.history().live.gaps > 0
    assert what_is_seen(viewer.history().live) == what_is_seen(fold(storm))


def test_a_slow_viewer_does_not_slow_the_run_and_learns_what_it_missed(stage):
    """It reads nothing while much more happens than all buffers hold."""
    server, port = stage.broadcast(
        backlog=Backlog(bytes_max=300_000), ring=EventRing(behind=10**9, facts_max=10**9)
    )
    slow, quick = stage.viewer(port), stage.viewer(port)
    for viewer in (slow, quick):
        status_until(viewer, lambda status: status.state == "running")

    count = 0
    for _ in range(120):
        for _ in range(1_000):
            count += 1
            server.put(an_event(count, says="x" * 100))  # Would never come back if it waited.
        quick.drain()
    drain_until(quick, lambda _: quick.history().live.now == an_event(count).at)

    events = drain_until(slow, lambda _: slow.history().live.now == an_event(count).at)

    gaps = sum(event.facts["events"] for event in events if event.name == GAP)
    told = sum(event.name == "page.read" for event in events)
    assert gaps + told == count
    assert gaps > 0
    assert slow.history().live.gaps == gaps


class Watch:
    """A clock of seconds that goes on by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_viewer_that_was_suspended_goes_on_with_what_has_come_meanwhile(stage, storm):
    server, port = stage.broadcast()
    watch = Watch()
    viewer = stage.viewer(port, connection=Connection(HOST, port, watch))
    status_until(viewer, lambda status: status.state == "running")
    put_all(server, storm[:200])
    witness = stage.viewer(port)
    drain_until(witness, lambda found: len(found) >= 200)

    watch.now += 8.0

    assert drain_until(viewer, lambda found: len(found) >= 200) == storm[:200]
    assert viewer.status.state == "running"


def test_a_server_that_says_nothing_for_long_is_left():
    """The other side is a hole: no server, no answer, no end."""
    with socket.create_server((HOST, 0)) as hole:
        watch = Watch()
        port = hole.getsockname()[1]
        viewer = StreamPlayback(HOST, port, connection=Connection(HOST, port, watch))
        viewer.start()
        for _ in range(3):
            viewer.drain()
            watch.now += 2.0
        viewer.drain()

        assert viewer.status.state == "connecting"
        assert "nothing heard for 5 s" in viewer.status.error
        viewer.stop()


def test_viewers_that_vanish_are_forgotten(stage, storm):
    server, port = stage.broadcast()
    for _ in range(5):
        raw = socket.create_connection((HOST, port))
        raw.sendall(frame(join={"version": 1, "run": None, "seq": None}))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.close()  # With a reset, as of a process that was killed.
    viewer = stage.viewer(port)
    put_all(server, storm[:50])

    assert drain_until(viewer, lambda found: len(found) >= 50) == storm[:50]
    assert status_until(viewer, lambda status: status.viewers == 1)


def test_strangers_are_sent_away_without_harm(stage, storm):
    server, port = stage.broadcast()
    viewer = stage.viewer(port)
    for said in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", frame(join="me"), b"\0\0\0\1\xc1"):
        with socket.create_connection((HOST, port)) as stranger:
            stranger.settimeout(PATIENCE_S)
            stranger.sendall(said)
            with_suppressed(stranger.recv, 100)
    put_all(server, storm[:20])

    assert drain_until(viewer, lambda found: len(found) >= 20) == storm[:20]


def test_a_viewer_of_another_version_is_told_why_it_cannot_look(stage):
    _, port = stage.broadcast()
    with socket.create_connection((HOST, port)) as raw:
        raw.settimeout(PATIENCE_S)
        raw.sendall(frame(join={"version": 99, "run": None, "seq": None}))
        reader = FrameReader()
        reader.feed(raw.recv(4_096))

    (answer,) = reader.frames()
    assert "use the same increstore on both sides" in answer["refused"]


def test_a_port_where_nobody_listens_is_tried_again_and_said(stage):
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    viewer = stage.viewer(port)
    for _ in range(3):
        viewer.drain()

    assert viewer.status.state == "connecting"
    assert "refused" in viewer.status.error.lower()

    server, _ = stage.broadcast(port)
    server.put(an_event(1))
    assert len(drain_until(viewer, lambda found: len(found) >= 1)) == 1
    assert viewer.status.error == ""


def test_a_port_that_is_taken_is_refused_when_serving(stage):
    _, port = stage.broadcast()

    with pytest.raises(UsageError, match="cannot listen at"):
        Broadcast("another").start(HOST, port)


# --- Control.

DROP = Drop(message=("CompletionNotification",), times=2)


def answering(asked):
    def on_command(plain):
        asked.append(command_of(plain))
        return plain_result(seam.CommandResult(True, "done", "hand 1"))

    return on_command


def ask(viewer, command):
    """The answer; the viewer's own patience is short, and a loaded machine slow."""
    status_until(viewer, lambda status: status.state == "running")
    return viewer.command(command)


def test_a_viewer_with_control_may_break_the_run(stage):
    asked = []
    _, port = stage.broadcast(can=["inject", "heal"], on_command=answering(asked))
    viewer = stage.viewer(port, wants_control=True)

    result = ask(viewer, seam.Inject(DROP))

    assert viewer.can == {"inject", "heal"}
    assert result.is_done
    drain_until(viewer, lambda _: asked)
    assert asked == [seam.Inject(DROP)]


@pytest.mark.parametrize("wants_control", [False, True])
def test_without_control_a_viewer_only_looks(stage, wants_control):
    """Neither when the run does not allow it, nor when the viewer did not ask for it."""
    options = {} if wants_control else {"can": ["inject"], "on_command": answering([])}
    _, port = stage.broadcast(**options)
    viewer = stage.viewer(port, wants_control=wants_control)

    result = ask(viewer, seam.Inject(DROP))

    assert viewer.can == frozenset()
    assert not result.is_done


def test_a_run_that_allows_nothing_refuses_also_a_viewer_that_does_not_ask_first(stage):
    _, port = stage.broadcast()
    with socket.create_connection((HOST, port)) as raw:
        raw.settimeout(PATIENCE_S)
        raw.sendall(frame(join={"version": 1, "run": None, "seq": None}))
        raw.sendall(frame(command={"id": 7, **plain_of(seam.Heal())}))
        reader, answers = FrameReader(), []
        while not answers:
            reader.feed(raw.recv(4_096))
            answers += [found["answer"] for found in reader.frames() if "answer" in found]

    assert answers[0]["id"] == 7
    assert "only looked at" in answers[0]["says"]


def test_commands_come_out_of_the_wire_as_they_went_in():
    for command in (seam.Inject(DROP), seam.Heal(), seam.Heal("x"), seam.Operate("cap", 3)):
        assert command_of(plain_of(command)) == command
    assert plain_of(seam.Step()) is None
    with pytest.raises(ValueError, match="unknown kind of fault"):
        command_of({"do": "inject", "fault": {"kind": "dorp"}})
    with pytest.raises(ValueError, match="nobody knows"):
        command_of({"do": "format"})


def test_a_silent_source_is_seen_from_afar(stage):
    """The bug this project exists for, through the wire."""
    server, port = stage.broadcast()
    put_all(server, journal_of(SILENT)[1])
    viewer = stage.viewer(port)

    drain_until(viewer, lambda _: viewer.history().live.state == "paused")

    assert [shard.name for shard in viewer.history().live.unnotified] == ["orders/s1"]
