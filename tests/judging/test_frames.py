"""What arrives and was not sent like this is caught."""

from __future__ import annotations

from dataclasses import replace

import pytest

from increstore.protocol.messages import (
    ApplyChanges,
    ChangesApplied,
    Finalize,
    Finalized,
    IncrementalSealed,
    OpenStream,
    SealIncremental,
    StartScan,
)
from increstore.protocol.topology import COORDINATOR

from .story import (
    RESTORE,
    S0,
    T0,
    a_reported_story,
    a_scanned_story,
    a_story,
    caught,
    scan_id,
    streams_at,
)


def test_f1_a_batch_arrives_with_another_digest():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    story.send_batch(1)
    with caught("F1", "never sent like this"):
        story.hear(S0, T0, ApplyChanges(scan_id(), 1, 1, 3, 99, b""))


def test_f1_a_watermark_arrives_that_the_target_never_had():
    story = a_story().ask(S0).read(S0).open(T0, S0)
    with caught("F1", "received watermark 7"):
        story.hear(T0, S0, ChangesApplied(scan_id(), 1, 7))


def test_f1_a_report_arrives_that_was_never_made():
    story = a_scanned_story()
    said = story.report_of(S0)
    story.send(S0, COORDINATOR, said)
    with caught("F1", "a report of it was received that it never sent"):
        story.hear(S0, COORDINATOR, replace(said, rows_scanned=60))


@pytest.mark.parametrize(
    "answer",
    [IncrementalSealed(RESTORE, 0, 1, streams_at(T0, 0)), Finalized(RESTORE, 1, 8, 5)],
    ids=lambda answer: type(answer).__name__,
)
def test_f1_an_answer_arrives_that_was_never_given(answer):
    story = a_reported_story()
    with caught("F1", type(answer).__name__, "never sent"):
        story.hear(T0, COORDINATOR, answer)


@pytest.mark.parametrize(
    ("receiver", "question"),
    [
        (S0, StartScan(scan_id(attempt=2), 1)),
        (T0, Finalize(RESTORE, 1)),
        (T0, SealIncremental(RESTORE, 0, 1, ())),
    ],
    ids=lambda given: type(given).__name__,
)
def test_f1_a_question_arrives_that_was_never_asked(receiver, question):
    story = a_story()
    with caught("F1", type(question).__name__, "never sent like this"):
        story.hear(COORDINATOR, receiver, question)


def test_f1_a_stream_is_to_be_opened_that_nobody_has_asked_for():
    story = a_story().ask(S0)
    with caught("F1", "OpenStream"):
        story.hear(S0, T0, OpenStream(scan_id(), 1))


def test_f1_a_message_may_arrive_twice_and_late():
    story = a_scanned_story()
    said = story.report_of(S0)
    story.send(S0, COORDINATOR, said)
    story.restart_coordinator()
    for _ in range(2):
        story.hear(S0, COORDINATOR, said)
