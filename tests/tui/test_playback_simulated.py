"""A simulation as a source: what a person does to time changes nothing, what he does to the world
is done again by a fork, a seek back, and a saved scenario."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.scenario.load import load_scenario, parse_scenario
from increstore.simulation.observing import WALL_NS
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting
from increstore.tui.playback import seam
from increstore.tui.playback.simulated import SimPlayback
from tests.tui.clocks import HandClock
from tests.tui.faults import a_fault

MS = 1_000_000
HEADER = 'format = 1\ntitle = "t"\nwhy = "w"\n'
STORM = """
[workload]
tables = 2
[network]
loss = "5%"
[nodes]
crash = "0.5%"
[policy]
resume_after = "1s"
resumes_max = 30
"""
SWARM = """
[network]
loss = "0..6%"
[swarm]
omit = "50%"
[[fault]]
kind = "crash"
node = "one of sources"
at = "20ms"
restart_after = "30ms"
[[fault]]
kind = "drop"
message = "CompletionNotification"
at = "10ms"
times = 2
"""


def a_scenario(text=""):
    return parse_scenario(HEADER + text, "test")


def a_playback(text="", seed=0, **options):
    options = {"speed": seam.FLAT_OUT, "clock": HandClock(), **options}
    return SimPlayback(a_scenario(text), seed, **options)


def simulated(text="", seed=0):
    return simulate(prepare_setting(a_scenario(text)), seed)


def play_out(playback, ticks_max=10_000):
    """Everything until the end."""
    events = []
    for _ in range(ticks_max):
        events += playback.drain()
        if playback.status.state == "ended":
            return events
    raise AssertionError(f"no end in {ticks_max} ticks: {playback.status}")


def play_to(playback, name, ticks_max=10_000):
    """Event by event, until one of this name; the world stands still then."""
    for _ in range(ticks_max):
        playback.command(seam.Step("event"))
        for event in playback.drain():
            if event.name == name:
                return event
    raise AssertionError(f"no {name} in {ticks_max} events")


def test_flat_out_it_is_the_run_of_the_same_seed():
    playback = a_playback(STORM, seed=3)

    events = play_out(playback)

    assert playback.run.digest == simulated(STORM, seed=3).digest
    assert [*playback.history().events(0, len(events))] == events
    assert playback.status.outcome.startswith("completed after")
    assert playback.status.events_total == len(events)


steps = st.one_of(
    st.just(seam.Pause()),
    st.just(seam.Resume()),
    st.builds(seam.Step, st.sampled_from(["event", "notification", "incremental"])),
    st.builds(seam.Speed, st.sampled_from([0.1, 1.0, 64.0, seam.FLAT_OUT])),
    st.builds(seam.Seek, index=st.integers(0, 900)),
    st.builds(seam.Seek, at=st.integers(WALL_NS - 5, WALL_NS + 2_000 * MS)),
)


@settings(max_examples=25, deadline=None)
@given(commands=st.lists(st.tuples(steps, st.integers(0, 80 * MS)), max_size=30))
def test_whatever_is_done_to_time_the_same_happens(commands):
    """Pauses, steps, speeds and seeks in any order: the digest and the events stay the same."""
    clock = HandClock(work_ns=1_000)
    playback = a_playback(STORM, speed=1.0, clock=clock)
    for command, passed in commands:
        playback.command(command)
        clock.pass_by(passed)
        playback.drain()
    playback.command(seam.Resume())
    playback.command(seam.Speed(seam.FLAT_OUT))
    play_out(playback)

    once = a_playback(STORM)
    play_out(once)
    assert playback.run.digest == simulated(STORM).digest
    assert [*playback.history().events(0, 10_000)] == [*once.history().events(0, 10_000)]
    assert playback.history().live.events == len(once.history())


def test_at_a_speed_events_come_when_the_clock_has_reached_them():
    clock = HandClock()
    playback = a_playback(speed=0.5, clock=clock)
    playback.start()
    playback.drain()
    for _ in range(20):
        clock.pass_by(10 * MS)
        events = playback.drain()
        assert all(event.at <= WALL_NS + clock.now // 2 for event in events)
        assert playback.status.now_ns == WALL_NS + clock.now // 2


def test_while_paused_nothing_happens_and_the_pause_does_not_count():
    clock = HandClock()
    playback = a_playback(speed=1.0, clock=clock)
    clock.pass_by(20 * MS)
    playback.drain()
    playback.command(seam.Pause())
    shown = playback.status

    clock.pass_by(500 * MS)
    assert playback.drain() == []
    assert playback.status == shown.__class__(
        **{name: getattr(shown, name) for name in shown.__slots__}
    )
    playback.command(seam.Resume())
    clock.pass_by(1 * MS)
    playback.drain()
    assert playback.status.now_ns == shown.now_ns + 1 * MS


def test_a_step_gives_one_event():
    playback = a_playback(is_paused=True)
    for count in range(1, 40):
        playback.command(seam.Step("event"))
        assert len(playback.drain()) == 1
        assert playback.drain() == []
        assert playback.status.events == count
        assert playback.status.state == "paused"


def test_a_step_to_the_next_notification_ends_with_it():
    playback = a_playback(is_paused=True)
    playback.command(seam.Step("notification"))

    events = playback.drain()

    assert events[-1].name in ("completion.received", "scan.reported")
    assert playback.drain() == []


def test_a_clock_that_is_faster_than_we_can_play_waits_for_us():
    clock = HandClock(work_ns=2 * MS)
    playback = a_playback(speed=1024.0, clock=clock)
    clock.pass_by(200 * MS)

    playback.drain()

    assert 0 < playback.status.events < 10
    assert playback.status.now_ns <= WALL_NS + 20 * MS


def test_a_tick_takes_no_more_than_its_budget():
    clock = HandClock(work_ns=100_000)
    playback = a_playback(clock=clock)
    began = clock.now

    playback.drain(budget_ns=4 * MS)

    assert clock.now - began <= 5 * MS


def test_seeking_back_cuts_the_past_at_once_and_plays_the_same_future():
    playback = a_playback(STORM)
    events = play_out(playback)

    playback.command(seam.Seek(index=100))

    assert len(playback.history()) == 100
    assert playback.status.state == "seeking"
    assert playback.status.events_total == len(events)
    assert play_out(playback) == events[100:]
    assert playback.run.digest == simulated(STORM).digest


def test_seeking_ahead_stops_there():
    playback = a_playback(STORM, is_paused=True)
    playback.command(seam.Seek(index=200))
    while playback.status.state == "seeking":
        playback.drain()

    assert len(playback.history()) == 200
    assert playback.status.state == "paused"


def test_seeking_a_time_stops_before_what_comes_after_it():
    playback = a_playback(STORM, is_paused=True)
    at = WALL_NS + 40 * MS
    playback.command(seam.Seek(at=at))
    while playback.status.state == "seeking":
        playback.drain()

    assert playback.history().live.now <= at
    playback.command(seam.Step("event"))
    assert playback.drain()[0].at > at


# --- By hand.

A_DROP = a_fault('kind="drop" message="CompletionNotification" from="s1" permanent=true')


def test_notifications_dropped_by_hand_leave_a_source_unnotified_until_it_is_healed():
    """The bug this project exists for, made and mended by hand."""
    playback = a_playback(is_paused=True)
    play_to(playback, "incremental.started")
    dropped = playback.command(seam.Inject(A_DROP))
    playback.command(seam.Seek(at=WALL_NS + 3_000 * MS))
    while playback.status.state == "seeking":
        playback.drain()

    assert dropped.is_done
    assert [shard.name for shard in playback.history().live.unnotified] == ["orders/s1"]

    assert playback.command(seam.Heal(dropped.fault)).is_done
    playback.command(seam.Resume())
    play_out(playback)
    assert playback.history().live.state == "completed"
    assert playback.status.outcome.startswith("completed")


def test_a_fault_with_mistakes_is_told_and_changes_nothing():
    playback = a_playback(is_paused=True)
    play_to(playback, "incremental.started")

    result = playback.command(seam.Inject(a_fault('kind="crash" node="s9"')))

    assert not result.is_done
    assert "no node 's9'" in result.mistakes[0]
    playback.command(seam.Resume())
    play_out(playback)
    assert playback.run.digest == simulated().digest


def test_a_fault_of_a_time_that_is_over_is_refused():
    playback = a_playback(is_paused=True)
    play_to(playback, "incremental.completed")

    result = playback.command(seam.Inject(a_fault('kind="crash" node="s1" at="1ns"')))

    assert "1ns is over" in result.says


def test_after_the_end_there_is_nothing_to_inject_into():
    playback = a_playback()
    play_out(playback)

    result = playback.command(seam.Inject(A_DROP))

    assert "fork at an earlier moment" in result.says


def test_a_fork_forgets_what_was_done_later_and_keeps_what_was_done_before():
    playback = a_playback(is_paused=True)
    play_to(playback, "incremental.started")
    first = playback.command(seam.Inject(a_fault('kind="crash" node="s0" restart_after="5ms"')))
    here = len(playback.history())
    play_to(playback, "incremental.completed")
    playback.command(seam.Inject(A_DROP))
    play_to(playback, "fault.injected")

    result = playback.command(seam.Fork(here + 10))

    assert result.is_done
    assert playback.title.endswith("(fork 1)")
    assert len(playback.history()) == here + 10
    playback.command(seam.Resume())
    events = play_out(playback)
    assert playback.status.outcome.startswith("completed")
    told = {event.facts["fault"] for event in events if event.name.startswith("fault.")}
    assert told <= {first.fault}
    assert [one.fault.id for one in playback.run.by_hand.injected] == [first.fault]


def test_a_seek_back_does_the_deeds_again():
    playback = a_playback(is_paused=True)
    play_to(playback, "incremental.started")
    playback.command(seam.Inject(a_fault('kind="crash" node="t0" restart_after="50ms"')))
    playback.command(seam.Resume())
    play_out(playback)
    digest, count = playback.run.digest, len(playback.history())

    playback.command(seam.Seek(index=3))
    play_out(playback)

    assert playback.run.digest == digest
    assert len(playback.history()) == count


def test_the_present_of_a_fork_is_that_of_the_run_it_left():
    playback = a_playback(STORM, is_paused=True)
    for _ in range(9):
        playback.command(seam.Step("notification"))
        playback.drain()
    playback.command(seam.Inject(a_fault('kind="pause" node="t1" duration="20ms"')))
    play_to(playback, "fault.injected")
    before = playback.history()

    playback.command(seam.Fork())

    assert playback.history() is not before
    assert [*playback.history().events(0, 999)] == [*before.events(0, 999)]


def test_a_fork_of_the_present_keeps_the_time_that_has_passed_since_the_last_event():
    """A person forks while the coordinator waits for a report that was lost."""
    clock = HandClock()
    lost = """
