"""Waits, budgets and deadlines hold over restarts, and a judge sees it when they do not."""

from __future__ import annotations

from increstore.protocol.messages import Evidence, Status
from increstore.protocol.ready import Ready, TimePassed
from increstore.protocol.records import (
    IncrementalStarted,
    RestorePaused,
    RestoreResumed,
    RetryScheduled,
)
from increstore.protocol.topology import COORDINATOR

from .story import S0, SECOND, T0, Story, a_reported_story, a_story, caught, scan_id


def a_failed_story():
    story = a_story().ask(S0).report(S0, status=Status.TRANSIENT)
    story.record(RetryScheduled(scan_id(attempt=2), story.wall + 2 * SECOND, 1))
    return story


def test_d8_a_retry_is_asked_for_before_its_wait_is_over():
    story = a_failed_story()
    with caught("D8", "attempt 2 was asked for", "its wait, which is 2.000 s"):
        story.ask(S0, attempt=2)


def test_d8_a_restart_does_not_cut_the_wait_short():
    story = a_failed_story()
    story.restart_coordinator()  # Two seconds later.
    story.ask(S0, attempt=2)

    story = a_story(backoff_ns=8 * SECOND).ask(S0).report(S0, status=Status.TRANSIENT)
    story.record(RetryScheduled(scan_id(attempt=2), story.wall + 8 * SECOND, 1))
    story.restart_coordinator()
    with caught("D8", "its wait, which is 8.000 s"):
        story.ask(S0, attempt=2)


def test_d8_a_wait_is_much_longer_than_the_policy_has_it():
    story = a_story().ask(S0).report(S0, status=Status.TRANSIENT)
    with caught("D8", "longer than its wait of 2.000 s and a quarter more"):
        story.record(RetryScheduled(scan_id(attempt=2), story.wall + 4 * SECOND, 1))


def test_d8_where_steps_are_told_no_moment_of_the_wait_is_given_away():
    story = a_failed_story()
    story.after(1.9)
    story.ask(S0, attempt=2)  # By clocks that may differ by a second nothing is wrong.

    story = a_failed_story()
    story.judge.stepped(story.after(1.9), COORDINATOR, None, TimePassed(), Ready())
    with caught("D8", "attempt 2 was asked for 0.1", "before the end of its wait"):
        story.ask(S0, attempt=2)

    story = a_failed_story()
    story.judge.stepped(story.after(2.01), COORDINATOR, None, TimePassed(), Ready())
    story.ask(S0, attempt=2)


def test_d8_times_prove_nothing_once_a_clock_was_set():
    story = a_failed_story()
    story.judge.clock_changed(story.now, "coordinator")
    story.ask(S0, attempt=2)


def test_d8_the_second_wait_is_longer_than_the_first():
    story = a_failed_story()
    story.after(3)
    story.ask(S0, attempt=2).report(S0, attempt=2, status=Status.TRANSIENT)
    with caught("D8", "before the end of its wait of 4.000 s"):
        story.record(RetryScheduled(scan_id(attempt=3), story.wall + 3 * SECOND, 2))


def test_d8_progress_makes_the_budget_fresh():
    story = a_failed_story()
    story.after(3)
    story.ask(S0, attempt=2).read(S0, attempt=2).open(T0, S0, attempt=2)
    story.send_batch(1, attempt=2)
    story.apply(1, attempt=2)
    evidence = (Evidence(T0, 3, 1, story.judge.truth.stream(T0, scan_id(attempt=2)).totals[1][1]),)
    story.report(S0, attempt=2, status=Status.TRANSIENT, evidence=evidence)
    story.record(RetryScheduled(scan_id(attempt=3), story.wall + 3 * SECOND, 1))


def test_d8_a_person_who_resumes_gives_the_budget_again():
    story = a_story().ask(S0).report(S0, status=Status.TRANSIENT)
    story.record(RestorePaused("budget spent", story.wall))
    story.record(RestoreResumed(story.wall))
    story.record(RetryScheduled(scan_id(attempt=2), story.wall, 0))
    story.ask(S0, attempt=2)


def test_d8_a_pause_for_a_deadline_that_has_not_passed():
    story = a_story(overall_deadline_ns=60 * SECOND)
    story.after(30)
    with caught("D8", "paused for a deadline that has not passed"):
        story.record(RestorePaused("deadline: the restore has run too long", story.wall))


def test_d8_a_pause_for_a_deadline_that_has_passed_over_restarts():
    story = a_story(overall_deadline_ns=60 * SECOND)
    for _ in range(3):
        story.after(20)
        story.restart_coordinator()
    story.record(RestorePaused("deadline: the restore has run too long", story.wall))


def test_d8_an_incremental_is_begun_after_the_deadline_that_a_restart_has_reset():
    story = Story(overall_deadline_ns=60 * SECOND).begin()
    story.after(40)
    story.restart_coordinator()
    story.after(30)
    with caught("D8", "an incremental was started", "after the deadline of the restore"):
        story.record(IncrementalStarted(0, story.wall))


def test_d8_a_shard_is_asked_after_the_deadline_of_its_stage():
    story = a_story(stage_deadline_ns=20 * SECOND).ask(S0)
    story.after(25)
    with caught("D8", "after the deadline of the stage"):
        story.ask(S0)


def test_d8_the_deadline_of_a_stage_begins_anew_with_the_next_one():
    story = a_reported_story().seal(T0).seal("orders/t1")
    story.after(25)
    story.complete(0)
    story = Story(stage_deadline_ns=20 * SECOND).begin()
    for incremental in (0, 1):
        story.after(15)
        story.incremental(incremental)
