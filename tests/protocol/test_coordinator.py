"""The coordinator's promises: order, truth of reports, one policy for failures."""

from __future__ import annotations

import pytest

from increstore.protocol.coordinator import RestoreState
from increstore.protocol.messages import (
    CancelRestore,
    Evidence,
    Finalize,
    Finalized,
    IncrementalSealed,
    Reason,
    Refused,
    ScanId,
    SealIncremental,
    StartScan,
    Status,
    StreamEvidence,
)
from increstore.protocol.ready import OperatorAsked, PublishFailed, PublishTables, TablesPublished
from increstore.protocol.records import (
    FinalizingStarted,
    IncrementalCompleted,
    IncrementalStarted,
    RestoreCancelled,
    RestoreCompleted,
    RestoreFailed,
    RestorePaused,
    RetryScheduled,
    ScanReported,
    TargetFinalized,
    TargetSealed,
)

from .builders import (
    RESTORE,
    SECOND,
    SOURCES,
    TARGETS,
    WALL,
    CoordinatorBench,
    a_table,
    a_topology,
    of_kind,
    records_of,
    scan_id,
)

SENT = (Evidence(TARGETS[0], 3, 1, 5), Evidence(TARGETS[1], 4, 2, 6))
OWED = {
    TARGETS[0]: (StreamEvidence(SOURCES[0], 1, 3, 1, 5),),
    TARGETS[1]: (StreamEvidence(SOURCES[0], 1, 4, 2, 6),),
}


def a_coordinator(*args, **kwargs) -> CoordinatorBench:
    bench = CoordinatorBench(*args, **kwargs)
    bench.event()
    return bench


def a_sealing_coordinator(**config) -> CoordinatorBench:
    """Incremental 0 was scanned: s0 sent to both targets, s1 had no rows."""
    bench = a_coordinator(**config)
    bench.is_told(bench.report(evidence=SENT))
    bench.is_told(bench.report(SOURCES[1]))
    return bench


def sealed(bench, applied=(), incremental=0) -> IncrementalSealed:
    return IncrementalSealed(RESTORE, incremental, bench.core.generation, applied)


def seal_all(bench, incremental=0):
    for table in bench.topology.tables_changed_in(incremental):
        for target in table.targets:
            ready = bench.hears(target, sealed(bench, incremental=incremental))
    return ready


def a_finalizing_coordinator(topology=None, **config) -> CoordinatorBench:
    bench = a_coordinator(topology or a_topology(last=0), **config)
    for incremental in range(bench.topology.last_incremental + 1):
        bench.succeed(incremental)
        seal_all(bench, incremental)
    return bench


def finalize_all(bench, rows=5, digest=6):
    for table in bench.topology.tables:
        for target in table.targets:
            final = Finalized(RESTORE, bench.core.generation, rows, digest)
            ready = bench.hears(target, final)
    return ready


def started(ready) -> list[tuple[int, str, int]]:
    return [(m.scan.incremental, m.scan.source, m.scan.attempt) for m in of_kind(ready, StartScan)]


def refusal(bench, reason, scan=None, incremental=0) -> Refused:
    return Refused(RESTORE, bench.core.generation, incremental, scan, reason, "because")


# --- Order.


def test_the_first_step_asks_every_source_shard_of_the_full_backup():
    ready = CoordinatorBench().event()

    assert started(ready) == [(0, SOURCES[0], 1), (0, SOURCES[1], 1)]
    assert records_of(ready, IncrementalStarted) == [
        IncrementalStarted(0, ready.records[-1].started_at)
    ]


def test_one_report_of_two_does_not_end_the_incremental():
    """O1."""
    bench = a_coordinator()

    ready = bench.is_told(bench.report())

    assert of_kind(ready, SealIncremental) == []
    assert bench.core.incremental == 0


