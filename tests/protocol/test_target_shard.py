"""The target shard's promises: in order, exactly once, and only what the evidence names."""

from __future__ import annotations

import re

import pytest

from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import (
    CancelRestore,
    ChangesApplied,
    Finalize,
    Finalized,
    IncrementalSealed,
    OpenStream,
    Reason,
    Refused,
    SealIncremental,
    StreamEvidence,
    StreamOpened,
)
from increstore.protocol.ready import (
    ApplyBatch,
    BatchesApplied,
    BatchRejected,
    FinalizeFailed,
    FinalizeRows,
    RowsFinalized,
    RunSealed,
    SealRun,
    StoreFailed,
)
from increstore.protocol.records import GenerationSeen
from increstore.protocol.target_state import StreamState, TargetState
from increstore.protocol.topology import COORDINATOR

from .builders import RESTORE, SOURCES, TargetBench, of_kind, scan_id


def one_batch(source=SOURCES[0], attempt=1, rows=3, digest=77) -> StreamEvidence:
    return StreamEvidence(source, attempt, rows, 1, fold_batch_digest(0, 1, digest))


def a_target_with_one_batch_applied() -> TargetBench:
    target = TargetBench()
    target.opens()
    target.is_sent(1)
    target.event(BatchesApplied(scan_id(), 1))
    return target


def seal(target, *sent, incremental=0, generation=1):
    message = SealIncremental(RESTORE, incremental, generation, sent)
    return target.hears(message, COORDINATOR)


def finalize(target, generation=1):
    return target.hears(Finalize(RESTORE, generation), COORDINATOR)


def a_sealed_target(upto=2) -> TargetBench:
    target = TargetBench()
    for incremental in range(upto + 1):
        seal(target, incremental=incremental)
        target.event(RunSealed(incremental))
    return target


def reason(ready) -> Reason:
    (refusal,) = of_kind(ready, Refused)
    return refusal.reason


def watermarks(ready) -> list[int]:
    return [message.watermark for message in of_kind(ready, ChangesApplied)]


# --- Streams.


def test_a_first_stream_begins_at_watermark_zero():
    (answer,) = of_kind(TargetBench().opens(), StreamOpened)

    assert answer.watermark == 0


def test_the_next_batch_in_order_is_applied():
    target = TargetBench()
    target.opens()

    (effect,) = target.is_sent(1).effects

    assert effect == ApplyBatch(scan_id(), 1, 3, 77, b"payload")


def test_a_batch_is_acknowledged_only_when_it_is_durable():
    """D1, D2."""
    target = TargetBench()
    target.opens()

    assert watermarks(target.is_sent(1)) == []
    assert watermarks(target.event(BatchesApplied(scan_id(), 1))) == [1]


def test_batches_are_applied_once_and_without_gaps_however_they_arrive():
    """O5, E1."""
    target = TargetBench()
    target.opens()

    applied = [
        effect.order
        for order in (2, 1, 1, 3, 2, 5, 3, 4)
        for effect in target.is_sent(order).effects
    ]

    assert applied == [1, 2, 3, 4]


def test_a_doubled_batch_that_is_applied_is_answered_with_the_watermark():
    """Its first acknowledgement may have been lost."""
    assert watermarks(a_target_with_one_batch_applied().is_sent(1)) == [1]


def test_a_doubled_batch_whose_write_is_under_way_is_not_answered():
    target = TargetBench()
    target.opens()
    target.is_sent(1)

    ready = target.is_sent(1)

    assert ready.messages == ready.effects == ()


def test_the_first_batch_opens_its_stream():
    ready = TargetBench().is_sent(1)

    assert [(e.scan, e.order) for e in ready.effects] == [(scan_id(), 1)]
    assert ready.messages == ()  # It is answered when it is durable.


