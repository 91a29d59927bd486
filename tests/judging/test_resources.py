"""Each law of resources catches a story that breaks it."""

from __future__ import annotations

from increstore.protocol.messages import OpenStream, Reason, Refused, SealIncremental, StartScan
from increstore.protocol.ready import OperatorAsked, PageRead, Ready, TimePassed
from increstore.protocol.topology import COORDINATOR

from .story import (
    RESTORE,
    S0,
    S1,
    SECOND,
    T0,
    T1,
    a_reported_story,
    a_story,
    caught,
    scan_id,
    streams_at,
)


class Core:
    """As much of a source shard as a judge looks at."""

    def __init__(self, unapplied_bytes) -> None:
        self.unapplied_bytes = unapplied_bytes


def test_r1_more_shards_are_asked_than_the_cap_allows():
    story = a_story(scans_in_flight=1).ask(S0)
    with caught("R1", "while 1 others owed an answer; the cap is 1"):
        story.ask(S1)


def test_r1_whoever_has_answered_makes_room():
    a_story(scans_in_flight=1).scan(S0).scan(S1)


def test_r1_the_same_shard_may_be_asked_again():
    story = a_story(scans_in_flight=1).ask(S0)
    story.after(1)
    story.ask(S0)


def test_r1_a_new_cap_holds_for_the_next_one_asked():
    story = a_story(scans_in_flight=2).ask(S0)
    event = OperatorAsked("cap", 1)
    story.judge.stepped(story.after(), COORDINATOR, None, event, Ready())
    with caught("R1", "the cap is 1"):
        story.ask(S1)


def test_r1_a_restart_of_the_coordinator_goes_back_to_the_cap_of_its_policy():
    story = a_story(scans_in_flight=2)
    story.judge.operated(story.after(), "cap", 1)
    story.judge.crashed(story.after(), COORDINATOR)
    story.judge.started(story.after(), COORDINATOR, 2)
    story.ask(S0).ask(S1)


def test_r1_a_target_that_refuses_makes_room():
    story = a_reported_story()
    story.judge.operated(story.after(), "cap", 1)
    story.ask_seal(T0)
    refused = Refused(RESTORE, 1, 0, None, Reason.STORAGE_FAILED, "the disk is full")
    story.say(T0, COORDINATOR, refused)
    story.ask_seal(T1)


def test_r2_a_batch_is_sent_beyond_the_window():
    story = a_story(window_batches=1).ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    with caught("R2", "the window is 1"):
        story.send_batch(2)


def test_r2_the_window_moves_with_what_the_source_is_told():
    story = a_story(window_batches=1).ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    story.apply(1)
    story.acknowledge(1)
    story.send_batch(2)


def test_r2_a_source_holds_more_bytes_than_its_limit():
    story = a_story(source_bytes_max=100, page_bytes_max=10, pages_ahead=2)
    page = PageRead(scan_id(), 0, 0, (), True)
    story.judge.stepped(story.after(), S0, Core(120), page, Ready())
    with caught("R2", "holds 121 bytes of payload; the limit is 120"):
        story.judge.stepped(story.after(), S0, Core(121), page, Ready())


def test_r4_a_node_wants_to_be_woken_in_the_past():
    story = a_story()
    with caught("R4", "not later"):
        story.judge.stepped(story.now, S0, None, TimePassed(), Ready(wake_at=story.now))


def test_r4_steps_without_any_time_passing():
    story = a_story(steps_at_once_max=5)
    for _ in range(5):
        story.judge.stepped(story.now, S0, None, TimePassed(), Ready())
    with caught("R4", "without any time passing"):
        story.judge.stepped(story.now, S0, None, TimePassed(), Ready())


def test_r4_a_scan_is_asked_for_again_and_again():
    story = a_story()
    with caught("R4", "StartScan was sent to it 4 times"):
        for _ in range(10):
            story.send(COORDINATOR, S0, StartScan(scan_id(), 1))


def test_r4_patience_allows_one_question_a_second():
    story = a_story()
    for _ in range(100):
        story.after(1)
        story.send(COORDINATOR, S0, StartScan(scan_id(), 1))


def test_r4_a_seal_is_asked_for_again_at_once_after_each_refusal():
    story = a_reported_story()
    message = SealIncremental(RESTORE, 0, 1, streams_at(T0, 0))
    refused = Refused(RESTORE, 1, 0, None, Reason.STORAGE_FAILED, "the disk is full")
    with caught("R4", "SealIncremental"):
        for _ in range(10):
            story.say(COORDINATOR, T0, message)
            story.say(T0, COORDINATOR, refused)


def test_r4_a_source_asks_a_target_again_and_again():
    story = a_story().ask(S0)
    with caught("R4", "for the watermark of incremental 0"):
        for _ in range(20):
            story.send(S0, T0, OpenStream(scan_id(), 1))


def test_r4_a_source_may_ask_each_second():
    story = a_story(source_repeat_ns=SECOND).ask(S0)
    for _ in range(100):
        story.after(1)
        story.send(S0, T0, OpenStream(scan_id(), 1))
