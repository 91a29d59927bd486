"""A live run in a thread of its own: it is told, joined on every ending, and may be broken."""

from __future__ import annotations

import threading
import time

import pytest

from increstore.errors import StorageFailed
from increstore.journal import Journal, JournalEvent
from increstore.protocol.coordinator import CoordinatorConfig, RestoreState
from increstore.runtime.prepare import prepare
from increstore.runtime.request import RestoreRequest
from increstore.scenario.load import load_scenario, parse_scenario
from increstore.scenario.model import WorkloadSpec
from increstore.simulation.collection import compare, write_collection
from increstore.simulation.history import generate
from increstore.simulation.model import Model
from increstore.tui.playback import seam
from increstore.tui.playback.drill_engine import ScenarioEngine
from increstore.tui.playback.engine import RestoreEngine
from increstore.tui.playback.restore_drill import RestoreDrillEngine
from increstore.tui.playback.threaded import ThreadPlayback
from tests.tui.faults import a_fault

PATIENCE_S = 60.0
SPEC = WorkloadSpec(tables=2, rows=60, incrementals=2)
LOST_REPORTS = 'kind="drop" message="CompletionNotification" from="s1" permanent=true'


@pytest.fixture(autouse=True)
def _nobody_stays_behind():
    """A leaked engine would run into the next test."""
    before = set(threading.enumerate())
    yield
    left = [t.name for t in set(threading.enumerate()) - before if t.name == "engine"]
    assert left == []


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    return write_collection(SPEC, tmp_path_factory.mktemp("chain"))


def drain_until(playback, is_enough):
    deadline = time.monotonic() + PATIENCE_S
    while not is_enough(playback):
        assert time.monotonic() < deadline, playback.status
        playback.drain()
        time.sleep(0.005)  # A tick: the engine wants the interpreter, too.


def has_ended(playback):
    return playback.status.state in ("ended", "failed")


def barrier_of(playback):
    barrier = playback.history().live.barrier
    return "" if barrier is None else barrier.says


def differences(target):
    model = Model(generate(SPEC))
    return compare(target, model, model.last_incremental)


def a_restore(collection, target, on="memory"):
    request = RestoreRequest(collection, target, sources=2, targets=2, on=on)
    prepared = prepare(request)
    return RestoreEngine(prepared, CoordinatorConfig(), Journal()), prepared


def close(prepared):
    prepared.log.close()
    prepared.directory.close()


def test_a_restore_is_watched_to_its_end(collection, tmp_path):
    engine, prepared = a_restore(collection, tmp_path / "target")
    playback = ThreadPlayback(engine)
    playback.start()

    drain_until(playback, has_ended)
    playback.stop()
    close(prepared)

    view = playback.history().live
    assert playback.status.outcome == "completed"
    assert engine.outcome.state is RestoreState.COMPLETED
    assert (view.state, view.mode) == ("completed", "memory")
    assert [one.state for one in view.incrementals] == ["done"] * 3
    assert [one.backup for one in view.incrementals] == list(prepared.plan.backups)
    assert {target.state for target in view.targets} == {"finalized"}
    assert differences(tmp_path / "target") == []


def test_a_restore_that_is_left_is_interrupted_and_the_same_command_goes_on(collection, tmp_path):
    target = tmp_path / "target"
    request = RestoreRequest(collection, target, sources=2, targets=2, on="memory")
    playback = ThreadPlayback(RestoreDrillEngine(request, CoordinatorConfig(), Journal()))
    playback.start()
    drain_until(playback, lambda _: playback.history().live.incremental >= 0)
    assert playback.command(seam.Inject(a_fault('kind="clog" node="targets"'))).is_done
    drain_until(playback, lambda _: playback.history().live.active_faults)

    playback.stop()

    assert playback.status.outcome == "interrupted; the same command goes on"
    engine, prepared = a_restore(collection, target)
    assert prepared.resumes
    again = ThreadPlayback(engine)
    again.start()
    drain_until(again, has_ended)
    again.stop()
    close(prepared)
    assert differences(target) == []


@pytest.mark.parametrize("on", ["memory", "tcp"])
def test_a_live_restore_that_is_broken_and_healed_by_hand_restores_what_the_chain_says(
    collection, tmp_path, on
):
    """The bug this project exists for, in a real restore: seen, healed, finished, verified."""
    target = tmp_path / "target"
    request = RestoreRequest(collection, target, sources=2, targets=2, on=on)
    playback = ThreadPlayback(RestoreDrillEngine(request, CoordinatorConfig(), Journal()))
    playback.start()
    drain_until(playback, lambda _: playback.history().live.generation > 0)
    result = playback.command(seam.Inject(a_fault(LOST_REPORTS)))
    crash = a_fault('kind="crash" node="one of targets" restart_after="200ms"')
    assert result.is_done, result
    assert playback.command(seam.Inject(crash)).is_done
    drain_until(playback, lambda _: playback.history().live.unnotified)
    drain_until(playback, lambda _: "/s1" in barrier_of(playback))

    assert playback.command(seam.Heal(result.fault)).is_done
    drain_until(playback, has_ended)
    playback.stop()

    assert playback.status.outcome == "completed"
    assert playback.history().live.unnotified == []
    assert differences(target) == []


class Failing:
    """An engine that tells one thing and then fails."""

    title = "failing"
    can = frozenset()

    def __init__(self, error):
        self.error = error
        self.stops = 0

    def run(self, put):
        put(JournalEvent(1, "coordinator", "incremental.started", {"incremental": 0}))
        raise self.error

    def stop(self):
        self.stops += 1