def test_the_first_batch_of_a_higher_attempt_begins_the_stream_anew():
    target = a_target_with_one_batch_applied()

    ready = target.is_sent(1, attempt=2)

    assert [(e.scan, e.order) for e in ready.effects] == [(scan_id(attempt=2), 1)]
    assert reason(target.is_sent(2, attempt=1)) is Reason.STALE_ATTEMPT


def test_a_stream_that_was_never_opened_accepts_nothing_but_its_first_batch():
    ready = TargetBench().is_sent(2)

    assert ready.effects == ready.messages == ()


def test_an_open_stream_asked_for_again_tells_the_durable_watermark_only():
    """D2: never the accepted one."""
    target = a_target_with_one_batch_applied()
    target.is_sent(2)

    (answer,) = of_kind(target.opens(), StreamOpened)

    assert answer.watermark == 1


def test_a_recovered_stream_goes_on_where_it_is_durable():
    """L3, D3: a crashed target resumes, it does not start over."""
    durable = StreamState(2, 6, 99)
    target = TargetBench(TargetState(1, {}, {scan_id(): durable}))

    assert [e.order for e in target.is_sent(3).effects] == [3]
    (answer,) = of_kind(target.opens(), StreamOpened)
    assert answer.watermark == 2


def test_the_newest_attempt_is_recovered():
    state = TargetState(
        1, {}, {scan_id(attempt=2): StreamState(1, 3, 9), scan_id(attempt=1): StreamState(4, 9, 9)}
    )

    (answer,) = of_kind(TargetBench(state).opens(attempt=2), StreamOpened)

    assert answer.watermark == 1


def test_a_higher_attempt_begins_the_stream_anew():
    """E3."""
    target = a_target_with_one_batch_applied()

    (answer,) = of_kind(target.opens(attempt=2), StreamOpened)

    assert answer.watermark == 0
    assert [e.scan.attempt for e in target.is_sent(1, attempt=2).effects] == [2]


def test_a_lower_attempt_is_refused():
    """E3: records of it that arrive later are refused."""
    target = TargetBench()
    target.opens(attempt=2)

    assert reason(target.opens(attempt=1)) is Reason.STALE_ATTEMPT
    assert reason(target.is_sent(1, attempt=1)) is Reason.STALE_ATTEMPT


def test_a_write_of_an_attempt_that_is_over_is_not_acknowledged():
    target = TargetBench()
    target.opens()
    target.is_sent(1)
    target.opens(attempt=2)

    assert target.event(BatchesApplied(scan_id(), 1)).messages == ()


def test_a_rejected_batch_is_refused_for_good_and_nothing_after_it_is_applied():
    target = TargetBench()
    target.opens()
    target.is_sent(1)

    refusal = of_kind(target.event(BatchRejected(scan_id(), 1, "keys fall")), Refused)[0]

    assert refusal.reason is Reason.BATCH_REJECTED
    assert refusal.detail == "batch 1 of incremental 0: keys fall"
    assert reason(target.is_sent(1)) is Reason.BATCH_REJECTED
    assert reason(target.opens()) is Reason.BATCH_REJECTED
    assert of_kind(target.opens(attempt=2), StreamOpened) != []


# --- Fences.


def test_a_higher_generation_is_recorded_before_anything_is_done_for_it():
    """S5, D1."""
    target = TargetBench()

    assert target.opens(generation=4).records == (GenerationSeen(4),)
    assert target.opens(generation=4).records == ()


@pytest.mark.parametrize("asks", [TargetBench.opens, seal, finalize])
def test_a_lower_generation_is_refused_by_name(asks):
    """S4, S5: two living coordinators. The refusal echoes the generation of the asker."""
    target = TargetBench(TargetState(generation=5))

    (refusal,) = of_kind(asks(target, generation=4), Refused)

    assert refusal.reason is Reason.STALE_GENERATION
    assert refusal.generation == 4
    assert target.core.generation == 5


def test_changes_of_a_lower_generation_are_not_applied():
    target = TargetBench()
    target.opens(generation=2)

    ready = target.is_sent(1, generation=1)

    assert ready.effects == ()
    assert reason(ready) is Reason.STALE_GENERATION


