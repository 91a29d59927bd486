"""Each law of what is stale and foreign catches a story that breaks it."""

from __future__ import annotations

import pytest

from increstore.protocol.messages import (
    ApplyChanges,
    CancelRestore,
    Finalize,
    OpenStream,
    Reason,
    Refused,
    ScanProgress,
    SealIncremental,
    StartScan,
)
from increstore.protocol.records import (
    GenerationStarted,
    RestoreCancelled,
    RestoreFailed,
    RestorePaused,
    RestoreResumed,
)
from increstore.protocol.topology import COORDINATOR

from .story import (
    RESTORE,
    S0,
    S1,
    T0,
    Story,
    a_reported_story,
    a_scanned_story,
    a_second_incremental,
    a_story,
    batches_for,
    caught,
    scan_id,
    streams_at,
)


def test_s1_a_report_for_another_generation_is_recorded():
    story = a_scanned_story()
    story.say(S0, "coordinator", story.report_of(S0))
    story.restart_coordinator()
    with caught("S1", "for generation 1 was recorded by generation 2"):
        story.record_report(story.report_of(S0))


def test_s2_a_report_of_another_incremental_is_recorded():
    story = a_second_incremental(only=("S2",))
    with caught("S2", "incremental 0, orders/s0, attempt 1 was recorded while incremental 1"):
        story.record_report(story.report_of(S0, 0))


def test_s2_a_report_of_another_attempt_is_recorded():
    story = a_scanned_story().await_attempt(2)
    story.say(S0, "coordinator", story.report_of(S0))
    with caught("S2", "attempt 1 was recorded while incremental 0 awaited attempt 2"):
        story.record_report(story.report_of(S0))


def test_s2_a_batch_of_another_restore_is_applied():
    story = a_story()
    with caught("S2", "not of this restore"):
        story.judge.applied(story.after(), T0, scan_id(restore="other"), 1, 3, 1)


def test_s3_a_dead_incarnation_writes():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.crash(T0)
    with caught("S3", "after its life had ended"):
        story.apply(1)


def test_s3_a_dead_incarnation_seals():
    story = a_reported_story()
    story.ask_seal(T0)
    story.crash(T0)
    with caught("S3"):
        story.judge.sealed(story.after(), T0, 0, streams_at(T0, 0))


def test_s4_a_target_remembers_a_lower_generation():
    story = a_story().ask(S0).open(T0, S0)
    story.restart_coordinator()
    story.record_seen(T0, 2)
    with caught("S4", "generation 1 was remembered after 2"):
        story.record_seen(T0, 1)


def test_s4_a_target_remembers_a_generation_that_nobody_began():
    story = a_story()
    with caught("S4", "the highest that was begun is 1"):
        story.record_seen(T0, 2)


def test_s5_a_target_applies_what_an_overtaken_coordinator_has_had_sent():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    batch = batches_for(T0, S0, 0)[0]
    late = ApplyChanges(scan_id(), 1, 1, batch.rows, batch.digest, b"")
    story.send(S0, T0, late)
    story.restart_coordinator()
    story.ask(S0).open(T0, S0)
    story.hear(S0, T0, late)
    with caught("S5", "which no coordinator that it obeys has had sent"):
        story.apply(1)


def test_s5_a_target_seals_for_an_overtaken_coordinator():
    story = a_reported_story()
    late = SealIncremental(RESTORE, 0, 1, streams_at(T0, 0))
    story.send("coordinator", T0, late)
    story.restart_coordinator()
    story.judge.truth.targets[T0].heard = 2  # By whatever the new one has had sent there.
    story.hear("coordinator", T0, late)
    with caught("S5", "which no coordinator that it obeys has asked for"):
        story.judge.sealed(story.after(), T0, 0, streams_at(T0, 0))


def test_s5_a_target_seals_otherwise_than_it_was_asked_to():
    story = a_reported_story()
    story.ask_seal(T0)
    with caught("S5", "like this"):
        story.judge.sealed(story.after(), T0, 0, streams_at(T0, 0)[:1])


def test_s5_a_target_applies_after_it_was_told_to_stop():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.record(RestoreFailed("a bad day", story.wall))
    story.say("coordinator", T0, CancelRestore(RESTORE, 1))
    story.send_batch(1)
    with caught("S5"):
        story.apply(1)


def test_s5_a_target_makes_final_rows_that_nobody_asked_for():
    story = Story().begin().incremental(0).incremental(1).start_finalizing()
    story.send("coordinator", T0, Finalize(RESTORE, 1))
    with caught("S5", "final rows were made"):
        story.judge.finalized(story.after(), T0, 8, 5)