@pytest.mark.parametrize("error", [StorageFailed("the disk is gone"), RuntimeError("a bug")])
def test_what_an_engine_fails_with_is_shown_and_raised_once(error):
    engine = Failing(error)
    playback = ThreadPlayback(engine)
    playback.start()
    drain_until(playback, has_ended)

    assert playback.status.state == "failed"
    assert str(error) in playback.status.error
    assert len(playback.history()) == 1
    with pytest.raises(type(error), match=str(error)):
        playback.stop()
    playback.stop()
    assert engine.stops >= 1


def test_a_run_that_was_stopped_before_it_began_never_begins(collection, tmp_path):
    engine, prepared = a_restore(collection, tmp_path / "target")
    playback = ThreadPlayback(engine)

    playback.stop()
    playback.stop()

    assert playback.status.state == "connecting"
    assert playback.drain() == []
    close(prepared)


def test_a_run_that_is_stopped_as_it_begins_ends_at_once(collection, tmp_path):
    engine, prepared = a_restore(collection, tmp_path / "target")
    playback = ThreadPlayback(engine)
    engine.stop()
    playback.start()

    drain_until(playback, has_ended)
    playback.stop()
    close(prepared)

    assert engine.outcome.state is RestoreState.RUNNING
    assert "restore.interrupted" in [e.name for e in playback.history().events(0, 99)]


def test_an_operator_cancels_a_restore_from_the_dashboard(collection, tmp_path):
    request = RestoreRequest(collection, tmp_path / "target", sources=2, targets=2, on="memory")
    playback = ThreadPlayback(RestoreDrillEngine(request, CoordinatorConfig(), Journal()))
    playback.start()
    drain_until(playback, lambda _: playback.history().live.generation > 0)
    playback.command(seam.Inject(a_fault(LOST_REPORTS)))

    assert playback.command(seam.Operate("cancel")).is_done
    drain_until(playback, has_ended)
    playback.stop()

    assert playback.status.outcome.startswith("cancelled")
    assert playback.history().live.state == "cancelled"


def test_a_plain_restore_takes_an_operators_word_and_no_faults(collection, tmp_path):
    engine, prepared = a_restore(collection, tmp_path / "target")
    playback = ThreadPlayback(engine)

    refused = playback.command(seam.Inject(a_fault(LOST_REPORTS)))
    early = playback.command(seam.Operate("cap", 1))

    assert playback.can == {"operate"}
    assert "--drill" in refused.says
    assert "no coordinator listens" in early.says
    playback.stop()
    close(prepared)


# --- Scenarios.

CALM = 'format = 1\ntitle = "t"\nwhy = "w"\non = ["memory", "tcp"]\n'


def test_a_scenario_on_real_nodes_ends_as_it_expects(tmp_path):
    playback = ThreadPlayback(ScenarioEngine(parse_scenario(CALM, "t"), "memory", 0, tmp_path))
    playback.start()

    drain_until(playback, has_ended)
    playback.stop()

    assert playback.status.outcome.endswith("as the scenario expects")
    assert (playback.history().live.title, playback.history().live.seed) == ("t", 0)


def test_what_was_done_by_hand_to_a_real_run_is_saved_as_a_scenario(tmp_path):
    playback = ThreadPlayback(ScenarioEngine(parse_scenario(CALM, "t"), "memory", 3, tmp_path))
    playback.start()
    drain_until(playback, lambda _: playback.history().live.incremental >= 0)
    fault = playback.command(seam.Inject(a_fault(LOST_REPORTS))).fault
    drain_until(playback, lambda _: playback.history().live.unnotified)
    playback.command(seam.Heal(fault))
    drain_until(playback, has_ended)
    path = tmp_path / "played.toml"

    result = playback.command(seam.SaveScenario(path))
    playback.stop()

    assert "does the like again" in result.says
    scenario = load_scenario(path)
    (saved,) = scenario.faults
    assert (saved.kind, saved.id, saved.permanent) == ("drop", fault, False)
    assert saved.duration.low > 0
    assert scenario.seeds.low == 3
    again = ThreadPlayback(ScenarioEngine(scenario, "memory", 3, tmp_path))
    again.start()
    drain_until(again, has_ended)
    again.stop()
    assert again.status.outcome.endswith("as the scenario expects")


def test_a_fault_with_mistakes_is_told_from_inside_the_run(tmp_path):
    playback = ThreadPlayback(ScenarioEngine(parse_scenario(CALM, "t"), "memory", 0, tmp_path))
    before = playback.command(seam.Inject(a_fault(LOST_REPORTS)))
    playback.start()
    drain_until(playback, lambda _: playback.history().live.generation > 0)

    result = playback.command(seam.Inject(a_fault('kind="crash" node="s9"')))
    rollback = playback.command(seam.Inject(a_fault('kind="crash" node="t0" rollback=1')))
    unknown = playback.command(seam.Heal("nobody"))
    playback.stop()

    assert "has not begun" in before.says
    assert "no node 's9'" in result.mistakes[0]
    assert "rollback" in rollback.says
    assert "unknown" in unknown.says


def test_real_time_is_neither_held_nor_turned_back(tmp_path):
    playback = ThreadPlayback(ScenarioEngine(parse_scenario(CALM, "t"), "memory", 0, tmp_path))

    for command in (seam.Pause(), seam.Step(), seam.Speed(2.0), seam.Seek(index=0), seam.Fork()):
        assert not playback.command(command).is_done
    playback.stop()
