"""A restore that is looked at: in the dashboard it opens, and from another process."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from increstore.cli.restore_in_view import Looks
from increstore.cli.serving import is_loopback, place_of
from increstore.errors import UsageError
from increstore.scenario.model import WorkloadSpec
from increstore.simulation.collection import compare, write_collection
from increstore.simulation.history import generate
from increstore.simulation.model import Model
from increstore.tui.playback import seam
from increstore.tui.playback.stream import StreamPlayback
from tests.tui.faults import a_fault
from tests.tui.terminal import Terminal

PATIENCE_S = 60.0
SPEC = WorkloadSpec(tables=1, rows=60, incrementals=2)
SERVED = re.compile(rb"increstore watch 127\.0\.0\.1:(\d+)")


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return write_collection(SPEC, tmp_path_factory.mktemp("chain"))


def differences(target):
    model = Model(generate(SPEC))
    return compare(target, model, model.last_incremental)


def command_of(*words):
    return [sys.executable, "-m", "increstore", *map(str, words)]


def run(*words):
    return subprocess.run(
        command_of(*words), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


# --- Words.


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("7788", ("127.0.0.1", 7788)),
        (":7788", ("127.0.0.1", 7788)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:7788", ("::1", 7788)),
        ("db7.example:65535", ("db7.example", 65535)),
    ],
)
def test_a_place_without_a_host_is_this_machine_alone(text, place):
    assert place_of(text) == place
    assert is_loopback(place[0]) == (place[0] in ("127.0.0.1", "::1"))


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "1:65536", "7788x"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(UsageError, match="HOST:PORT"):
        place_of(text)


@pytest.mark.parametrize(
    ("looks", "other", "says"),
    [
        (Looks(takes_commands=True), False, "give --serve"),
        (Looks(is_drill=True), False, "nobody could break it"),
        (Looks(is_drill=True, serve="1"), False, "nobody could break it"),
        (Looks(in_dashboard=True), True, "--json and --plain"),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(looks, other, says):
    with pytest.raises(UsageError, match=says):
        looks.check(shows_otherwise=other)


def test_wishes_that_fit_are_not_refused():
    for looks in (
        Looks(in_dashboard=True, is_drill=True),
        Looks(serve="1", takes_commands=True, is_drill=True),
        Looks(in_dashboard=True, serve="1"),
    ):
        looks.check(shows_otherwise=False)


def test_the_dashboard_needs_a_terminal_and_nothing_is_begun_without(collection, tmp_path):
    ended = run("restore", collection, "--into", tmp_path / "target", "--watch")

    assert ended.returncode == 2
    assert "needs a terminal" in ended.stderr
    assert not (tmp_path / "target").exists()


def test_a_place_that_is_taken_is_refused_before_the_restore_begins(collection, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("restore", collection, "--into", tmp_path / "target", "--serve", place)

    assert ended.returncode == 2
    assert "cannot listen" in ended.stderr


# --- Served.


def served(*words):
    """(the process, its port)."""
    process = subprocess.Popen(command_of(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line = process.stderr.readline()
    found = SERVED.search(line)
    assert found, line + process.communicate()[1]
    return process, int(found[1])


def drain_until(viewer, is_enough):
    deadline = time.monotonic() + PATIENCE_S
    while not is_enough():
        assert time.monotonic() < deadline, viewer.status
        viewer.drain()
        time.sleep(0.005)


def test_a_served_restore_says_the_same_on_stdout_as_one_that_is_not(collection, tmp_path):
    ended = run("restore", collection, "--into", tmp_path / "target", "--serve", "0", "--json")

    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0
    assert lines[-1]["event"] == "summary"
    assert lines[-1]["state"] == "completed"
    assert not [line for line in lines if line["event"] == "message.sent"]
    assert differences(tmp_path / "target") == []


@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_a_viewer_elsewhere_breaks_a_drill_and_heals_it_and_it_still_restores(
    collection, tmp_path, on
):
    target = tmp_path / "target"
    process, port = served(
        "restore", collection, "--into", target, "--on", on, "--sources", 2, "--targets", 2,
        "--serve", 0, "--control", "--drill",
    )  # fmt: skip
    with process:
        viewer = StreamPlayback("127.0.0.1", port, wants_control=True)
        view = lambda: viewer.history().live  # noqa: E731
        drain_until(viewer, lambda: view().generation > 0)
        lost = a_fault('kind="drop" message="CompletionNotification" from="s1" permanent=true')
        result = viewer.command(seam.Inject(lost))
        assert result.is_done, result
        drain_until(viewer, lambda: view().unnotified)

        assert viewer.command(seam.Heal()).is_done
        drain_until(viewer, lambda: viewer.status.state == "ended")
        viewer.stop()
        _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0, said
    assert view().state == "completed"
    assert "restored up to" in said.decode()
    assert differences(target) == []


def test_a_drill_tells_a_program_what_every_restore_tells(collection, tmp_path):
    words = ["--into", tmp_path / "target", "--serve", 0, "--control", "--drill", "--json"]

    done = run("restore", collection, *words)
    refused = run("restore", tmp_path / "nothing", *words)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert lines[-1].items() >= {"event": "summary", "state": "completed", "exit_code": 0}.items()
    assert [table["rows"] > 0 for table in lines[-1]["tables"]]
    assert [line["event"] for line in lines].count("restore.completed") == 1
    summaries = [json.loads(line) for line in refused.stdout.splitlines()]
    assert [(one["event"], one["state"]) for one in summaries] == [("summary", "refused")]
    assert refused.returncode == 3


def test_a_signal_ends_a_served_restore_as_it_ends_any_other(collection, tmp_path):
    target = tmp_path / "target"
    process, port = served(
        "restore", collection, "--into", target, "--serve", 0, "--control", "--drill",
        "--sources", 2,
    )  # fmt: skip
    with process:
        viewer = StreamPlayback("127.0.0.1", port, wants_control=True)
        drain_until(viewer, lambda: viewer.history().live.generation > 0)
        clog = a_fault('kind="clog" node="sources" permanent=true')
        assert viewer.command(seam.Inject(clog)).is_done
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        viewer.stop()

    assert process.returncode == 7
    assert run("restore", collection, "--into", target).returncode == 0
    assert differences(target) == []


def test_a_real_run_of_a_scenario_is_served_and_judged_all_the_same(tmp_path):
    path = tmp_path / "calm.toml"
    path.write_text('format = 1\ntitle = "t"\nwhy = "w"\non = ["memory"]\n')
    process, port = served("run", path, "--serve", 0)
    with process:
        viewer = StreamPlayback("127.0.0.1", port)
        drain_until(viewer, lambda: viewer.status.state == "ended")
        viewer.stop()
        _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0, said
    assert viewer.status.outcome == "completed"
    assert "all green" in said.decode()


def test_a_simulation_is_not_served_but_watched(tmp_path):
    path = tmp_path / "calm.toml"
    path.write_text('format = 1\ntitle = "t"\nwhy = "w"\n')

    ended = run("run", path, "--serve", "0")

    assert ended.returncode == 2
    assert "increstore watch" in ended.stderr


# --- In its own dashboard.


def test_a_restore_in_its_dashboard_tells_its_summary_when_the_person_leaves(collection, tmp_path):
    target = tmp_path / "target"
    words = ("increstore", "restore", str(collection), "--into", str(target), "--watch")
    with Terminal(*words) as terminal:
        terminal.wait_for("restore.completed")
        terminal.press("q")

        assert terminal.ends() == 0
        assert terminal.is_given_back()
        terminal.wait_for("restored up to")
    assert differences(target) == []


def test_a_restore_that_is_left_before_its_end_says_how_to_go_on(collection, tmp_path):
    target = tmp_path / "target"
    words = ("increstore", "restore", str(collection), "--into", str(target))
    with Terminal(*words, "--watch", "--drill", "--serve", "0", "--control") as terminal:
        terminal.wait_for("increstore watch 127.0.0.1:")
        port = int(SERVED.search(terminal.output)[1])
        viewer = StreamPlayback("127.0.0.1", port, wants_control=True)
        drain_until(viewer, lambda: viewer.history().live.generation > 0)
        clog = a_fault('kind="clog" node="sources" permanent=true')
        assert viewer.command(seam.Inject(clog)).is_done
        drain_until(viewer, lambda: viewer.history().live.active_faults)
        terminal.press("q")

        assert terminal.ends() == 7
        assert terminal.is_given_back()
        terminal.wait_for("restore stopped: interrupted", "go on with:")
        viewer.stop()
    assert run("restore", collection, "--into", target).returncode == 0
    assert differences(target) == []
