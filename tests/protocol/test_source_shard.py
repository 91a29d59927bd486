"""The source shard's promises: one living scan, and a report that is true and never lost."""

from __future__ import annotations

import pytest

from increstore.errors import LocalProtocolError
from increstore.protocol.messages import (
    ApplyChanges,
    CancelRestore,
    ChangesApplied,
    CompletionNotification,
    OpenStream,
    Reason,
    Refused,
    ScanProgress,
    StartScan,
    Status,
    StreamOpened,
)
from increstore.protocol.ready import PageFailed, PageRead, ReadPage
from increstore.protocol.source_shard import SourceConfig
from increstore.protocol.topology import COORDINATOR

from .builders import (
    MS,
    RESTORE,
    SECOND,
    TARGETS,
    SourceBench,
    a_batch,
    of_kind,
    scan_id,
)


def opened(watermark=0, generation=1, **scan) -> StreamOpened:
    return StreamOpened(scan_id(**scan), generation, watermark)


def applied(watermark, generation=1, **scan) -> ChangesApplied:
    return ChangesApplied(scan_id(**scan), generation, watermark)


def refused(reason, generation=1, **scan) -> Refused:
    return Refused(RESTORE, generation, 0, scan_id(**scan), reason, "because")


def reports(ready) -> list[CompletionNotification]:
    return of_kind(ready, CompletionNotification)


def a_source_with_one_batch_sent() -> SourceBench:
    source = SourceBench()
    source.starts()
    source.reads(0, a_batch(), last=True)
    return source