def test_the_next_incremental_starts_only_after_all_scans_and_all_seals():
    """O1, O4. Trap: an incremental was marked completed when it started."""
    bench = a_sealing_coordinator()
    first = bench.hears(TARGETS[0], sealed(bench, OWED[TARGETS[0]]))
    assert started(first) == []
    assert records_of(first, IncrementalCompleted) == []

    last = bench.hears(TARGETS[1], sealed(bench, OWED[TARGETS[1]]))

    assert [record.incremental for record in records_of(last, IncrementalCompleted)] == [0]
    assert started(last) == [(1, SOURCES[0], 1), (1, SOURCES[1], 1)]


def test_incrementals_start_in_chain_order_without_a_gap():
    """O4. Trap: the next incremental was chosen by a map's iteration order."""
    bench = a_finalizing_coordinator(a_topology(a_table(incrementals=tuple(range(20))), last=19))

    order = [r.incremental for r in bench.history if isinstance(r, IncrementalStarted)]
    assert order == list(range(20))


def test_an_incremental_that_changed_no_table_completes_at_once():
    """C6."""
    bench = a_coordinator(a_topology(a_table(incrementals=(0, 3)), last=3))
    bench.succeed(0)

    ready = seal_all(bench)

    assert [r.incremental for r in records_of(ready, IncrementalCompleted)] == [0, 1, 2]
    assert started(ready) == [(3, SOURCES[0], 1), (3, SOURCES[1], 1)]


def test_only_tables_changed_by_the_incremental_are_scanned_and_sealed():
    bench = a_coordinator(a_topology(a_table(), a_table("users", (0, 2)), last=2))
    bench.succeed(0)

    ready = seal_all(bench)

    assert started(ready) == [(1, SOURCES[0], 1), (1, SOURCES[1], 1)]
    assert [receiver for receiver, _ in bench.succeed(1).messages] == list(TARGETS)


def test_all_tables_of_one_incremental_are_awaited():
    bench = a_coordinator(a_topology(a_table(), a_table("users"), last=2))
    bench.is_told(bench.report(SOURCES[0]))
    bench.is_told(bench.report(SOURCES[1]))
    bench.is_told(bench.report("users/s0"))

    assert bench.core.waiting().waiters[0].shard == "users/s1"
    assert len(of_kind(bench.is_told(bench.report("users/s1")), SealIncremental)) == 4


# --- Reports.


def test_a_report_is_recorded_before_anything_follows_from_it():
    """D1: record and consequence leave in one step, the record first."""
    bench = a_coordinator()

    ready = bench.is_told(bench.report(evidence=SENT))

    (record,) = records_of(ready, ScanReported)
    assert (record.scan, record.evidence, record.status) == (scan_id(), SENT, Status.SUCCESS)


FOREIGN = {
    "of another restore": {"restore": "restore-2"},
    "of another incremental": {"incremental": 1},
    "of another attempt": {"attempt": 2},
    "of another shard": {"source": "orders/s9"},
}


@pytest.mark.parametrize("why", FOREIGN)
def test_a_report_that_names_something_else_is_counted_and_dropped(why):
    """S2. Trap: a notification was accepted without comparing its incremental."""
    bench = a_coordinator()
    report = bench.report()
    scan = scan_id(**FOREIGN[why])
    foreign = type(report)(scan, 1, Status.SUCCESS, 0, (), "")

    ready = bench.hears(scan.source, foreign)

    assert ready.records == ready.messages == ()
    assert bench.core.dropped == {why: 1}


def test_a_report_of_another_generation_is_dropped():
    """S1."""
    bench = a_coordinator().restarted()
    bench.event()

    bench.is_told(bench.report(generation=1))

    assert bench.core.dropped == {"of another generation": 1}


def test_a_report_sent_by_somebody_else_than_its_shard_is_dropped():
    bench = a_coordinator()

    bench.hears(SOURCES[1], bench.report(SOURCES[0]))

    assert bench.core.dropped == {"of another shard": 1}


