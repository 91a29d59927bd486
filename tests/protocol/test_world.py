"""Whole restores of real cores in a hostile world: whatever happens, the outcome is the same."""

from __future__ import annotations

import pytest

from increstore.protocol.coordinator import Coordinator, CoordinatorConfig
from increstore.protocol.messages import CompletionNotification
from increstore.protocol.ready import Received, TimePassed
from increstore.protocol.records import RestorePaused, RetryScheduled

from .world import MS, SECOND, WALL, Luck, World


def test_a_world_without_faults_completes_at_once():
    world = World(seed=1).run(within=20 * SECOND)

    assert world.sent["CompletionNotification"] == 12  # 2 tables, 2 sources, 3 incrementals.


LUCK = {
    "loss": Luck(loss=200),
    "duplicates": Luck(duplicate=300),
    "late messages": Luck(reorder=100),
    "slow links": Luck(latency_ms_max=2500),
    "crashes": Luck(crash=15),
    "failing pages": Luck(page_failure=200),
    "everything": Luck(
        loss=80, duplicate=80, reorder=40, crash=8, page_failure=60, latency_ms_max=400
    ),
}


@pytest.mark.parametrize("kind", LUCK)
@pytest.mark.parametrize("first_seed", range(0, 40, 20))
def test_every_restore_completes_with_each_batch_applied_exactly_once(kind, first_seed):
    """O1, O2, O5, E1 to E5, C1 to C5, S3, D3, R1, R2, R4, L1 to L3: the checkers of the world."""
    for seed in range(first_seed, first_seed + 20):
        World(seed, LUCK[kind]).run()


SMALL = {"tables": 1, "sources": 2, "targets": 2, "last": 1}


@pytest.mark.parametrize("point", [0, 1, 2], ids=["before records", "within records", "after"])
def test_a_crash_at_any_single_step_of_any_role_comes_to_the_same_end(point):
    """Coordinator, source and target, before their records, within them, and after sending."""
    steps = World(seed=3, **SMALL).run().steps
    assert steps > 100

    for step in range(1, steps):
        World(seed=3, crash_at=(step, point), **SMALL).run(within=60 * SECOND)


def is_report(message) -> bool:
    return isinstance(message, CompletionNotification)


def test_lost_completion_notifications_are_recovered_by_asking_again():
    """L2: the very bug this system exists for; nothing hangs, whoever's report is lost."""
    lost = []

    def loses(world, sender, receiver, message):
        if is_report(message) and lost.count(sender) < 2:
            lost.append(sender)
            return True
        return False

    World(seed=5, loses=loses, **SMALL).run(within=30 * SECOND)

    assert len(lost) == 4


def test_reports_that_never_arrive_keep_the_incremental_open_and_are_named():
    """C3, L5, L9: orders arrive, reports do not; no storm, no false success, a clear sentence."""
    world = World(seed=5, loses=lambda w, sender, r, m: is_report(m) and "s1" in sender, **SMALL)

    with pytest.raises(AssertionError, match=r"L1: .* incremental 0 waits for db/table0/s1: asked"):
        world.run(within=120 * SECOND)

    assert world.cores["coordinator"].incremental == 0
    assert world.sent["StartScan"] < 2 * 130


def test_a_stage_deadline_ends_a_wait_that_would_never_end():
    """L5: a permanent loss becomes a pause with its reason, within the deadline."""
    config = CoordinatorConfig(stage_deadline_ns=20 * SECOND)

    def loses(world, sender, receiver, message):
        return world.now < 50 * SECOND and receiver == "db/table0/t1"

    world = World(seed=5, config=config, loses=loses, **SMALL).run()

    assert next(r.reason for r in world.history if isinstance(r, RestorePaused)).startswith(
        "deadline: incremental 0 has run for 20.0 s"
    )


def test_a_target_cut_off_for_a_while_resumes_and_does_not_start_over():
    """L3."""
    cut = range(100 * MS, 30 * SECOND)
    world = World(
        seed=5, loses=lambda w, s, receiver, m: w.now in cut and receiver == "db/table0/t1", **SMALL
    ).run(within=60 * SECOND)

    assert not any(isinstance(r, RetryScheduled) for r in world.history)


def test_two_coordinators_at_once_cannot_harm_each_other():
    """S5: the older one is refused by every shard that has heard of the newer, and falls silent."""
    world = World(seed=7, **SMALL)
    old = Coordinator(world.topology, world.config, [], 0, WALL, "plan-1")
    ready = old.step(0, TimePassed())
    world.history.extend(ready.records)
    world._start("coordinator")
    world.run()

    for receiver, message in ready.messages:  # Everything of the old one arrives at the end.
        (answer,) = world.cores[receiver].step(world.now, Received("coordinator", message)).messages
        assert old.step(world.now, Received(receiver, answer[1])).messages == ()
    assert old.explain(world.now).startswith("the restore is paused: another coordinator has")