def test_a_scan_begins_by_reading_and_its_first_sample_says_that_it_lives():
    """Well before the coordinator asks again, and only when it has not ended by then."""
    source = SourceBench()

    ready = source.starts()

    assert ready.effects == (ReadPage(scan_id(), 0),)
    assert ready.messages == ()
    assert len(of_kind(source.after(SECOND // 2), ScanProgress)) == 1


def test_being_asked_is_not_success():
    """Trap: success was answered on receipt of the request, before any scan."""
    assert reports(SourceBench().starts()) == []


def test_a_scan_that_is_read_to_the_end_but_not_applied_reports_nothing():
    """C1. Trap: scan exhausted was taken for applied."""
    source = a_source_with_one_batch_sent()

    for _ in range(20):
        assert reports(source.after(SECOND)) == []


def test_the_completion_notification_is_sent_when_the_last_batch_is_applied():
    """C1, with the evidence of everything sent."""
    source = a_source_with_one_batch_sent()

    (report,) = reports(source.hears(applied(1)))

    assert report.status is Status.SUCCESS
    assert report.rows_scanned == 3
    assert [(e.target, e.rows, e.batches) for e in report.evidence] == [(TARGETS[0], 3, 1)]


def test_all_targets_must_have_applied_everything():
    source = SourceBench()
    source.starts()
    source.reads(0, a_batch(TARGETS[0]), a_batch(TARGETS[1]), last=True)

    assert reports(source.hears(applied(1), TARGETS[0])) == []
    assert len(reports(source.hears(applied(1), TARGETS[1]))) == 1


def test_a_part_without_any_row_succeeds_without_evidence():
    """C6."""
    source = SourceBench()
    source.starts()

    (report,) = reports(source.reads(0, last=True))

    assert (report.status, report.rows_scanned, report.evidence) == (Status.SUCCESS, 0, ())


def test_the_report_is_sent_again_to_whoever_asks_again_under_the_generation_of_the_asker():
    """L2: a lost report is recovered by the coordinator's own repetition."""
    source = a_source_with_one_batch_sent()
    source.hears(applied(1))

    assert [r.generation for r in reports(source.starts(generation=1))] == [1]
    assert [r.generation for r in reports(source.starts(generation=4))] == [4]


def test_nothing_is_sent_unasked_after_the_report():
    """R4, R6."""
    source = a_source_with_one_batch_sent()
    ready = source.hears(applied(1))

    assert ready.wake_at is None
    assert source.after(60 * SECOND).messages == ()


def test_a_doubled_start_scan_does_not_start_a_second_scan():
    """E4."""
    source = SourceBench()
    source.starts()

    ready = source.starts()

    assert ready.effects == ()
    assert len(of_kind(ready, ScanProgress)) == 1


def test_a_page_that_cannot_be_read_now_is_reported_as_transient():
    """C2: a failed scan never reports success; the failure too is reported."""
    source = SourceBench()
    source.starts()

    (report,) = reports(source.after(0, PageFailed(scan_id(), 0, True, "disk busy")))

    assert report.status is Status.TRANSIENT
    assert report.error == "page 0: disk busy"


def test_a_page_that_can_never_be_read_is_reported_as_fatal_and_again_when_asked():
    source = SourceBench()
    source.starts()
    source.after(0, PageFailed(scan_id(), 0, False, "wrong checksum"))

    (again,) = reports(source.starts())

    assert again.status is Status.FATAL


def test_a_failure_report_says_what_had_been_applied():
    """The coordinator's budget resets on progress, so progress must be in the report."""
    source = SourceBench()
    source.starts()
    source.reads(0, a_batch(rows=3), a_batch(TARGETS[1], rows=5))
    source.hears(applied(1))

    (report,) = reports(source.after(0, PageFailed(scan_id(), 1, True, "disk busy")))

    assert [(e.target, e.rows) for e in report.evidence] == [(TARGETS[0], 3), (TARGETS[1], 0)]


def test_rows_that_belong_to_no_target_fail_the_scan_for_good():
    source = SourceBench()
    source.starts()

    (report,) = reports(source.after(0, PageRead(scan_id(), 0, 9, (a_batch(rows=3),), True)))

    assert report.status is Status.FATAL
    assert "9 rows were read but 3 belong to a target" in report.error


def test_a_batch_for_an_unknown_target_is_our_own_mistake():
    source = SourceBench()
    source.starts()

    with pytest.raises(LocalProtocolError, match="no target 'orders/t9'"):
        source.reads(0, a_batch("orders/t9"))


def test_changes_are_sent_at_once_and_open_their_stream():
    source = SourceBench()
    source.starts()

    ready = source.reads(0, a_batch(), a_batch(TARGETS[1]))

    assert [(receiver, type(m), m.order) for receiver, m in ready.messages] == [
        (TARGETS[0], ApplyChanges, 1),
        (TARGETS[1], ApplyChanges, 1),
    ]


def test_a_silent_target_is_asked_where_it_is_with_growing_patience():
    source = SourceBench()
    source.starts()
    source.reads(0, a_batch())

    asked = [len(of_kind(source.after(SECOND), OpenStream)) for _ in range(7)]

    assert asked == [0, 1, 0, 0, 0, 1, 0]
    source.hears(opened())
    source.hears(applied(1))
    assert all(of_kind(source.after(SECOND), OpenStream) == [] for _ in range(9))


def test_lost_changes_are_sent_again_from_the_watermark():
    """The side that waits repeats."""
    source = SourceBench()
    source.starts()
    sent = of_kind(source.reads(0, a_batch(), a_batch(), a_batch()), ApplyChanges)
    assert [m.order for m in sent] == [1, 2, 3]

    ready = source.after(2 * SECOND)
    assert len(of_kind(ready, OpenStream)) == 1
    assert [m.order for m in of_kind(source.hears(opened(1)), ApplyChanges)] == [2, 3]


def test_a_new_incarnation_sends_only_what_the_target_does_not_have():
    """S3, L3: after a crash the watermark tells what is owed; the first window asks for it."""
    source = SourceBench(SourceConfig(window_batches=1))
    source.starts()
    source.reads(0, a_batch(), a_batch(), a_batch(), last=True)

    ready = source.hears(applied(2))

    assert [m.order for m in of_kind(ready, ApplyChanges)] == [3]
    (report,) = reports(source.hears(applied(3)))
    assert [(e.rows, e.batches) for e in report.evidence] == [(9, 3)]


def test_a_target_that_has_more_than_the_scan_ever_had_fails_the_scan():
    """C2: numbers that do not agree are not success; the next attempt starts the stream anew."""
    source = SourceBench()
    source.starts()
    source.reads(0, a_batch(), last=True)

    (report,) = reports(source.hears(applied(5)))

    assert report.status is Status.TRANSIENT
    assert "applied 5 batches" in report.error


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.STORAGE_FAILED, Status.TRANSIENT),
        (Reason.STALE_ATTEMPT, Status.TRANSIENT),
        (Reason.INCREMENTAL_NOT_DUE, Status.TRANSIENT),
        (Reason.STORAGE_CORRUPTED, Status.FATAL),
        (Reason.BATCH_REJECTED, Status.FATAL),
        (Reason.STALE_INCREMENTAL, Status.FATAL),
        (Reason.UNKNOWN_SHARD, Status.FATAL),
        (Reason.UNKNOWN_RESTORE, Status.FATAL),
    ],
)
def test_what_a_target_refuses_for_good_ends_the_scan_with_its_cause(reason, status):
    """Not due: an incremental is asked for after every seal before it, so a target that came back
    with an empty or older disk has lost one. To ask it again was a wait without an end."""
    (report,) = reports(a_source_with_one_batch_sent().hears(refused(reason)))

    assert report.status is status
    assert report.error == f"{TARGETS[0]}: {reason.value}: because"