def test_the_first_terminal_report_of_an_attempt_wins():
    """C4: a success after a failure cannot mask it."""
    bench = a_coordinator()
    bench.is_told(bench.fails())

    ready = bench.is_told(bench.report())

    assert records_of(ready, ScanReported) == []
    assert bench.core.dropped == {"of another attempt": 1}


def test_a_failure_after_a_success_changes_nothing():
    """C4, E5."""
    bench = a_coordinator()
    bench.is_told(bench.report())

    ready = bench.is_told(bench.fails(status=Status.FATAL))

    assert ready.records == ()
    assert bench.core.state is RestoreState.RUNNING


def test_a_doubled_report_of_an_earlier_incremental_does_not_count_for_this_one():
    """Trap: increment k's doubled notice during k + 1."""
    bench = a_coordinator()
    bench.succeed(0)
    seal_all(bench)

    bench.is_told(bench.report(SOURCES[0], incremental=0))

    assert len(bench.core.waiting().waiters) == 2


@pytest.mark.parametrize("status", [Status.TRANSIENT, Status.FATAL])
def test_a_failure_never_counts_as_done(status):
    """C2, C3. Trap: a shard was counted done whatever its status."""
    bench = a_coordinator()
    bench.is_told(bench.report(SOURCES[1]))

    ready = bench.is_told(bench.fails(status=status))

    assert of_kind(ready, SealIncremental) == []


def test_silence_is_never_success():
    """C3: hours without a word only repeat the question."""
    bench = a_coordinator()
    for _ in range(100):
        ready = bench.event(after=60 * SECOND)

    assert started(ready) == [(0, SOURCES[0], 1), (0, SOURCES[1], 1)]
    assert bench.core.state is RestoreState.RUNNING


@pytest.mark.parametrize(
    ("evidence", "rows", "says"),
    [
        (SENT, 8, "8 rows were scanned but 7 rows were sent"),
        ((Evidence("users/t0", 3, 1, 5),), 3, "evidence names users/t0"),
        ((SENT[0], SENT[0]), 6, "expected each target at most once"),
    ],
)
def test_a_success_whose_evidence_does_not_add_up_fails_the_restore(evidence, rows, says):
    """C1, T2."""
    bench = a_coordinator()

    ready = bench.is_told(bench.report(evidence=evidence, rows=rows))

    (failed,) = records_of(ready, RestoreFailed)
    assert says in failed.reason


def test_messages_that_are_nothing_for_a_coordinator_are_counted():
    bench = a_coordinator()

    bench.hears(SOURCES[0], StartScan(scan_id(), 1))

    assert bench.core.dropped == {"StartScan is nothing for a coordinator": 1}


# --- Asking.