[[fault]]
kind = "drop"
message = "CompletionNotification"
times = 2
"""
    playback = a_playback(lost, speed=1.0, clock=clock)
    for _ in range(30):
        clock.pass_by(10 * MS)
        playback.drain()
    before = playback.status.now_ns
    assert before > playback.history().live.now + 100 * MS

    playback.command(seam.Fork())
    playback.drain()

    assert playback.status.now_ns == before


# --- Saving.


def save_and_run(playback, tmp_path):
    """(what the saved file gives in a simulation, the file)."""
    path = tmp_path / "played.toml"
    result = playback.command(seam.SaveScenario(path))
    assert result.is_done, result
    scenario = load_scenario(path)
    return simulate(prepare_setting(scenario), scenario.seeds.low), path


BY_HAND = [
    'kind="drop" message="CompletionNotification" from="s1" permanent=true',
    'kind="drop" message="CompletionNotification" times=2',
    'kind="duplicate" message="ApplyChanges" copies=2 times=4',
    'kind="hold" message="ChangesApplied" duration="30ms"',
    'kind="partition" groups=[["coordinator"],["sources"]] duration="400ms"',
    'kind="clog" node="t0" duration="300ms"',
    'kind="slow_link" by="20ms" duration="100ms"',
    'kind="swizzle" nodes="targets" duration="200ms"',
    'kind="crash" node="one of targets" restart_after="40ms"',
    'kind="crash" node="s0" point="after_send" restart_after="40ms"',
    'kind="crash" node="coordinator" duration="100ms"',
    'kind="pause" node="t1" duration="70ms"',
    'kind="clock_jump" node="coordinator" by="3s"',
    'kind="disk" node="t0" action="slow" by="9ms" duration="200ms"',
    'kind="page" node="s1" times=2',
    'kind="usurp"',
    'kind="reset" from="sources" to="targets"',
    'kind="crash" node="s1" after={event="scan.asked",nth=2} restart_after="5ms"',
]


@pytest.mark.parametrize("fault", BY_HAND)
@pytest.mark.parametrize("text", ["", SWARM], ids=["calm", "swarm"])
def test_a_fault_injected_by_hand_and_saved_does_the_same_again(fault, text, tmp_path):
    playback = a_playback(text, seed=5, is_paused=True)
    play_to(playback, "incremental.started")
    assert playback.command(seam.Inject(a_fault(fault))).is_done
    playback.command(seam.Resume())
    play_out(playback)

    again, path = save_and_run(playback, tmp_path)

    assert (again.state, again.ended_at) == (playback.run.state, playback.run.outcome.ended_at)
    assert again.digest == playback.run.digest, path.read_text()
    assert not again.not_reached


HEALED = [
    'kind="drop" message="CompletionNotification" from="s1" permanent=true',
    'kind="drop" message="StartScan" to="s1" incremental=3',
    'kind="partition" groups=[["s0"]]',
    'kind="clog" node="t0" permanent=true',
    'kind="crash" node="t0"',
    'kind="crash" node="s0" permanent=true',
    'kind="crash" node="s0" restart_after="900ms"',
    'kind="pause" node="coordinator" duration="900ms"',
    'kind="hold" message="CompletionNotification"',
    'kind="disk" node="t1" action="eio"',
    'kind="crash" node="s1" after={event="restore.finalizing"}',
]


@pytest.mark.parametrize("text", HEALED)
def test_a_fault_healed_by_hand_and_saved_does_the_same_again(text, tmp_path):
    playback = a_playback(is_paused=True)
    play_to(playback, "scan.reported")
    injected = playback.command(seam.Inject(a_fault(text)))
    playback.command(seam.Seek(at=playback.status.now_ns + 40 * MS))
    while playback.status.state == "seeking":
        playback.drain()
    assert playback.command(seam.Heal(injected.fault)).is_done, "over before it could be healed"
    playback.command(seam.Resume())
    play_out(playback)

    again, path = save_and_run(playback, tmp_path)

    assert playback.run.state == again.state == "completed"
    assert again.ended_at == playback.run.outcome.ended_at, path.read_text()


HEALING = """
[heal]
at = "40ms"
[[fault]]
kind = "partition"
groups = [["t0"]]
at = "10ms"
[[fault]]
kind = "pause"
node = "people/t1"
at = "20ms"
duration = "9s"
[[fault]]
kind = "crash"
node = "s0"
after = {event = "restore.completed"}
[workload]
tables = 2
"""


def test_a_permanent_fault_healed_after_everything_else_has_healed_is_saved_as_it_was(tmp_path):
    playback = a_playback(HEALING, is_paused=True)
    play_to(playback, "incremental.started")
    playback.command(seam.Inject(A_DROP))
    playback.command(seam.Seek(at=WALL_NS + 300 * MS))
    while playback.status.state == "seeking":
        playback.drain()
    assert playback.command(seam.Heal("hand 1")).is_done
    playback.command(seam.Resume())
    play_out(playback)

    again, path = save_and_run(playback, tmp_path)

    assert playback.run.state == again.state == "completed"
    assert again.ended_at == playback.run.outcome.ended_at, path.read_text()


def test_what_an_operator_does_is_saved_as_well(tmp_path):
    playback = a_playback(is_paused=True)
    play_to(playback, "incremental.completed")
    assert playback.command(seam.Operate("cancel")).is_done
    playback.command(seam.Resume())
    play_out(playback)

    again, path = save_and_run(playback, tmp_path)

    assert again.state == playback.run.state == "cancelled"
    assert load_scenario(path).expect.outcome == "cancelled"


def test_saving_never_writes_over_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("mine")

    result = a_playback().command(seam.SaveScenario(path))

    assert not result.is_done
    assert path.read_text() == "mine"


def test_healing_what_is_over_or_unknown_is_answered():
    playback = a_playback()

    assert not playback.command(seam.Heal(None)).is_done
    assert "unknown" in playback.command(seam.Heal("nobody")).says


def test_every_shipped_scenario_plays_as_it_runs():
    shipped = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
    for path in shipped[::9]:
        scenario = load_scenario(path)
        if "simulation" in scenario.on:
            playback = SimPlayback.of_file(path, speed=seam.FLAT_OUT)
            play_out(playback)
            digest = simulate(prepare_setting(scenario), scenario.seeds.low).digest
            assert playback.run.digest == digest
