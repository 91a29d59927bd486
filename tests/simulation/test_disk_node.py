"""Crash points around the durable work of targets: what a power cut leaves, and what follows."""

from __future__ import annotations

import pytest

from increstore.scenario.load import parse_scenario
from increstore.simulation.draws import Draws
from increstore.simulation.run import make_world, simulate
from increstore.simulation.setting import prepare_setting

HEADER = 'format = 1\ntitle = "t"\nwhy = "w"\n'
WORK = ("ApplyBatch", "SealRun", "FinalizeRows")


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("point", ["before_append", "after_append", "after_sync"])
def test_a_target_can_crash_around_each_kind_of_its_work_and_nothing_is_lost(work, point):
    setting = prepare_setting(
        parse_scenario(
            f'{HEADER}[[fault]]\nkind = "crash"\nnode = "t0"\npoint = "{point}"\n'
            f'record = "{work}"\nrestart_after = "10ms"\n[expect]\nreached = ["fault: fault 1"]\n',
            "test",
        )
    )

    outcomes = [simulate(setting, seed) for seed in range(5)]

    for outcome in outcomes:
        assert (outcome.state, outcome.violation, outcome.not_reached) == ("completed", None, ())
        assert outcome.tables == setting.workload.model.rows_after(3)


def test_a_target_that_crashed_says_nothing_more_in_that_step():
    """A crash in the first of several effects must also stop the messages of the step."""
    setting = prepare_setting(
        parse_scenario(
            f'{HEADER}[[fault]]\nkind = "crash"\nnode = "t0"\npoint = "before_append"\n'
            'record = "ApplyBatch"\nrestart_after = "1s"\n',
            "test",
        )
    )
    told = []

    simulate(setting, 0, journal_to=told.append)

    crashed = next(event.at for event in told if event.name == "node.crashed")
    back = next(event.at for event in told if event.name == "node.restarted")
    assert back - crashed == 1_000_000_000
    assert [e for e in told if e.node == "orders/t0" and crashed < e.at < back] == []


def test_a_crash_at_a_point_is_told_when_it_happens():
    setting = prepare_setting(
        parse_scenario(
            f'{HEADER}[[fault]]\nkind = "crash"\nnode = "t0"\npoint = "after_sync"\n'
            'record = "SealRun"\nrestart_after = "10ms"\n',
            "test",
        )
    )
    told = []

    simulate(setting, 0, journal_to=told.append)

    injected = next(event.at for event in told if event.name == "fault.injected")
    assert injected == next(event.at for event in told if event.name == "node.crashed")


# --- Writes that fail: what each kind of failure leaves, and what follows.


def a_failing_setting(action, node, op, more=""):
    return prepare_setting(
        parse_scenario(
            f'{HEADER}{more}[policy]\nrepeat = "200ms"\nbackoff = "100ms"\n'
            f'[[fault]]\nid = "bad"\nkind = "disk"\naction = "{action}"\nnode = "{node}"\n'
            f'op = "{op}"\ntimes = 1\nafter = {{event = "incremental.started", incremental = 0}}\n'
            '[expect]\nreached = ["fault: bad"]\n',
            "test",
        )
    )


def left_by(setting, node, seed):
    """(whole frames, torn ones) that the failed write of this node has left on its disk, whether
    tables were visible then, and the outcome: "completed", .. once all is over."""
    lengths, left = [], []

    def look(event):
        disk = world.nodes[node].disk
        if event.name == "fault.injected":
            lengths.append(len(disk.frames))
        elif event.name == "storage.failed" and not left:
            torn = len(disk.damaged)
            left.append((len(disk.frames) - lengths[0] - torn, torn, world.is_published))

    world = make_world(setting, Draws(seed), journal_to=look)
    world.run()
    return *left[0], world.state.value


SEEDS = range(24)


