"""The simulated world: whole restores in virtual time, and everything that ends one."""

from __future__ import annotations

import dataclasses

import pytest

from increstore.scenario.load import parse_scenario
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting

HEADER = 'format = 1\ntitle = "t"\nwhy = "w"\n'


def a_setting(text=""):
    return prepare_setting(parse_scenario(HEADER + text, "test"))


def events_of(setting, seed=0, **more):
    events = []
    outcome = simulate(setting, seed, journal_to=events.append, **more)
    return outcome, events


def test_a_restore_without_faults_ends_with_exactly_the_rows_of_the_model():
    setting = a_setting("[cluster]\nsources = 3\ntargets = 2\n[workload]\ntables = 2\n")

    outcome = simulate(setting, 0)

    assert (outcome.state, outcome.violation) == ("completed", None)
    assert outcome.tables == setting.workload.model.rows_after(3)
    assert sum(map(len, outcome.tables.values())) > 40


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    setting = a_setting()

    one, same, other = simulate(setting, 5), simulate(setting, 5), simulate(setting, 6)

    assert one == same
    assert one.digest != other.digest


def test_a_journal_changes_nothing_of_the_run_that_is_watched():
    setting = a_setting('[network]\nloss = "2%"\n[nodes]\ncrash = "0.3%"\n')

    watched, events = events_of(setting, seed=3)

    assert watched.digest == simulate(setting, 3).digest
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert "restore.completed" in {event.name for event in events}


STORMY = """
[cluster]
sources = 2
targets = 2
[policy]
resume_after = "1s"
resumes_max = 60
retries_max = 20
[network]
kind = "{kind}"
loss = "4%"
duplicate = "4%"
reorder = "{reorder}"
corrupt = "1%"
truncate = "1%"
[nodes]
crash = "0.4%"
[pages]
fail = "2%"
[heal]
at = "20s"
"""


@pytest.mark.parametrize(("kind", "reorder"), [("stream", "0%"), ("datagram", "4%")])
def test_storms_that_end_never_change_the_outcome(kind, reorder):
    setting = a_setting(STORMY.format(kind=kind, reorder=reorder))
    expected = setting.workload.model.rows_after(3)

    outcomes = [simulate(setting, seed) for seed in range(40)]

    assert [outcome.violation for outcome in outcomes] == [None] * 40
    assert all(outcome.tables == expected for outcome in outcomes)
    assert len({outcome.digest for outcome in outcomes}) == 40
    assert sum("dropped: reported before" in outcome.reached for outcome in outcomes) > 0


def test_a_tape_replays_a_stormy_run_and_an_empty_tape_is_a_calm_one():
    setting = a_setting(STORMY.format(kind="stream", reorder="0%"))
    recorded = simulate(setting, 11, record=True)

    replayed = simulate(setting, 999, tape=recorded.tape)
    calm = simulate(setting, 11, tape={})

    assert replayed.digest == recorded.digest == simulate(setting, 11).digest
    assert (calm.state, calm.violation) == ("completed", None)
    assert "node.crashed" not in calm.reached


def test_what_chance_did_is_told_in_words():
    setting = a_setting(STORMY.format(kind="stream", reorder="0%"))

    outcomes = [simulate(setting, seed, keep_strikes=True) for seed in range(20)]

    kinds = {strike.kind for outcome in outcomes for strike in outcome.strikes}
    assert kinds == {"latency", "loss", "duplicate", "corrupt", "truncate", "crash", "page"}
    assert all(outcome.strikes for outcome in outcomes)


def test_every_crash_point_of_a_small_restore_is_survived():
    setting = a_setting("[workload]\nincrementals = 1\nrows = 6\nchanges = 3\n")
    points = simulate(setting, 0).points
    expected = setting.workload.model.rows_after(1)

    outcomes = [simulate(setting, 0, crash_at=frozenset({k})) for k in range(1, points + 1)]

    assert points > 60
    assert [k for k, found in enumerate(outcomes, 1) if found.tables != expected] == []
    assert [found.violation for found in outcomes if found.violation] == []


def test_a_deadlock_is_found_at_once_and_explained():
    """A target that stays away leaves nothing to wait for but the sources' repeats, which go on;
    with everyone away nothing is left at all."""
    setting = a_setting(
        '[heal]\nat = "1s"\n[[fault]]\nkind = "crash"\nnode = "all"\nat = "5ms"\npermanent = true\n'
    )

    outcome = simulate(setting, 0)

    assert outcome.state == "running"
    assert outcome.violation.invariant.startswith("L7")
    assert outcome.moments < 200


