"""A healthy restore breaks no law, and every law has looked at it."""

from __future__ import annotations

from increstore.judging.catalogue import INVARIANTS
from increstore.protocol.messages import CancelRestore, Status
from increstore.protocol.ready import OperatorAsked, Ready, TimePassed
from increstore.protocol.records import RestoreCancelled, RetryScheduled
from increstore.protocol.target_state import TargetState
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
    a_story,
    scan_id,
    stream_state,
)

NOT_ASKED_WHEN_HEALTHY = {"T1", "T3", "L1", "L6", "L7", "L8"}
"""They look at tables, at a cancel, or at the word of a driver that nothing moves."""


def test_a_healthy_restore_breaks_no_law_and_is_looked_at_by_each():
    story = Story().whole()

    story.judge.stepped(story.after(), S0, None, TimePassed(), Ready())

    counts = story.judge.counts
    assert {law.id for law in INVARIANTS} == set(counts)
    unseen = {identity for identity, count in counts.items() if not count}
    assert unseen <= NOT_ASKED_WHEN_HEALTHY | {"D8", "L4", "L5"}


def test_a_failed_scan_may_be_tried_again_after_its_wait():
    story = a_story().ask(S0)
    story.report(S0, status=Status.TRANSIENT)
    story.record(RetryScheduled(scan_id(S0, attempt=2), story.wall + 2 * SECOND, 1))
    story.after(2)
    story.scan(S0, attempt=2)


def test_a_crash_of_every_role_between_steps_breaks_no_law():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.apply(1)
    for name in (S0, T0):
        story.crash(name)
    story.start(T0, TargetState(1, {}, stream_state(batches=1)), incarnation=2)
    story.start(S0, incarnation=2)
    story.restart_coordinator()

    story.ask(S0).read(S0).open(T0, S0, watermark=1).open(T1, S0)
    story.send_batch(2)
    story.apply(2)
    story.acknowledge(2)
    story.send_batch(1, T1)
    story.apply(1, T1)
    story.acknowledge(1, T1)
    story.report(S0)


def test_a_batch_that_was_being_written_in_a_crash_may_be_there_afterwards():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.crash(T0)
    story.start(T0, TargetState(1, {}, stream_state(batches=1)), incarnation=2)
    story.open(T0, S0, watermark=1)
    story.send_batch(2)
    story.apply(2)


def test_a_cancel_ends_a_restore():
    story = a_story()
    record = RestoreCancelled(story.wall)
    story.judge.stepped(
        story.after(), "coordinator", None, OperatorAsked("cancel"), Ready(records=(record,))
    )
    story.record(record)
    for shard in (*SOURCES, *TARGETS):
        story.say(COORDINATOR, shard, CancelRestore(RESTORE, 1))
    story.judge.ended(story.after(), "cancelled", "the operator asked for it")
