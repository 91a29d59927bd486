"""Each law of liveness catches a story that breaks it."""

from __future__ import annotations

import pytest

from increstore.protocol.messages import Status, StreamOpened
from increstore.protocol.ready import OperatorAsked, Ready, TimePassed
from increstore.protocol.records import RestoreFailed, RestorePaused, RetryScheduled
from increstore.protocol.target_state import TargetState
from increstore.protocol.topology import COORDINATOR

from .story import (
    S0,
    S1,
    SECOND,
    T0,
    T1,
    a_finalizing_story,
    a_scanned_story,
    a_story,
    caught,
    scan_id,
    stream_state,
)


@pytest.mark.parametrize(
    ("word", "identity"), [("overdue", "L1"), ("stalled", "L6"), ("deadlocked", "L7")]
)
def test_the_word_of_a_driver_that_it_does_not_end_is_a_verdict(word, identity):
    story = a_story()
    with caught(identity, "incremental 0 waits for orders/s0"):
        getattr(story.judge, word)(story.after(), "incremental 0 waits for orders/s0")


def test_l3_a_target_begins_anew_instead_of_going_on():
    story = a_scanned_story()
    story.crash(T0)
    story.start(T0, TargetState(1, {}, stream_state()), incarnation=2)
    with caught("L3", "told that 0 batches", "it came up with 2"):
        story.send(T0, S0, StreamOpened(scan_id(), 1, 0))


def test_l4_more_retries_in_a_row_than_the_budget():
    story = a_story(retries_max=1, backoff_ns=1).ask(S0)
    story.report(S0, status=Status.TRANSIENT)
    story.record(RetryScheduled(scan_id(attempt=2), story.wall + SECOND, 1))
    story.after(1)
    story.ask(S0, attempt=2).report(S0, attempt=2, status=Status.TRANSIENT)
    with caught("L4", "retry 2 in a row of orders/s0", "the budget is 1"):
        story.record(RetryScheduled(scan_id(attempt=3), story.wall + SECOND, 2))


def test_l4_something_is_asked_after_a_fatal_failure():
    story = a_story().ask(S0).report(S0, status=Status.FATAL)
    with caught("L4", "after orders/s0 had failed for good"):
        story.ask(S1)


def test_l4_a_success_that_does_not_add_up_is_a_fatal_failure():
    story = a_story(only=("L4",)).ask(S0).report(S0, rows_scanned=7)
    with caught("L4", "after orders/s0 had failed for good"):
        story.ask(S1)


@pytest.mark.parametrize("end", [RestorePaused, RestoreFailed])
def test_l5_an_end_without_a_reason(end):
    story = a_story()
    with caught("L5", "without a reason"):
        story.record(end(" ", story.wall))


def test_l5_an_end_that_is_told_without_a_reason():
    story = a_story()
    with caught("L5", "it ended paused without a reason"):
        story.judge.ended(story.after(), "paused", "")


def test_l6_nothing_becomes_durable_after_the_heal():
    story = a_story(progress_within_ns=10 * SECOND)
    story.after(60)
    story.judge.stepped(story.now, S0, None, TimePassed(), Ready())
    story.judge.healed(story.now)
    story.after(9)
    story.judge.stepped(story.now, S0, None, TimePassed(), Ready())
    story.after(2)
    with caught("L6", "nothing has become durable for 11"):
        story.judge.stepped(story.now, S0, None, TimePassed(), Ready())


def test_l6_a_pause_need_not_progress():
    story = a_story(progress_within_ns=10 * SECOND)
    story.judge.healed(story.now)
    story.record(RestorePaused("the operator asked for it", story.wall))
    story.after(60)
    story.judge.stepped(story.now, S0, None, TimePassed(), Ready())


def test_l8_a_cancel_changes_nothing():
    story = a_story()
    event = OperatorAsked("cancel")
    with caught("L8", "a cancel has changed nothing while the restore was running"):
        story.judge.stepped(story.after(), COORDINATOR, None, event, Ready())


def test_l8_a_cancel_after_the_final_rows_may_come_too_late():
    story = a_finalizing_story().finalize(T0).finalize(T1)
    story.judge.stepped(story.after(), COORDINATOR, None, OperatorAsked("cancel"), Ready())


def test_l8_a_restore_is_told_to_be_cancelled_that_is_not():
    story = a_story()
    with caught("L8", "not durable"):
        story.judge.ended(story.after(), "cancelled", "the operator asked for it")