def test_an_incremental_is_not_due_before_the_one_before_it_is_sealed():
    """O2."""
    target = TargetBench()
    assert reason(target.opens(incremental=1)) is Reason.INCREMENTAL_NOT_DUE

    seal(target)
    assert reason(target.opens(incremental=1)) is Reason.INCREMENTAL_NOT_DUE  # Not durable yet.

    target.event(RunSealed(0))
    assert of_kind(target.opens(incremental=1), StreamOpened) != []


def test_an_incremental_that_left_the_table_unchanged_is_passed_over():
    target = TargetBench(incrementals=(0, 2))
    seal(target)
    target.event(RunSealed(0))

    assert of_kind(target.opens(incremental=2), StreamOpened) != []


def test_a_sealed_incremental_accepts_nothing_more():
    """O3, O4."""
    target = a_sealed_target(upto=0)

    assert reason(target.opens(incremental=0)) is Reason.STALE_INCREMENTAL
    assert reason(target.is_sent(1, incremental=0)) is Reason.STALE_INCREMENTAL


def test_an_incremental_being_sealed_accepts_nothing_more():
    target = TargetBench()
    seal(target)

    assert reason(target.opens()) is Reason.STALE_INCREMENTAL


def test_an_unknown_or_pretended_source_is_refused():
    """S2."""
    target = TargetBench()
    pretended = target.hears(OpenStream(scan_id(source=SOURCES[0]), 1), sender=SOURCES[1])

    assert reason(pretended) is Reason.UNKNOWN_SHARD
    assert reason(target.opens(source="orders/s9")) is Reason.UNKNOWN_SHARD


def test_another_restore_is_refused_and_told_its_own_name():
    """S2, S6."""
    target = TargetBench()

    (refusal,) = of_kind(target.opens(restore="restore-2", generation=9), Refused)

    assert (refusal.reason, refusal.restore) == (Reason.UNKNOWN_RESTORE, "restore-2")
    assert target.core.generation == 0


# --- Seals.


def test_a_seal_that_agrees_is_written_and_then_answered():
    target = a_target_with_one_batch_applied()

    ready = seal(target, one_batch())
    assert ready.effects == (SealRun(0, (one_batch(),)),)
    assert ready.messages == ()

    (answer,) = of_kind(target.event(RunSealed(0)), IncrementalSealed)
    assert answer.applied == (one_batch(),)


def test_a_target_that_was_sent_nothing_seals_too():
    """C6."""
    assert seal(TargetBench()).effects == (SealRun(0, ()),)


def test_a_seal_asked_for_again_is_written_once_and_answered_again():
    target = a_target_with_one_batch_applied()
    seal(target, one_batch())
    assert seal(target, one_batch()).effects == ()
    target.event(RunSealed(0))

    ready = seal(target, one_batch())

    assert ready.effects == ()
    assert of_kind(ready, IncrementalSealed)[0].applied == (one_batch(),)


def test_a_recovered_seal_is_answered_from_what_is_durable():
    target = TargetBench(TargetState(1, {0: (one_batch(),)}))

    assert of_kind(seal(target, one_batch()), IncrementalSealed)[0].applied == (one_batch(),)


@pytest.mark.parametrize(
    ("claimed", "says"),
    [
        ((StreamEvidence(SOURCES[0], 1, 9, 2, 5),), "expected 9 rows in 2 batches of attempt 1"),
        ((one_batch(digest=78),), "expected 3 rows in 1 batches"),
        ((one_batch(attempt=2),), "of attempt 2 .* got 3 rows in 1 batches of attempt 1"),
        ((one_batch(), one_batch(SOURCES[1])), "orders/s1: expected 3 rows .*, got nothing"),
        ((), "orders/s0: expected nothing, got 3 rows in 1 batches"),
    ],
)
def test_a_seal_whose_evidence_differs_is_refused_naming_the_source(claimed, says):
    """C1, T2: fewer, more, another digest, another attempt."""
    (refusal,) = of_kind(seal(a_target_with_one_batch_applied(), *claimed), Refused)

    assert refusal.reason is Reason.EVIDENCE_MISMATCH
    assert refusal.detail.startswith("orders/t0: incremental 0: ")
    assert re.search(says, refusal.detail), refusal.detail