def test_a_fenced_scan_sends_nothing_until_a_newer_coordinator_takes_it_up():
    """S5: it keeps what it has read, and goes on under the new generation."""
    source = a_source_with_one_batch_sent()
    source.hears(refused(Reason.STALE_GENERATION))
    assert of_kind(source.after(9 * SECOND), OpenStream) == []

    (open_stream,) = of_kind(source.starts(generation=2), OpenStream)

    assert open_stream.generation == 2
    assert [m.generation for m in of_kind(source.hears(opened()), ApplyChanges)] == [2]


def test_a_late_refusal_of_an_older_generation_does_not_fence():
    source = a_source_with_one_batch_sent()
    source.starts(generation=2)

    source.hears(refused(Reason.STALE_GENERATION, generation=1))

    assert len(of_kind(source.after(3 * SECOND), OpenStream)) == 1


def test_a_newer_generation_takes_over_a_living_scan_without_reading_again():
    source = a_source_with_one_batch_sent()

    ready = source.starts(generation=2)

    assert ready.effects == ()
    assert [r.generation for r in reports(source.hears(applied(1)))] == [2]


def test_an_older_generation_is_refused_and_changes_nothing():
    """S5."""
    source = SourceBench()
    source.starts(generation=3)

    (refusal,) = of_kind(source.starts(generation=2, attempt=9), Refused)

    assert (refusal.reason, refusal.generation) == (Reason.STALE_GENERATION, 2)
    assert source.core.view().scan == scan_id()


def test_a_higher_attempt_abandons_the_one_at_hand():
    """E3."""
    source = a_source_with_one_batch_sent()

    ready = source.starts(attempt=2)

    assert ready.effects[0] == ReadPage(scan_id(attempt=2), 0)
    assert source.core.unapplied_bytes == 0
    assert source.hears(applied(1)).messages == ()  # Of the attempt that is over.


@pytest.mark.parametrize(
    ("late", "reason"),
    [
        ({"attempt": 1}, Reason.STALE_ATTEMPT),
        ({"incremental": 0, "attempt": 9}, Reason.STALE_INCREMENTAL),
    ],
)
def test_an_overtaken_start_scan_of_the_same_generation_is_refused_and_changes_nothing(
    late, reason
):
    """S2. Found by a coordinator whose log was lost: silence was a wait without an end."""
    source = SourceBench()
    source.starts(incremental=1, attempt=2)

    ready = source.starts(**{"incremental": 1, **late})

    ((receiver, refusal),) = ready.messages
    assert (receiver, refusal.reason) == (COORDINATOR, reason)
    assert refusal.detail == "orders/s0 was asked for incremental 1, attempt 2 already"
    assert ready.effects == ()
    assert source.core.view().scan == scan_id(incremental=1, attempt=2)