def test_a_silent_shard_is_asked_again_every_second():
    """L2: a request accepted and dropped must not leave the coordinator waiting for ever."""
    bench = a_coordinator()
    bench.hears(SOURCES[0], bench.sample(), after=SECOND // 2)

    assert started(bench.event(after=SECOND // 2)) == [(0, SOURCES[1], 1)]


def test_a_shard_that_tells_of_progress_is_left_alone():
    bench = a_coordinator()
    asked = []
    for _ in range(40):
        bench.hears(SOURCES[1], bench.sample(SOURCES[1]))
        ready = bench.hears(SOURCES[0], bench.sample(), after=SECOND // 4)
        asked += started(ready)

    assert asked == []


def test_at_most_so_many_scans_are_in_flight_and_each_report_lets_one_follow():
    """R1."""
    bench = CoordinatorBench(a_topology(a_table(), a_table("users"), last=2), scans_in_flight=2)
    assert started(bench.event()) == [(0, SOURCES[0], 1), (0, SOURCES[1], 1)]

    assert started(bench.is_told(bench.report())) == [(0, "users/s0", 1)]


def test_a_new_cap_holds_for_the_next_scan_asked():
    """R1: raising it starts more at once, lowering it stops nothing under way."""
    bench = CoordinatorBench(a_topology(a_table(), a_table("users"), last=2), scans_in_flight=1)
    assert len(started(bench.event())) == 1

    assert len(started(bench.event(OperatorAsked("cap", 3)))) == 2
    assert started(bench.event(OperatorAsked("cap", 1))) == []
    assert bench.core.in_flight == 3
    assert started(bench.is_told(bench.report())) == []


def test_a_cap_of_minus_one_is_no_bound():
    bench = CoordinatorBench(a_topology(a_table(), a_table("users"), last=2), scans_in_flight=-1)

    assert len(started(bench.event())) == 4


def test_a_senseless_cap_is_refused():
    bench = a_coordinator()
    bench.event(OperatorAsked("cap", 0))

    assert bench.core.dropped == {"operator: cannot cap now": 1}


# --- Failures.


def test_only_the_failed_scan_is_tried_again_after_its_backoff():
    bench = a_coordinator()
    ready = bench.is_told(bench.fails())
    (retry,) = records_of(ready, RetryScheduled)
    assert (retry.scan, retry.retries) == (scan_id(attempt=2), 1)

    early = bench.hears(SOURCES[1], bench.sample(SOURCES[1]), after=1 * SECOND)
    assert started(early) == []
    bench.hears(SOURCES[1], bench.sample(SOURCES[1]), after=1 * SECOND)
    assert started(bench.event(after=SECOND // 2)) == [(0, SOURCES[0], 2)]


def test_the_wake_up_is_not_later_than_the_next_retry():
    bench = a_coordinator(repeat_ns=60 * SECOND)

    ready = bench.is_told(bench.fails())

    assert 2 * SECOND <= ready.wake_at <= 2.5 * SECOND


def test_backoff_doubles_up_to_eight_seconds_with_at_most_a_quarter_more():
    bench = a_coordinator()
    waits = []
    for attempt in range(1, 6):
        ready = bench.is_told(bench.fails(attempt=attempt))
        (retry,) = records_of(ready, RetryScheduled)
        waits.append(retry.not_before - (WALL + bench.now))
        bench.event(after=waits[-1])

    for wait, base in zip(waits, [2, 4, 8, 8, 8], strict=True):
        assert base * SECOND <= wait <= base * SECOND * 5 // 4


def test_a_spent_budget_pauses_the_restore_and_says_why():
    """L5: not a rollback, and never a silent hang."""
    bench = a_coordinator(retries_max=2)
    for attempt in (1, 2):
        bench.is_told(bench.fails(attempt=attempt))
        bench.event(after=20 * SECOND)

    ready = bench.is_told(bench.fails(attempt=3))

    (paused,) = records_of(ready, RestorePaused)
    assert paused.reason == (
        "incremental 0: orders/s0, attempt 3, failed 3 times without progress; "
        "the last time: the disk hiccups"
    )
    assert bench.core.state is RestoreState.PAUSED
    assert ready.wake_at is None


def test_the_budget_is_fresh_after_progress():
    bench = a_coordinator(retries_max=1)
    for attempt in range(1, 10):
        bench.is_told(bench.fails(attempt=attempt, rows=attempt * 10))
        bench.event(after=20 * SECOND)

    assert bench.core.state is RestoreState.RUNNING
    bench.is_told(bench.fails(attempt=10, rows=90))
    bench.event(after=20 * SECOND)
    bench.is_told(bench.fails(attempt=11, rows=90))
    assert bench.core.state is RestoreState.PAUSED


def test_a_fatal_failure_fails_at_once_and_tells_all_to_stop():
    """L4, L5: whatever is left of the budget."""
    bench = a_coordinator()

    ready = bench.is_told(bench.fails(status=Status.FATAL, error="wrong checksum"))

    (failed,) = records_of(ready, RestoreFailed)
    assert failed.reason == "incremental 0: orders/s0, attempt 1, failed: wrong checksum"
    stopped = [receiver for receiver, m in ready.messages if isinstance(m, CancelRestore)]
    assert stopped == [*SOURCES, *TARGETS]


def test_whoever_speaks_to_an_ended_restore_is_told_to_stop():
    """R6: how a lost CancelRestore heals."""
    bench = a_coordinator()
    bench.is_told(bench.fails(status=Status.FATAL))

    ready = bench.hears(SOURCES[1], bench.sample(SOURCES[1]))

    assert ready.messages == ((SOURCES[1], CancelRestore(RESTORE, 1)),)
    assert bench.hears(TARGETS[0], refusal(bench, Reason.STALE_GENERATION)).messages == ()


@pytest.mark.parametrize(
    "reason",
    [
        Reason.UNKNOWN_RESTORE,
        Reason.UNKNOWN_SHARD,
        Reason.STALE_INCREMENTAL,
        Reason.STALE_ATTEMPT,
    ],
)
def test_a_shard_that_will_never_do_the_awaited_scan_fails_the_restore(reason):
    """It is not the one meant, or it knows of more than our history: parts of that are lost."""
    bench = a_coordinator()

    bench.hears(SOURCES[0], refusal(bench, reason, scan_id()))

    assert bench.core.state is RestoreState.FAILED
    assert f"{reason.value}: because" in bench.core.reason


def test_a_refusal_of_an_attempt_that_is_over_changes_nothing():
    bench = a_coordinator()
    bench.is_told(bench.fails())

    bench.hears(SOURCES[0], refusal(bench, Reason.STALE_ATTEMPT, scan_id(attempt=1)))

    assert bench.core.state is RestoreState.RUNNING


def test_a_coordinator_that_was_overtaken_falls_silent():
    """S5: it writes nothing more, for the log belongs to the newer one."""
    bench = a_coordinator()

    ready = bench.hears(SOURCES[0], refusal(bench, Reason.STALE_GENERATION, scan_id()))

    assert ready.records == ready.messages == ()
    assert ready.wake_at is None
    assert bench.core.state is RestoreState.PAUSED
    assert "another coordinator has taken over" in bench.core.explain(bench.now)
    assert bench.event(OperatorAsked("resume")).records == ()


def test_a_coordinator_that_is_overtaken_while_it_publishes_records_nothing_more():
    """S9: whoever has taken over will record it; the tables are the same."""
    bench = a_finalizing_coordinator()
    finalize_all(bench)

    told = bench.hears(TARGETS[0], refusal(bench, Reason.STALE_GENERATION))
    done = bench.event(TablesPublished())

    assert told.records == done.records == told.messages == done.messages == ()
    assert bench.core.state is RestoreState.PAUSED
    assert "another coordinator has taken over" in bench.core.reason


def test_a_refusal_that_comes_after_the_restore_is_completed_changes_nothing():
    bench = a_finalizing_coordinator()
    finalize_all(bench)
    bench.event(TablesPublished())

    bench.hears(TARGETS[0], refusal(bench, Reason.STALE_GENERATION))

    assert bench.core.state is RestoreState.COMPLETED


def test_a_late_refusal_that_names_another_incremental_silences_an_overtaken_coordinator():
    """S9: what the refused question was about does not matter, only who asked it."""
    bench = a_sealing_coordinator()

    ready = bench.hears(TARGETS[0], refusal(bench, Reason.STALE_GENERATION, incremental=7))

    assert ready.messages == ()
    assert ready.wake_at is None
    assert bench.core.state is RestoreState.PAUSED


# --- Seals.


def test_each_target_is_told_what_it_was_sent():
    bench = a_coordinator()
    bench.is_told(bench.report(evidence=SENT))

    ready = bench.is_told(bench.report(SOURCES[1]))

    assert {receiver: m.sent for receiver, m in ready.messages} == OWED


def test_a_seal_that_differs_from_the_evidence_fails_the_restore():
    """C1, T2: sent must equal applied."""
    bench = a_sealing_coordinator()

    ready = bench.hears(TARGETS[0], sealed(bench, ()))

    assert "orders/t0 has sealed 0 rows" in records_of(ready, RestoreFailed)[0].reason
    assert records_of(ready, TargetSealed) == []


def test_a_refused_seal_fails_the_restore_with_the_targets_sentence():
    bench = a_sealing_coordinator()

    bench.hears(TARGETS[0], refusal(bench, Reason.EVIDENCE_MISMATCH))

    assert bench.core.reason == "orders/t0: evidence mismatch: because"


def test_a_seal_is_asked_for_until_it_is_answered():
    bench = a_sealing_coordinator()
    bench.hears(TARGETS[0], sealed(bench, OWED[TARGETS[0]]))

    ready = bench.event(after=2 * SECOND)

    assert [receiver for receiver, _ in ready.messages] == [TARGETS[1]]


def test_a_doubled_seal_changes_nothing():
    bench = a_sealing_coordinator()
    bench.hears(TARGETS[0], sealed(bench, OWED[TARGETS[0]]))

    assert bench.hears(TARGETS[0], sealed(bench, OWED[TARGETS[0]])).records == ()


def test_seals_of_another_incremental_or_shard_are_dropped():
    bench = a_sealing_coordinator()

    bench.hears(TARGETS[0], sealed(bench, OWED[TARGETS[0]], incremental=1))
    bench.hears("users/t0", sealed(bench))

    assert bench.core.dropped == {"of another incremental": 1, "of another shard": 1}


def test_a_target_whose_storage_fails_now_is_asked_again_later_and_then_pauses():
    bench = a_sealing_coordinator(retries_max=1)
    first = bench.hears(TARGETS[0], refusal(bench, Reason.STORAGE_FAILED))
    assert first.records == ()
    bench.hears(TARGETS[1], sealed(bench, OWED[TARGETS[1]]))

    assert of_kind(bench.event(after=3 * SECOND), SealIncremental) != []
    ready = bench.hears(TARGETS[0], refusal(bench, Reason.STORAGE_FAILED))
    assert records_of(ready, RestorePaused)[0].reason == (
        "orders/t0: storage failed: because (2 times)"
    )


def test_corrupted_storage_of_a_target_fails_the_restore_in_any_phase():
    scanning, sealing = a_coordinator(), a_sealing_coordinator()

    for bench in (scanning, sealing):
        bench.hears(TARGETS[0], refusal(bench, Reason.STORAGE_CORRUPTED))
        assert bench.core.reason == "orders/t0: storage corrupted: because"


# --- The end.


def test_final_rows_are_asked_for_after_the_last_incremental():
    bench = a_coordinator(a_topology(last=0))
    bench.succeed(0)

    ready = seal_all(bench)

    assert len(records_of(ready, FinalizingStarted)) == 1
    assert [receiver for receiver, m in ready.messages if isinstance(m, Finalize)] == list(TARGETS)
    assert bench.core.state is RestoreState.FINALIZING


def test_tables_are_published_when_every_target_has_its_final_rows_and_completed_after_that():
    """C5."""
    bench = a_finalizing_coordinator()

    ready = finalize_all(bench)

    assert ready.effects == (PublishTables(),)
    assert len(records_of(ready, TargetFinalized)) == 1
    assert bench.core.state is RestoreState.FINALIZING
    done = bench.event(TablesPublished())
    assert len(records_of(done, RestoreCompleted)) == 1
    assert done.wake_at is None


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        ({"rows": 11, "digest": 12}, "table orders: expected 11 rows, got 10"),
        ({"rows": 10, "digest": 13}, "table orders: expected state digest 000000000000000d"),
    ],
)
def test_a_table_that_differs_from_what_the_chain_promises_is_not_published(expected, says):
    """T2."""
    topology = a_topology(a_table(incrementals=(0,), **expected), last=0)
    bench = a_finalizing_coordinator(topology)

    ready = finalize_all(bench)

    assert ready.effects == ()
    assert records_of(ready, RestoreFailed)[0].reason.startswith(says)


def test_digests_add_up_modulo_two_to_the_64():
    table = a_table(incrementals=(0,), rows=10, digest=4)
    bench = a_finalizing_coordinator(a_topology(table, last=0))

    assert finalize_all(bench, digest=(1 << 63) + 2).effects == (PublishTables(),)


def test_tables_that_cannot_be_published_pause_the_restore_and_a_resume_tries_again():
    bench = a_finalizing_coordinator()
    finalize_all(bench)

    paused = bench.event(PublishFailed("no space"))
    assert "could not be published: no space" in records_of(paused, RestorePaused)[0].reason

    assert bench.event(OperatorAsked("resume")).effects == (PublishTables(),)


def test_final_rows_that_can_never_be_made_fail_the_restore():
    bench = a_finalizing_coordinator()

    bench.hears(TARGETS[0], refusal(bench, Reason.FINALIZE_FAILED))

    assert bench.core.reason == "orders/t0: finalize failed: because"


# --- The operator.


def test_a_pause_asks_for_nothing_new_but_keeps_what_is_reported():
    bench = a_coordinator(scans_in_flight=1)
    bench.event(OperatorAsked("pause"))

    ready = bench.is_told(bench.report(), after=5 * SECOND)

    assert len(records_of(ready, ScanReported)) == 1
    assert ready.messages == ()
    assert started(bench.event(OperatorAsked("resume"))) == [(0, SOURCES[1], 1)]


def test_a_scan_that_failed_during_a_pause_is_tried_again_at_once_when_resumed():
    bench = a_coordinator()
    bench.event(OperatorAsked("pause"))
    bench.is_told(bench.fails())

    ready = bench.event(OperatorAsked("resume"))

    assert (0, SOURCES[0], 2) in started(ready)
    assert records_of(ready, RetryScheduled)[0].retries == 0


def test_a_failed_restore_resumes_under_a_new_generation():
    """Everyone was told to stop under the old one."""
    bench = a_coordinator()
    bench.is_told(bench.fails(status=Status.FATAL))

    ready = bench.event(OperatorAsked("resume"))

    assert [m.generation for m in of_kind(ready, StartScan)] == [2, 2]
    assert started(ready) == [(0, SOURCES[1], 1), (0, SOURCES[0], 2)]


def test_a_cancel_ends_the_restore_for_good_and_tells_all():
    """L8."""
    bench = a_coordinator()

    ready = bench.event(OperatorAsked("cancel"))

    assert len(records_of(ready, RestoreCancelled)) == 1
    assert len(of_kind(ready, CancelRestore)) == 4
    assert ready.wake_at is None
    assert bench.event(OperatorAsked("resume")).records == ()


def test_a_restore_whose_tables_may_be_visible_can_no_longer_be_cancelled():
    bench = a_finalizing_coordinator()
    finalize_all(bench)

    ready = bench.event(OperatorAsked("cancel"))

    assert ready.records == ()
    assert bench.event(TablesPublished()).records != ()


def test_a_restore_published_during_a_pause_is_completed_all_the_same():
    bench = a_finalizing_coordinator()
    finalize_all(bench)
    bench.event(OperatorAsked("pause"))

    bench.event(TablesPublished())

    assert bench.core.state is RestoreState.COMPLETED


def test_an_unknown_wish_changes_nothing():
    bench = a_coordinator()

    ready = bench.event(OperatorAsked("explode"))

    assert ready.records == ()
    assert bench.core.dropped == {"operator: cannot explode now": 1}


def test_a_completed_restore_stays_completed_whatever_comes():
    bench = a_finalizing_coordinator()
    finalize_all(bench)
    bench.event(TablesPublished())

    for event in (OperatorAsked("cancel"), OperatorAsked("resume"), PublishFailed("late")):
        assert bench.event(event).records == ()
    late = ScanId(RESTORE, 0, SOURCES[0], 1)
    assert bench.hears(SOURCES[0], refusal(bench, Reason.STALE_ATTEMPT, late)).messages == ()
    assert bench.core.state is RestoreState.COMPLETED