@pytest.mark.parametrize("op", ["append", "seal"])
@pytest.mark.parametrize("action", ["eio", "enospc"])
def test_a_write_of_a_target_that_fails_leaves_nothing_or_a_torn_part(action, op):
    """The segment file grows in place: recovery cuts the part, and the sources send it again."""
    setting = a_failing_setting(action, "orders/t0", op, "[workload]\npage_rows = 2\n")

    found = [left_by(setting, "orders/t0", seed) for seed in SEEDS]

    assert {torn for _, torn, *_ in found} == {0, 1}
    assert [whole for whole, torn, *_ in found if whole and not torn] == []
    assert {state for *_, state in found} == {"completed"}


@pytest.mark.parametrize("op", ["append", "seal", "finalize"])
def test_a_write_whose_sync_fails_is_there_as_a_whole_or_not_at_all(op):
    setting = a_failing_setting("fsync_error", "orders/t0", op)

    found = [left_by(setting, "orders/t0", seed) for seed in SEEDS]

    assert {torn for _, torn, *_ in found} == {0}
    assert {whole > 0 for whole, *_ in found} == {False, True}
    assert {state for *_, state in found} == {"completed"}


@pytest.mark.parametrize("action", ["eio", "enospc"])
def test_a_failed_write_of_final_rows_leaves_nothing_that_counts(action):
    """They are made under another name, in the same life they are made once more."""
    setting = a_failing_setting(action, "orders/t0", "finalize")

    found = [left_by(setting, "orders/t0", seed) for seed in SEEDS]

    assert set(found) == {(0, 0, False, "completed")}


@pytest.mark.parametrize("action", ["eio", "enospc"])
def test_a_failed_append_to_the_log_leaves_nothing_and_ends_the_command(action):
    """A transaction of SQLite is there or not; a coordinator that cannot remember ends."""
    setting = a_failing_setting(action, "coordinator", "log")

    found = [left_by(setting, "coordinator", seed) for seed in SEEDS]

    assert set(found) == {(0, 0, False, "paused")}


def test_an_append_to_the_log_whose_sync_fails_may_have_happened_and_ends_the_command():
    setting = a_failing_setting("fsync_error", "coordinator", "log")

    found = [left_by(setting, "coordinator", seed) for seed in SEEDS]

    assert set(found) == {(0, 0, False, "paused"), (1, 0, False, "paused")}


@pytest.mark.parametrize(("action", "visible"), [("eio", {False}), ("fsync_error", {False, True})])
def test_tables_whose_last_sync_failed_may_be_visible_and_the_restore_pauses(action, visible):
    setting = a_failing_setting(action, "coordinator", "publish")

    found = [left_by(setting, "coordinator", seed) for seed in SEEDS]

    assert {is_visible for _, _, is_visible, _ in found} == visible
    assert {state for *_, state in found} == {"paused"}


def test_final_rows_that_were_durable_after_all_are_not_made_again():
    setting = a_failing_setting("fsync_error", "orders/t0", "finalize")

    for seed in SEEDS:
        world = make_world(setting, Draws(seed))
        world.run()
        finals = [frame for frame in world.nodes["orders/t0"].disk.frames if frame[0] == "final"]
        assert len(finals) == 1


def test_a_batch_that_was_damaged_at_rest_ends_the_restore_when_final_rows_are_made():
    """The store reads every batch again, and checks it: nothing is made of damaged rows."""
    setting = prepare_setting(
        parse_scenario(
            f'{HEADER}[workload]\npage_rows = 2\n[[fault]]\nkind = "disk"\naction = "bitflip"\n'
            'node = "targets"\nafter = {event = "restore.finalizing"}\n',
            "test",
        )
    )

    outcomes = [simulate(setting, seed) for seed in SEEDS]

    assert {outcome.violation for outcome in outcomes} == {None}
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    assert len(failed) > len(SEEDS) // 2
    assert all("finalize failed: storage corrupted: frame" in found.reason for found in failed)
    assert all(outcome.tables is None for outcome in failed)