def test_a_restore_that_is_not_done_in_time_after_the_heal_is_told_with_what_it_waits_for():
    setting = a_setting(
        '[heal]\nat = "1s"\n[expect]\nwithin = "20s"\n'
        '[[fault]]\nkind = "crash"\nnode = "t1"\nat = "5ms"\npermanent = true\n'
    )

    outcome = simulate(setting, 0)

    assert outcome.violation.invariant.startswith("L")
    assert "t1" in outcome.violation.says
    assert outcome.ended_at <= 22_000_000_000


def test_a_frame_with_a_changed_byte_is_refused_by_the_framing_and_breaks_the_link():
    setting = a_setting(
        '[[fault]]\nid = "flip"\nkind = "corrupt"\nmessage = "ApplyChanges"\ntimes = 3\n'
        '[expect]\nreached = ["fault: flip"]\n'
    )

    outcome = simulate(setting, 0)

    assert (outcome.state, outcome.violation, outcome.not_reached) == ("completed", None, ())


def test_the_overtaken_coordinator_is_refused_and_the_new_one_completes():
    setting = a_setting(
        '[[fault]]\nid = "coup"\nkind = "usurp"\nafter = {event = "incremental.started", nth = 2}\n'
    )

    outcome = simulate(setting, 0)

    assert (outcome.state, outcome.violation) == ("completed", None)
    assert outcome.tables == setting.workload.model.rows_after(3)
    assert outcome.reached.get("fault: coup") == 1


def test_a_second_restore_is_refused_by_every_shard_and_harms_nothing():
    setting = a_setting(
        '[[fault]]\nkind = "second_restore"\nafter = {event = "incremental.started", nth = 2}\n'
    )

    outcome = simulate(setting, 0)

    assert (outcome.state, outcome.violation) == ("completed", None)
    assert outcome.tables == setting.workload.model.rows_after(3)


def test_an_outcome_says_of_each_incremental_how_many_rows_its_seals_prove():
    setting = a_setting()

    outcome = simulate(setting, 0)

    model = setting.workload.model
    assert outcome.evidence == {"orders": {n: model.changes("orders", n) for n in range(4)}}


def test_recording_what_chance_draws_changes_nothing_of_it():
    """The quick way of an unrecorded run must draw the same; else no failure could be shrunk."""
    setting = a_setting()

    recorded = simulate(setting, 4, record=True)

    assert len(recorded.tape) > 100
    assert dataclasses.replace(recorded, tape={}) == simulate(setting, 4)


def test_what_waits_for_a_node_that_stands_still_has_not_been_heard():
    """A judge that was told of it on arrival blamed a source for sending what it could not know."""
    setting = a_setting(
        """
[policy]
repeat = "200ms"
[[fault]]
kind = "disk"
node = "targets"
action = "slow"
op = "append"
by = "1200ms"
times = 2
[[fault]]
kind = "slow_link"
from = "targets"
to = "sources"
by = "300ms"
duration = "4s"
[[fault]]
kind = "pause"
node = "sources"
at = "900ms..1100ms"
duration = "2s"
[heal]
at = "6s"
"""
    )

    outcomes = [simulate(setting, seed) for seed in range(10)]

    assert [outcome.violation for outcome in outcomes] == [None] * 10
    assert {outcome.state for outcome in outcomes} == {"completed"}


def test_a_resume_whose_moment_is_known_finds_the_paused_coordinator_still_there():
    """Nobody gives the command again: it goes on in the same life, under the same generation."""
    setting = a_setting(
        '[[fault]]\nkind = "operator"\nverb = "pause"\n'
        'after = { event = "incremental.started", incremental = 1 }\n'
        '[[fault]]\nkind = "operator"\nverb = "resume"\n'
        'after = { event = "restore.paused" }\ndelay = "200ms"\n'
    )

    outcome, events = events_of(setting)

    at = {event.name: event.at for event in events}
    assert (outcome.state, outcome.violation) == ("completed", None)
    assert at["restore.resumed"] - at["restore.paused"] >= 200_000_000
    assert sum(event.name == "coordinator.started" for event in events) == 1
    assert outcome.tables == setting.workload.model.rows_after(3)


def test_a_resume_that_waits_for_something_to_happen_first_does_not_keep_a_paused_command():
    setting = a_setting(
        '[[fault]]\nkind = "operator"\nverb = "pause"\nat = "10ms"\n'
        '[[fault]]\nkind = "operator"\nverb = "resume"\n'
        'after = { event = "restore.finalizing" }\n'
    )

    assert simulate(setting, 0).state == "paused"


def test_a_coordinator_that_can_never_write_its_log_again_pauses_as_the_real_one_does():
    setting = a_setting(
        '[[fault]]\nkind = "disk"\nnode = "coordinator"\nop = "log"\naction = "enospc"\n'
        'after = { event = "incremental.started", incremental = 1 }\npermanent = true\n'
    )

    outcome = simulate(setting, 0)

    assert (outcome.state, outcome.violation, outcome.tables) == ("paused", None, None)
    assert "no space" in outcome.reason
