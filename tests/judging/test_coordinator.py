"""Each law of a coordinator's history catches a story that breaks it."""

from __future__ import annotations

import pytest

from increstore.protocol.messages import CancelRestore, Finalize, SealIncremental, Status
from increstore.protocol.records import (
    GenerationStarted,
    IncrementalStarted,
    RestoreCancelled,
    RestoreFailed,
    RestorePaused,
    RestoreResumed,
    RetryScheduled,
    TargetFinalized,
    TargetSealed,
)
from increstore.protocol.topology import COORDINATOR

from .story import (
    RESTORE,
    S0,
    SECOND,
    SOURCES,
    T0,
    T1,
    TARGETS,
    Story,
    a_finalizing_story,
    a_reported_story,
    a_scanned_story,
    a_story,
    caught,
    scan_id,
    streams_at,
)


def test_k1_a_record_before_the_restore_is_accepted():
    with caught("K1", "GenerationStarted was recorded before RestoreAccepted"):
        Story().record(GenerationStarted(1, 1))


@pytest.mark.parametrize("halt", [RestorePaused, RestoreFailed])
def test_k1_a_restore_that_halts_begins_nothing(halt):
    story = Story().begin()
    story.record(halt("a bad day", story.wall))
    with caught("K1", "IncrementalStarted was recorded while the restore was"):
        story.record(IncrementalStarted(0, story.wall))


def test_k1_a_running_restore_is_not_resumed():
    story = a_story()
    with caught("K1", "RestoreResumed was recorded while the restore was running"):
        story.record(RestoreResumed(story.wall))


def test_k1_a_failed_restore_takes_no_report():
    story = a_scanned_story()
    story.record(RestoreFailed("a bad day", story.wall))
    story.say(S0, COORDINATOR, story.report_of(S0))
    with caught("K1", "ScanReported was recorded while the restore was failed"):
        story.record_report(story.report_of(S0))


def test_k1_a_paused_restore_may_still_take_a_report():
    story = a_scanned_story()
    story.record(RestorePaused("the operator asked for it", story.wall))
    story.report(S0)


def test_k1_a_target_seals_twice():
    story = a_reported_story().seal(T0)
    with caught("K1", "sealed incremental 0 twice"):
        story.record(TargetSealed(0, T0, streams_at(T0, 0)))


def test_k1_a_seal_of_an_incremental_that_is_not_open():
    story = Story(only=("K1",)).begin().incremental(0)
    with caught("K1", "which is not open"):
        story.record(TargetSealed(0, T0, streams_at(T0, 0)))


def test_k1_final_rows_before_they_were_asked_for():
    story = Story(only=("K1",)).begin().incremental(0)
    with caught("K1", "before they were asked for"):
        story.record(TargetFinalized(T0, 8, 5))


def test_k2_a_generation_that_is_not_higher():
    story = a_story()
    with caught("K2", "generation 1 was begun after 1"):
        story.record(GenerationStarted(1, story.wall))


def test_k2_a_new_life_records_something_before_its_generation():
    story = a_scanned_story()
    story.say(S0, COORDINATOR, story.report_of(S0))
    story.judge.recovered(story.after(), COORDINATOR, story.records)
    story.judge.started(story.after(), COORDINATOR, 2)
    with caught("K2", "recorded ScanReported before its generation"):
        story.record_report(story.report_of(S0))


def test_k3_a_scan_is_asked_for_again_after_its_success():
    story = a_story().scan(S0)
    story.restart_coordinator()
    with caught("K3", "again after its success"):
        story.ask(S0)


def test_k3_a_seal_is_asked_for_again_after_it_is_recorded():
    story = a_reported_story().seal(T0)
    story.restart_coordinator()
    with caught("K3", "a seal of incremental 0 was asked for again"):
        story.send(COORDINATOR, T0, SealIncremental(RESTORE, 0, 2, streams_at(T0, 0)))


def test_k3_final_rows_are_asked_for_again_after_they_are_recorded():
    story = a_finalizing_story().finalize(T0)
    with caught("K3", "its final rows were asked for again"):
        story.send(COORDINATOR, T0, Finalize(RESTORE, 1))


@pytest.mark.parametrize("halt", [RestorePaused, RestoreFailed])
def test_k4_a_restore_that_halts_asks_nothing(halt):
    story = a_story()
    story.record(halt("a bad day", story.wall))
    with caught("K4", "StartScan was sent while the restore was"):
        story.ask(S0)


def test_k4_a_failed_restore_tells_shards_to_stop():
    story = a_story()
    story.record(RestoreFailed("a bad day", story.wall))
    story.say(COORDINATOR, S0, CancelRestore(RESTORE, 1))


def test_what_the_overtaken_coordinator_was_told_is_no_report_for_the_new_one():
    story = a_scanned_story()
    old = story.report_of(S0)
    story.say(S0, COORDINATOR, old)
    story.judge.usurped(story.after(), "coordinator that was")
    story.record(GenerationStarted(2, story.wall))

    with caught("S1", "for generation 1 was recorded by generation 2"):
        story.record_report(old)


def test_an_overtaken_coordinator_goes_on_asking_from_the_history_that_it_knows():
    story = a_reported_story()
    story.judge.usurped(story.after(), "coordinator that was")
    story.record(GenerationStarted(2, story.wall))
    story.generation = 2
    story.see_generation(T0)
    story.seal(T0)
    story.send(COORDINATOR, T0, SealIncremental(RESTORE, 0, 1, streams_at(T0, 0)))


def test_a_retry_and_a_restart_between_failure_and_retry_break_no_law():
    story = a_story().ask(S0).report(S0, status=Status.TRANSIENT)
    story.restart_coordinator()
    story.record(RetryScheduled(scan_id(attempt=2), story.wall + 2 * SECOND, 1))
    story.after(2)
    story.scan(S0, attempt=2)
    story.scan("orders/s1")
    for target in (T0, T1):
        story.seal(target, streams=streams_at(target, 0, {S0: 2}))
    story.complete(0)


def test_k5_a_shard_is_not_told_of_a_failure():
    story = a_story()
    story.record(RestoreFailed("a bad day", story.wall))
    for shard in (*SOURCES, *TARGETS[1:]):
        story.say(COORDINATOR, shard, CancelRestore(RESTORE, 1))
    with caught("K5", "the restore was failed", "1 shards were not told", TARGETS[0]):
        story.judge.ended(story.after(), "failed", "a bad day")


@pytest.mark.parametrize("more", [RestoreResumed, RestoreCancelled])
def test_k5_an_end_is_told_before_anything_else_is_decided(more):
    """Or a restore that goes on would meet shards that still work for what it was."""
    story = a_story()
    story.record(RestoreFailed("a bad day", story.wall))
    with caught("K5", "the restore was failed", "shards were not told"):
        story.record(more(story.wall))


def test_k5_whoever_died_before_it_could_tell_them_has_not_ended_it():
    story = a_story()
    story.record(RestoreFailed("a bad day", story.wall))
    story.restart_coordinator()
    story.judge.ended(story.after(), "failed", "the log cannot be written")


def test_k5_whoever_is_down_before_it_could_tell_them_has_not_ended_it():
    """Pair 426, 431 of `final_rows_of_damaged_batches`: a target's store ended the command."""
    story = a_story()
    story.record(RestoreFailed("a bad day", story.wall))
    story.judge.crashed(story.after(), COORDINATOR)
    story.judge.ended(story.after(), "failed", "orders/t0: storage corrupted")
