"""Each law of completion catches a story that breaks it."""

from __future__ import annotations

from dataclasses import replace

from increstore.protocol.messages import (
    ChangesApplied,
    Evidence,
    Reason,
    Refused,
    Status,
)
from increstore.protocol.records import (
    IncrementalCompleted,
    RestoreCompleted,
    RetryScheduled,
    TargetFinalized,
    TargetSealed,
)

from .story import (
    RESTORE,
    S0,
    S1,
    T0,
    T1,
    Story,
    a_finalizing_story,
    a_reported_story,
    a_scanned_story,
    a_story,
    a_topology,
    caught,
    evidence_of,
    scan_id,
    streams_at,
)


def test_c1_success_before_the_last_batch_is_applied():
    story = a_story().ask(S0).read(S0).open(T0, S0).open(T1, S0)
    for order, target in ((1, T0), (2, T0), (1, T1)):
        story.send_batch(order, target)
    story.apply(1, T0)
    story.apply(1, T1)
    with caught("C1", "in 2 batches for orders/t0, where 1 batches are applied"):
        story.send(S0, "coordinator", story.report_of(S0))


def test_c1_success_with_another_digest_than_what_is_applied():
    story = a_scanned_story()
    first, second = evidence_of(S0, 0)
    wrong = replace(first, digest=first.digest ^ 1)
    with caught("C1", "those so far with 4 rows"):
        story.send(S0, "coordinator", story.report_of(S0, evidence=(wrong, second)))


def test_c1_success_of_another_attempt_than_the_one_that_is_applied():
    story = a_scanned_story().await_attempt(2).ask(S0, attempt=2)
    with caught("C1", "attempt 2", "where 0 batches are applied"):
        story.send(S0, "coordinator", story.report_of(S0, attempt=2))


def test_c1_is_not_judged_of_a_target_that_was_lost_sight_of():
    story = a_story().ask(S0).read(S0)
    for target, watermark in ((T0, 2), (T1, 1)):
        story.judge.lost_sight(story.after(), target)
        story.hear(target, S0, ChangesApplied(scan_id(), 1, watermark))
    story.send(S0, "coordinator", story.report_of(S0))


def test_c1_success_that_the_source_cannot_know_of():
    story = a_story().ask(S0).read(S0).open(T0, S0).open(T1, S0)
    for order, target in ((1, T0), (2, T0), (1, T1)):
        story.send_batch(order, target)
        story.apply(order, target)
    story.acknowledge(1, T0)
    story.acknowledge(1, T1)
    with caught("C1", "2 batches for orders/t0, which has told it of 1"):
        story.send(S0, "coordinator", story.report_of(S0))


def test_c2_success_after_a_failure_of_the_same_attempt():
    story = a_scanned_story()
    story.send(S0, "coordinator", story.report_of(S0, status=Status.TRANSIENT))
    with caught("C2", "reported success", "after it had reported transient"):
        story.send(S0, "coordinator", story.report_of(S0))


def test_c3_a_success_is_recorded_that_nobody_reported():
    story = a_scanned_story()
    with caught("C3", "the shard has said nothing of it"):
        story.record_report(story.report_of(S0))


def test_c3_a_success_is_recorded_otherwise_than_it_was_reported():
    story = a_scanned_story()
    said = story.report_of(S0)
    story.say(S0, "coordinator", said)
    with caught("C3", "the shard has said success with 6 rows"):
        story.record_report(replace(said, evidence=(Evidence(T0, 6, 1, 1),)))


def test_c3_a_seal_is_recorded_that_its_target_told_otherwise():
    story = a_reported_story()
    with caught("C3", "never told"):
        story.record(TargetSealed(0, T0, streams_at(T0, 0)))


def test_c3_final_rows_are_recorded_that_nobody_told():
    story = a_finalizing_story()
    with caught("C3", "never told"):
        story.record(TargetFinalized(T0, 8, 5))


def test_c3_a_shard_that_says_it_is_not_the_one_meant_has_failed_for_good():
    story = a_story().ask(S0)
    refused = Refused(RESTORE, 1, 0, scan_id(), Reason.UNKNOWN_SHARD, "not me")
    story.say(S0, "coordinator", refused)
    story.record_report(story.report_of(S0, status=Status.FATAL, error="not me"))


def test_c4_a_success_is_recorded_after_a_failure_of_the_same_attempt():
    story = a_scanned_story().report(S0, status=Status.TRANSIENT)
    story.judge.truth.sources[S0].reports.clear()  # As another life of the source would say it.
    story.say(S0, "coordinator", story.report_of(S0))
    with caught("C4", "success of attempt 1 was recorded after its failure"):
        story.record_report(story.report_of(S0))


def test_c4_a_retry_of_what_has_not_failed():
    story = a_story().ask(S0)
    with caught("C4", "whose scan is awaited"):
        story.record(RetryScheduled(scan_id(S0, attempt=2), story.wall, 1))


def test_c4_a_retry_leaves_out_an_attempt():
    story = a_story().ask(S0).report(S0, status=Status.TRANSIENT)
    with caught("C4", "attempt 3", "expected 2"):
        story.record(RetryScheduled(scan_id(S0, attempt=3), story.wall + 10**12, 1))


def test_c5_an_incremental_is_completed_without_a_scan():
    story = a_story().scan(S0)
    with caught("C5", "while orders/s1 was awaited"):
        story.record(IncrementalCompleted(0, story.wall))


def test_c5_an_incremental_is_completed_without_a_seal():
    story = a_reported_story().seal(T0)
    with caught("C5", "before orders/t1 had sealed it"):
        story.complete(0)


def test_c5_a_restore_is_completed_without_the_final_rows_of_a_target():
    story = a_finalizing_story().finalize(T0)
    with caught("C5", "without the final rows of orders/t1"):
        story.record(RestoreCompleted(story.wall))


def test_c5_a_restore_is_completed_before_its_tables_are_visible():
    story = a_finalizing_story()
    story.finalize(T0).finalize(T1)
    with caught("C5", "before its tables were visible"):
        story.record(RestoreCompleted(story.wall))


def test_c5_a_restore_is_told_to_be_completed_that_is_not():
    story = a_story()
    with caught("C5", "not durable"):
        story.judge.ended(story.after(), "completed", "")


def test_c6_a_table_that_an_incremental_does_not_change_is_asked():
    story = Story(a_topology(incrementals=(0,))).begin().incremental(0).start_incremental(1)
    with caught("C6", "does not take part"):
        story.ask(S0, 1)


def test_c6_an_incremental_that_changes_nothing_is_complete_at_once():
    story = Story(a_topology(incrementals=(0,))).begin().incremental(0)
    story.start_incremental(1).complete(1)


def test_c7_success_before_the_last_page_is_read():
    story = a_story().ask(S0).read(S0, pages=1)
    with caught("C7", "before it had read all pages"):
        story.send(S0, "coordinator", story.report_of(S0, evidence=(), rows_scanned=0))


def test_c7_success_that_leaves_out_a_target():
    story = a_scanned_story()
    with caught("C7", "it owes 6 rows"):
        story.send(S0, "coordinator", story.report_of(S0, evidence=evidence_of(S0, 0)[:1]))


def test_c7_success_with_too_few_rows():
    story = a_scanned_story(S1)
    with caught("C7", "reported success of incremental 0, attempt 1 with 5 rows"):
        story.send(S1, "coordinator", story.report_of(S1, rows_scanned=5))