def test_s6_a_cancelled_restore_is_brought_back():
    story = a_story()
    story.record(RestoreCancelled(story.wall))
    with caught("S6", "after the restore was cancelled"):
        story.record(GenerationStarted(2, story.wall))


def test_s6_a_completed_restore_is_brought_back():
    story = Story().whole()
    with caught("S6", "after the restore was completed"):
        story.record(RestoreFailed("late", story.wall))


def test_s7_a_source_works_without_being_asked():
    story = a_story()
    with caught("S7", "was not asked to in this life"):
        story.send(S0, T0, OpenStream(scan_id(), 1))


def test_s7_a_source_goes_on_after_a_crash_without_being_asked():
    story = a_story().ask(S0).read(S0)
    story.crash(S0)
    story.start(S0, incarnation=2)
    with caught("S7"):
        story.send(S0, "coordinator", ScanProgress(scan_id(), 1, 1, 1, 0, ()))


def test_s8_a_source_goes_on_after_it_was_told_to_stop():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.record(RestoreCancelled(story.wall))
    story.say("coordinator", S0, CancelRestore(RESTORE, 1))
    with caught("S8", "goes on for generation 1", "told to stop by generation 1"):
        story.send_batch(1)


def test_s8_a_source_obeys_a_newer_coordinator_after_it_was_told_to_stop():
    story = a_story().ask(S0).read(S0)
    story.record(RestoreFailed("no luck", story.wall))
    story.say("coordinator", S0, CancelRestore(RESTORE, 1))
    story.restart_coordinator()
    story.record(RestoreResumed(story.wall))
    story.ask(S0).read(S0).open(T0, S0).send_batch(1)


def test_s8_whoever_is_told_to_stop_by_the_past_goes_on():
    story = a_story()
    story.restart_coordinator()
    story.ask(S0).read(S0).open(T0, S0)
    story.hear("coordinator", S0, CancelRestore(RESTORE, 1))
    story.send_batch(1)


# --- S9: two coordinators.

OLDER = "coordinator that was"


def a_story_of_two() -> Story:
    """Incremental 0 is open; a second coordinator has taken over, and has begun."""
    story = a_story().ask(S0)
    story.judge.usurped(story.after(), OLDER)
    story.record(GenerationStarted(2, story.wall))
    story.generation = 2
    return story


def stale(generation=1, scan=None) -> Refused:
    return Refused(RESTORE, generation, 0, scan, Reason.STALE_GENERATION, "it obeys generation 2")


def test_s9_an_overtaken_coordinator_records_after_the_newer_one_has_begun():
    story = a_story_of_two()
    with caught("S9", "RestorePaused was recorded by generation 1 after generation 2 had begun"):
        story.record(RestorePaused("the operator asked for it", story.wall), node=OLDER)


@pytest.mark.parametrize(
    "message",
    [
        StartScan(scan_id(), 1),
        SealIncremental(RESTORE, 0, 1, ()),
        Finalize(RESTORE, 1),
        CancelRestore(RESTORE, 1),
    ],
    ids=lambda message: type(message).__name__,
)
def test_s9_a_coordinator_that_was_told_that_it_is_overtaken_speaks_again(message):
    story = a_story(only=("S9",)).ask(S0)
    story.hear(S0, COORDINATOR, stale(scan=scan_id()))
    with caught("S9", "generation 1 sent orders/s0", f"after {S0} had told it"):
        story.send(COORDINATOR, S0, message)


def test_s9_a_coordinator_that_was_told_that_it_is_overtaken_records_again():
    """From its own journal alone: nobody else is to be seen in it."""
    story = a_story().ask(S0)
    story.hear(T0, COORDINATOR, stale())
    with caught("S9", "generation 1 recorded RestorePaused after orders/t0 had told it"):
        story.record(RestorePaused("the operator asked for it", story.wall))


def test_s9_what_another_coordinator_is_told_does_not_silence_this_one():
    story = a_story_of_two()
    story.hear(S0, COORDINATOR, stale(generation=1))
    story.send(COORDINATOR, S1, StartScan(scan_id(S1), 1))


def test_s9_a_refusal_after_its_own_failure_does_not_keep_a_coordinator_from_saying_so():
    story = a_story().ask(S0)
    story.record(RestoreFailed("a bad day", story.wall))
    story.say(COORDINATOR, S0, CancelRestore(RESTORE, 1))
    story.hear(S0, COORDINATOR, stale(scan=scan_id()))
    story.say(COORDINATOR, S1, CancelRestore(RESTORE, 1))


def test_s9_the_next_life_begins_under_a_generation_of_its_own():
    story = a_story().ask(S0)
    story.hear(S0, COORDINATOR, stale(scan=scan_id()))
    story.restart_coordinator()
    story.ask(S0)