def test_batches_that_are_not_durable_yet_are_no_ground_for_a_seal():
    target = TargetBench()
    target.opens()
    target.is_sent(1)

    (refusal,) = of_kind(seal(target, one_batch()), Refused)

    assert "1 batches not written yet" in refusal.detail


def test_a_seal_out_of_turn_is_refused():
    assert reason(seal(TargetBench(), incremental=1)) is Reason.INCREMENTAL_NOT_DUE


# --- Final rows.


def test_final_rows_are_not_made_before_the_last_seal():
    assert reason(finalize(a_sealed_target(upto=1))) is Reason.INCREMENTAL_NOT_DUE


def test_final_rows_are_made_once_and_told_as_often_as_asked():
    target = a_sealed_target()
    assert finalize(target).effects == (FinalizeRows(),)
    assert finalize(target).effects == ()

    assert of_kind(target.event(RowsFinalized(7, 8)), Finalized) == [Finalized(RESTORE, 1, 7, 8)]
    assert of_kind(finalize(target), Finalized) == [Finalized(RESTORE, 1, 7, 8)]


def test_recovered_final_rows_are_not_made_again():
    state = TargetState(1, dict.fromkeys(range(3), ()), {}, finalized=(7, 8))

    ready = finalize(TargetBench(state), generation=2)

    assert ready.effects == ()
    assert of_kind(ready, Finalized) == [Finalized(RESTORE, 2, 7, 8)]


@pytest.mark.parametrize(
    ("transient", "expected"),
    [(True, Reason.STORAGE_FAILED), (False, Reason.FINALIZE_FAILED)],
)
def test_final_rows_that_cannot_be_made_are_refused_with_the_cause(transient, expected):
    target = a_sealed_target()
    finalize(target)

    assert reason(target.event(FinalizeFailed(transient, "no space"))) is expected
    assert finalize(target).effects == (FinalizeRows(),)


# --- Storage and cancel.


@pytest.mark.parametrize(
    ("corrupted", "expected"),
    [(False, Reason.STORAGE_FAILED), (True, Reason.STORAGE_CORRUPTED)],
)
def test_a_failed_store_is_told_to_everyone_who_waits(corrupted, expected):
    """D6: after it nothing is certain until the store was opened anew."""
    target = TargetBench()
    target.opens()
    target.opens(source=SOURCES[1])

    ready = target.event(StoreFailed("no space", corrupted))

    assert [(receiver, m.reason) for receiver, m in ready.messages] == [
        (SOURCES[0], expected),
        (SOURCES[1], expected),
        (COORDINATOR, expected),
    ]
    assert reason(target.opens()) is expected
    assert target.is_sent(1).effects == ()
    assert seal(target).effects == ()


def test_a_cancelled_target_obeys_only_a_newer_coordinator():
    """S6, L8, T5."""
    target = a_target_with_one_batch_applied()
    target.hears(CancelRestore(RESTORE, 1), COORDINATOR)

    assert target.is_sent(2).effects == ()
    assert reason(target.opens()) is Reason.STALE_GENERATION
    assert of_kind(target.opens(generation=2), StreamOpened)[0].watermark == 1


def test_a_cancel_of_an_older_coordinator_is_ignored():
    target = TargetBench()
    target.opens(generation=2)

    target.hears(CancelRestore(RESTORE, 1), COORDINATOR)

    assert of_kind(target.opens(generation=2), StreamOpened) != []


def test_a_target_never_asks_to_be_woken():
    target = a_target_with_one_batch_applied()

    assert target.is_sent(2).wake_at is None
