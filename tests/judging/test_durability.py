"""Each law of durability catches a story that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from increstore.protocol.messages import (
    CancelRestore,
    ChangesApplied,
    Evidence,
    Finalize,
    Finalized,
    IncrementalSealed,
    OpenStream,
    ScanProgress,
    SealIncremental,
    StartScan,
    Status,
    StreamOpened,
)
from increstore.protocol.records import RetryScheduled
from increstore.protocol.target_state import StreamState, TargetState

from .story import (
    RESTORE,
    S0,
    SECOND,
    T0,
    T1,
    Story,
    a_finalizing_story,
    a_reported_story,
    a_scanned_story,
    a_story,
    caught,
    scan_id,
    stream_state,
    streams_at,
)


@pytest.mark.parametrize(
    "message",
    [
        StartScan(scan_id(), 2),
        SealIncremental(RESTORE, 0, 2, ()),
        Finalize(RESTORE, 2),
        CancelRestore(RESTORE, 2),
    ],
    ids=lambda message: type(message).__name__,
)
def test_d1_a_message_of_a_generation_that_is_not_durable(message):
    story = a_story()
    with caught("D1", "of generation 2 was sent, which is not durable"):
        story.send("coordinator", S0, message)


def test_d1_a_scan_is_asked_for_before_its_incremental_is_durably_started():
    with caught("D1", "durable is that -1 is over"):
        Story(only=("D1",)).begin().ask(S0, 0)


def test_d1_an_attempt_is_asked_for_before_it_is_durably_scheduled():
    story = a_story().ask(S0).report(S0, status=Status.TRANSIENT)
    with caught("D1", "durable is attempt 1"):
        story.ask(S0, attempt=2)


def test_d1_a_seal_is_asked_for_before_every_success_is_durable():
    story = a_story().scan(S0)
    with caught("D1", "while orders/s1 had not succeeded"):
        story.ask_seal(T0)


def test_d1_final_rows_are_asked_for_before_the_last_incremental_is_durably_over():
    story = Story().begin().incremental(0)
    with caught("D1", "final rows were asked for"):
        story.send("coordinator", T0, Finalize(RESTORE, 1))


def test_d1_shards_are_told_to_stop_before_the_end_is_durable():
    story = a_story()
    with caught("D1", "no end of the restore is durable"):
        story.send("coordinator", T0, CancelRestore(RESTORE, 1))


def test_d1_a_target_tells_of_a_seal_that_is_not_durable():
    story = a_reported_story()
    story.ask_seal(T0)
    with caught("D1", "incremental 0 is sealed"):
        story.send(T0, "coordinator", IncrementalSealed(RESTORE, 0, 1, streams_at(T0, 0)))


def test_d1_a_target_tells_of_final_rows_that_are_not_durable():
    story = a_finalizing_story()
    story.say("coordinator", T0, Finalize(RESTORE, 1))
    with caught("D1", "told of 8 final rows; durable are None"):
        story.send(T0, "coordinator", Finalized(RESTORE, 1, 8, 5))


def test_d1_a_target_obeys_a_generation_that_it_has_not_durably_seen():
    story = a_story().ask(S0)
    story.say(S0, T0, OpenStream(scan_id(), 1))
    with caught("D1", "obeyed generation 1; durably seen is 0"):
        story.send(T0, S0, StreamOpened(scan_id(), 1, 0))


def test_d2_a_target_acknowledges_a_batch_that_is_not_durable():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    with caught("D2", "told that 1 batches", "durable are 0"):
        story.send(T0, S0, ChangesApplied(scan_id(), 1, 1))


def test_d2_a_sample_says_more_than_is_durable():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.apply(1)
    story.send(S0, "coordinator", ScanProgress(scan_id(), 1, 6, 6, 3, ()))
    with caught("D2", "told that 4 rows", "durable are 3"):
        story.send(S0, "coordinator", ScanProgress(scan_id(), 1, 6, 6, 4, ()))


def test_d2_a_failure_says_more_than_is_durable():
    story = a_story().ask(S0).read(S0)
    failure = story.report_of(S0, status=Status.TRANSIENT, evidence=(Evidence(T0, 3, 1, 1),))
    with caught("D2", "1 batches of incremental 0, attempt 1 are applied by orders/t0"):
        story.send(S0, "coordinator", failure)


def test_d3_a_target_loses_a_batch():
    story = a_scanned_story()
    story.crash(T0)
    with caught("D3", "came up without batch 2 of incremental 0"):
        story.start(T0, TargetState(1, {}, stream_state(batches=1)), incarnation=2)


def test_d3_a_target_loses_a_seal():
    story = a_reported_story().seal(T0)
    story.crash(T0)
    with caught("D3", "the seal of incremental 0"):
        story.start(T0, TargetState(1, {}, {}), incarnation=2)


def test_d3_a_target_loses_the_generation_it_obeys():
    story = a_story().ask(S0).open(T0, S0)
    story.crash(T0)
    with caught("D3", "generation 1"):
        story.start(T0, TargetState(0), incarnation=2)


def test_d3_a_target_loses_its_final_rows():
    story = a_finalizing_story().finalize(T0)
    sealed = story.judge.truth.targets[T0].sealed
    story.crash(T0)
    with caught("D3", "its final rows"):
        story.start(T0, TargetState(1, sealed, {}), incarnation=2)


def test_d3_a_coordinator_loses_a_record():
    story = a_story()
    with caught("D3", "its history has 2 records; 3 were durable"):
        story.restart_coordinator(story.records[:2])


def test_d3_a_record_is_another_one_after_a_restart():
    story = a_story()
    with caught("D3", "record 3 of its history"):
        story.restart_coordinator([*story.records[:2], replace(story.records[2], incremental=7)])


def test_d3_what_a_fault_took_away_may_be_gone():
    story = a_scanned_story()
    story.crash(T0)
    story.judge.rolled_back(story.after(), T0)
    story.start(T0, TargetState(1, {}, stream_state(batches=1)), incarnation=2)
    story.open(T0, S0, watermark=1)
    story.send_batch(2)
    story.apply(2)
    story.report(S0)


def test_d3_a_coordinator_may_come_up_with_an_older_history_after_a_fault():
    story = a_scanned_story().report(S0)
    story.judge.rolled_back(story.after(), "coordinator")
    story.restart_coordinator(story.records[:3])
    story.ask(S0)


def test_d3_is_judged_again_after_the_recovery_from_a_fault():
    story = a_scanned_story()
    story.crash(T0)
    story.judge.rolled_back(story.after(), T0)
    story.start(T0, TargetState(1, {}, stream_state(batches=1)), incarnation=2)
    story.crash(T0)
    with caught("D3", "batch 1"):
        story.start(T0, TargetState(1), incarnation=3)


def test_d5_a_target_comes_up_with_other_bytes_than_it_was_sent():
    story = a_scanned_story()
    story.crash(T0)
    ((scan, state),) = stream_state().items()
    damaged = {scan: replace(state, digest=state.digest ^ 1)}
    with caught("D5", "2 batches of incremental 0"):
        story.start(T0, TargetState(1, {}, damaged), incarnation=2)


def test_d5_a_target_comes_up_with_more_than_was_read_and_other_bytes():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.crash(T0)
    with caught("D5", "expected 3 rows"):
        story.start(T0, TargetState(1, {}, {scan_id(): StreamState(1, 3, 77)}), incarnation=2)


def test_d6_a_target_writes_on_after_a_failed_write():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.judge.write_failed(story.after(), T0)
    with caught("D6", "wrote on after a write had failed"):
        story.apply(1)


def test_d6_a_target_seals_after_a_failed_write():
    story = a_reported_story()
    story.ask_seal(T1)
    story.judge.write_failed(story.after(), T1)
    with caught("D6"):
        story.judge.sealed(story.after(), T1, 0, streams_at(T1, 0))


def test_d6_a_target_may_write_again_in_its_next_life():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.judge.write_failed(story.after(), T0)
    story.start(T0, TargetState(1), incarnation=2)
    story.open(T0, S0)
    story.send_batch(1)
    story.apply(1)


def test_d8_a_wait_before_a_retry_is_cut_short_in_its_record():
    story = a_story().ask(S0).report(S0, status=Status.TRANSIENT)
    with caught("D8", "before the end of its wait of 2.000 s"):
        story.record(RetryScheduled(scan_id(attempt=2), story.wall + SECOND, 1))


def test_d8_the_budget_of_retries_is_given_again():
    story = a_story().ask(S0).report(S0, status=Status.TRANSIENT)
    with caught("D8", "as retry 0 in a row; expected 1"):
        story.record(RetryScheduled(scan_id(attempt=2), story.wall + 10 * SECOND, 0))