def test_a_start_scan_for_another_shard_or_restore_is_refused():
    """S2."""
    source = SourceBench()
    source.starts()

    (other_shard,) = of_kind(source.starts(source="orders/s1"), Refused)
    (other_restore,) = of_kind(source.starts(restore="restore-2"), Refused)

    assert other_shard.reason is Reason.UNKNOWN_SHARD
    assert (other_restore.reason, other_restore.restore) == (Reason.UNKNOWN_RESTORE, "restore-2")


def test_pages_of_an_attempt_that_is_over_are_ignored():
    source = SourceBench()
    source.starts()
    source.starts(attempt=2)

    assert source.reads(0, a_batch(), attempt=1).messages == ()


def test_cancel_drops_the_scan_and_late_messages_do_not_bring_it_back():
    """S6, L8."""
    source = a_source_with_one_batch_sent()

    ready = source.hears(CancelRestore(RESTORE, 1), COORDINATOR)

    assert ready.wake_at is None
    assert source.core.unapplied_bytes == 0
    assert source.starts(generation=1).effects == ()
    assert source.hears(applied(1)).messages == ()
    assert source.starts(generation=2).effects == (ReadPage(scan_id(), 0),)


def test_a_cancel_of_an_older_coordinator_is_ignored():
    source = SourceBench()
    source.starts(generation=2)

    source.hears(CancelRestore(RESTORE, 1), COORDINATOR)

    assert source.core.view().scan == scan_id()


def test_a_living_scan_tells_how_far_it_is_twice_a_second():
    source = a_source_with_one_batch_sent()

    (sample,) = of_kind(source.after(500 * MS), ScanProgress)

    assert (sample.rows_scanned, sample.rows_sent, sample.rows_applied) == (3, 3, 0)
    assert sample.unapplied == ((TARGETS[0], 1),)


def test_memory_is_bounded_when_a_target_is_silent():
    """R2, R3: reading stops, whatever the size of the backup."""
    source = SourceBench(SourceConfig(bytes_max=100))
    ready = source.starts()
    pages = 0
    while ready.effects:
        ready = source.reads(pages, a_batch(payload=b"x" * 20))
        pages += 1

    assert source.core.unapplied_bytes <= 100 + 20
    assert pages < 9


def test_reading_goes_on_when_the_target_has_made_room():
    source = SourceBench(SourceConfig(bytes_max=10, pages_ahead=1))
    source.starts()
    assert source.reads(0, a_batch(payload=b"x" * 20)).effects == ()

    assert source.hears(applied(1)).effects == (ReadPage(scan_id(), 1),)


@pytest.mark.parametrize(
    "foreign",
    [
        StreamOpened(scan_id(restore="restore-2"), 1, 1),
        ChangesApplied(scan_id(attempt=7), 1, 1),
        ChangesApplied(scan_id(incremental=5), 1, 1),
        ChangesApplied(scan_id(source="orders/s1"), 1, 1),
        Refused("restore-2", 1, 0, None, Reason.STORAGE_CORRUPTED, ""),
        StartScan(scan_id(source="nobody"), 1),
        CancelRestore("restore-2", 9),
    ],
)
def test_foreign_messages_are_counted_and_change_nothing(foreign):
    """S2: never a crash."""
    source = a_source_with_one_batch_sent()
    before = source.core.view()

    source.hears(foreign)

    assert source.core.view() == before
    assert sum(source.core.dropped.values()) == 1


def test_a_watermark_from_a_node_that_was_sent_nothing_is_ignored():
    source = a_source_with_one_batch_sent()

    assert reports(source.hears(applied(1), sender="customers/t0")) == []
