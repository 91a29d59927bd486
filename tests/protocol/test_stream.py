"""The ordered changes of one scan towards one target."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.errors import RemoteProtocolError
from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import Evidence
from increstore.protocol.stream import ChangeStream

from .builders import SECOND, a_batch


def an_open_stream(batches=5, window=3, watermark=0) -> ChangeStream:
    stream = ChangeStream("orders/t0", window)
    stream.apply_up_to(0, watermark)
    for number in range(batches):
        stream.add(a_batch(rows=number + 1, digest=number + 100))
    return stream


def orders(due) -> list[int]:
    return [order for order, _ in due]


def test_a_window_of_batches_is_sent_before_the_target_has_said_anything():
    """A question before every stream was a round trip, and its answer nearly always 0."""
    stream = ChangeStream("orders/t0", 2)
    for _ in range(3):
        stream.add(a_batch())

    assert orders(stream.take_due(0)) == [1, 2]


def test_a_target_that_is_ahead_of_a_new_incarnation_is_sent_only_what_it_lacks():
    """S3, L3: its first answer tells more than was ever sent."""
    stream = an_open_stream(batches=5, window=2)
    assert orders(stream.take_due(0)) == [1, 2]

    stream.apply_up_to(0, 4)

    assert orders(stream.take_due(0)) == [5]


def test_a_stream_that_is_reopened_sends_nothing_before_the_answer():
    stream = an_open_stream(batches=2)
    stream.take_due(0)
    stream.close_for_reopening()
    stream.ask(0)

    assert stream.take_due(0) == []
    assert [stream.is_silent(now, SECOND, 2 * SECOND) for now in (SECOND - 1, SECOND)] == [
        False,
        True,
    ]
    stream.answer(0, 0)
    assert orders(stream.take_due(0)) == [1, 2]


def test_at_most_a_window_of_batches_is_unapplied():
    """R2."""
    stream = an_open_stream(batches=5, window=3)

    assert orders(stream.take_due(0)) == [1, 2, 3]
    assert orders(stream.take_due(0)) == []
    stream.apply_up_to(0, 2)
    assert orders(stream.take_due(0)) == [4, 5]


def test_a_payload_is_let_go_when_it_is_applied():
    stream = an_open_stream(batches=2)
    held = stream.bytes_held
    stream.take_due(0)

    stream.apply_up_to(0, 1)

    assert stream.bytes_held == held // 2


def test_batches_the_target_has_already_are_counted_and_not_sent_again():
    """E1: the numbers of a rescan are the same."""
    fresh, resumed = an_open_stream(batches=4), an_open_stream(batches=4, watermark=3)
    fresh.take_due(0)
    fresh.apply_up_to(0, 3)
    fresh.take_due(0)
    fresh.apply_up_to(0, 4)

    assert orders(resumed.take_due(0)) == [4]
    resumed.apply_up_to(0, 4)
    assert resumed.evidence == fresh.evidence
    assert resumed.rows_sent == fresh.rows_sent == 10


def test_an_answer_after_silence_sends_again_everything_above_the_watermark():
    stream = an_open_stream(batches=3)
    stream.take_due(0)
    stream.ask(5 * SECOND)

    stream.answer(5 * SECOND, 1)

    assert orders(stream.take_due(5 * SECOND)) == [2, 3]


def test_a_doubled_answer_does_not_send_everything_again():
    """R4."""
    stream = an_open_stream(batches=3)
    stream.take_due(0)

    stream.answer(0, 0)

    assert stream.take_due(0) == []


def test_a_late_watermark_changes_nothing():
    stream = an_open_stream(batches=3)
    stream.take_due(0)
    stream.apply_up_to(0, 2)

    stream.apply_up_to(0, 1)

    assert stream.watermark == 2


def test_answers_below_what_was_acknowledged_are_an_error_only_when_they_persist():
    stream = an_open_stream(batches=3)
    stream.take_due(0)
    stream.apply_up_to(0, 2)
    for _ in range(2):
        stream.ask(0)
        stream.answer(0, 1)  # One or two may be late ones.
    stream.ask(0)

    with pytest.raises(RemoteProtocolError, match=r"t0 says .* applied 1 .* had confirmed 2"):
        stream.answer(0, 1)


def test_patience_doubles_twice_while_nothing_moves_and_is_fresh_after_progress():
    stream = an_open_stream(batches=3)
    stream.take_due(0)
    asked = []
    for now in range(0, 40 * SECOND, SECOND):
        if stream.is_silent(now, SECOND, 2 * SECOND):
            stream.ask(now)
            asked.append(now // SECOND)

    assert asked == [2, 6, 14, 22, 30, 38]
    stream.apply_up_to(40 * SECOND, 1)
    assert stream.is_silent(42 * SECOND, SECOND, 2 * SECOND)


def test_a_stream_that_owes_nothing_is_never_called_silent():
    stream = an_open_stream(batches=1)
    stream.take_due(0)
    stream.apply_up_to(0, 1)

    assert not stream.is_silent(99 * SECOND, SECOND, 2 * SECOND)


moves = st.one_of(
    st.just("add"),
    st.just("send"),
    st.just("ask"),
    st.tuples(st.sampled_from(["applied", "opened"]), st.integers(0, 12)),
)


def play(stream, move, added) -> None:
    """One thing that may happen to a stream."""
    if move == "add":
        added.append(a_batch(rows=len(added) + 1, digest=1000 + len(added)))
        stream.add(added[-1])
    elif move == "send":
        for order, batch in stream.take_due(0):
            assert batch is added[order - 1]
    elif move == "ask":
        stream.ask(0)
    elif move[0] == "applied":
        stream.apply_up_to(0, move[1])
    else:
        stream.answer(0, move[1])


@given(st.lists(moves, max_size=60), st.integers(1, 4))
def test_any_order_of_watermarks_keeps_the_invariant_and_counts_each_batch_once(script, window):
    """O5, E1, R2: watermarks may be late, doubled, lost, or of an earlier incarnation."""
    stream = ChangeStream("orders/t0", window)
    added = []
    for move in script:
        with suppress(RemoteProtocolError):
            play(stream, move, added)
        assert 0 <= stream.watermark <= stream.sent <= stream.watermark + window
        assert stream.unapplied == max(0, len(added) - stream.watermark)
    applied = added[: stream.watermark]
    digest = 0
    for order, batch in enumerate(applied, 1):
        digest = fold_batch_digest(digest, order, batch.digest)
    rows = sum(batch.rows for batch in applied)
    assert stream.evidence == Evidence("orders/t0", rows, len(applied), digest)
