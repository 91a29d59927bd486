"""Each law of exactly once catches a story that breaks it."""

from __future__ import annotations

from increstore.protocol.messages import (
    ApplyChanges,
    CancelRestore,
    ChangesApplied,
    OpenStream,
    ScanProgress,
    StreamOpened,
)
from increstore.protocol.records import RestoreAccepted, RestoreFailed

from .story import (
    RESTORE,
    S0,
    T0,
    Story,
    a_scanned_story,
    a_story,
    caught,
    scan_id,
)


def test_e1_a_batch_is_applied_twice():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.apply(1)
    with caught("E1", "batch 1 of incremental 0, orders/s0, attempt 1 was applied again"):
        story.apply(1)


def test_e2_a_number_names_another_batch_the_second_time():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    with caught("E2", "was 3 rows", "is now 4 rows"):
        story.send(S0, T0, ApplyChanges(scan_id(), 1, 1, 4, 99, b""))


def test_e2_a_batch_is_applied_otherwise_than_it_was_sent():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    with caught("E2", "was sent as 3 rows", "applied as 3 rows (digest 0000000000000063)"):
        story.judge.applied(story.after(), T0, scan_id(), 1, 3, 99)


def test_e3_a_batch_of_an_earlier_attempt_is_applied_after_one_of_a_later():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.await_attempt(2).ask(S0, attempt=2).open(T0, S0, attempt=2)
    story.send_batch(1, attempt=2)
    story.apply(1, attempt=2)
    with caught("E3", "attempt 1 was applied after batches of attempt 2"):
        story.apply(1, attempt=1)


def test_e4_a_source_goes_back_to_an_earlier_attempt():
    story = a_scanned_story().await_attempt(2).ask(S0, attempt=2)
    story.send(S0, T0, OpenStream(scan_id(attempt=2), 1))
    with caught("E4", "attempt 1 (generation 1) after incremental 0, attempt 2"):
        story.send(S0, "coordinator", ScanProgress(scan_id(), 1, 1, 1, 0, ()))


def test_e4_a_page_is_read_twice_in_one_life():
    story = a_story().ask(S0).read(S0)
    with caught("E4", "page 0 of incremental 0, attempt 1 was read twice"):
        story.read(S0)


def test_e4_a_page_may_be_read_again_by_a_new_life_and_after_a_cancel():
    story = a_story().ask(S0).read(S0)
    story.crash(S0)
    story.start(S0, incarnation=2)
    story.ask(S0).read(S0)
    story.record(RestoreFailed("a bad day", story.wall))
    story.say("coordinator", S0, CancelRestore(RESTORE, 1))
    story.read(S0)


def test_e4_a_newer_coordinator_with_an_older_history_may_have_a_scan_read_again():
    story = a_scanned_story().await_attempt(2).ask(S0, attempt=2)
    story.send(S0, "coordinator", ScanProgress(scan_id(attempt=2), 1, 1, 1, 0, ()))
    story.restart_coordinator()
    story.await_attempt(1).ask(S0).read(S0)


def test_e5_a_scan_is_recorded_again_after_its_success():
    story = a_scanned_story().report(S0)
    with caught("E5", "was recorded after its success"):
        story.report(S0)


def test_e6_a_restore_is_accepted_twice():
    story = Story().begin()
    with caught("E6", "accepted twice"):
        story.record(RestoreAccepted(RESTORE, "plan-1", story.wall))


def test_e6_another_restore_is_accepted_here():
    story = Story()
    with caught("E6", "restore other was accepted; expected restore-1"):
        story.record(RestoreAccepted("other", "plan-1", story.wall))


def test_e7_a_batch_that_is_known_to_be_applied_is_sent_again():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.apply(1)
    story.send_batch(1)  # Nobody has told the source yet.
    story.say(T0, S0, ChangesApplied(scan_id(), 1, 1))
    with caught("E7", "batch 1 of incremental 0, orders/s0, attempt 1", "that 1 are applied"):
        story.send_batch(1)


def test_e7_another_life_knows_nothing_until_it_has_asked():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.apply(1)
    story.say(T0, S0, ChangesApplied(scan_id(), 1, 1))
    story.crash(S0)
    story.start(S0, incarnation=2)
    story.say(T0, S0, ChangesApplied(scan_id(), 1, 1))  # Nothing that it has ears for yet.
    story.ask(S0)
    story.say(S0, T0, OpenStream(scan_id(), 1))
    story.send_batch(1)
    story.say(T0, S0, StreamOpened(scan_id(), 1, 1))
    with caught("E7", "orders/t0 has told that 1 are applied"):
        story.send_batch(1)
