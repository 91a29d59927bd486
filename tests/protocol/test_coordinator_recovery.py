"""A coordinator that is started again stands where its durable history stands."""

from __future__ import annotations

import pytest

from increstore.errors import StorageCorrupted, TargetRefused
from increstore.protocol.coordinator import Coordinator, CoordinatorConfig, RestoreState
from increstore.protocol.messages import (
    Finalized,
    SealIncremental,
    StartScan,
    Status,
)
from increstore.protocol.plain import from_plain, to_plain
from increstore.protocol.ready import OperatorAsked, PublishTables, TablesPublished
from increstore.protocol.records import (
    GenerationStarted,
    IncrementalCompleted,
    IncrementalStarted,
    RestoreAccepted,
    RestoreCompleted,
    RestoreFailed,
    RestoreResumed,
    RetryScheduled,
)

from .builders import RESTORE, SECOND, SOURCES, TARGETS, WALL, CoordinatorBench, of_kind, records_of
from .test_coordinator import (
    a_coordinator,
    a_finalizing_coordinator,
    finalize_all,
    seal_all,
    sealed,
    started,
)


def test_every_start_is_a_new_generation():
    bench = a_coordinator()
    for _ in range(3):
        bench = bench.restarted()
        bench.event()

    assert bench.core.generation == 4
    assert [r.generation for r in bench.history if isinstance(r, GenerationStarted)] == [1, 2, 3, 4]
    assert len([r for r in bench.history if isinstance(r, RestoreAccepted)]) == 1


def test_a_report_that_is_durable_is_never_asked_for_again():
    """D4: a shard that reported before the crash does not scan again."""
    bench = a_coordinator()
    bench.is_told(bench.report(SOURCES[0]))

    assert started(bench.restarted().event()) == [(0, SOURCES[1], 1)]


def test_completed_incrementals_are_not_started_again():
    """O4, D4."""
    bench = a_coordinator()
    bench.succeed(0)
    seal_all(bench)

    ready = bench.restarted().event()

    assert records_of(ready, IncrementalStarted) == []
    assert started(ready) == [(1, SOURCES[0], 1), (1, SOURCES[1], 1)]


def test_attempt_backoff_and_budget_survive():
    """D8: a restart neither resets nor double-counts them."""
    bench = a_coordinator(retries_max=1)
    bench.is_told(bench.fails())
    again = bench.restarted(retries_max=1)
    assert started(again.event()) == [(0, SOURCES[1], 1)]
    assert (0, SOURCES[0], 2) not in started(again.event(after=SECOND))

    assert (0, SOURCES[0], 2) in started(again.event(after=2 * SECOND))
    again.is_told(again.fails(attempt=2))
    assert again.core.state is RestoreState.PAUSED


def test_time_spent_down_counts_for_the_backoff():
    bench = a_coordinator()
    bench.is_told(bench.fails())

    assert (0, SOURCES[0], 2) in started(bench.restarted(down_ns=60 * SECOND).event())


def test_a_wall_clock_set_back_cannot_hold_a_retry_for_longer_than_the_longest_backoff():
    bench = a_coordinator()
    bench.is_told(bench.fails())
    year = 365 * 86_400 * SECOND
    again = CoordinatorBench(bench.topology, bench.history, 0, wall=WALL - year)
    again.event()

    assert (0, SOURCES[0], 2) in started(again.event(after=10 * SECOND))


def test_a_failure_recorded_just_before_the_crash_is_settled_after_it():
    bench = a_coordinator()
    ready = bench.is_told(bench.fails())
    assert len(ready.records) == 2
    bench.history.pop()  # The crash came between the report and the retry.

    (retry,) = records_of(bench.restarted().event(), RetryScheduled)

    assert (retry.scan.attempt, retry.retries) == (2, 1)


def test_a_fatal_failure_recorded_just_before_the_crash_still_fails():
    """YDB 40685: late success after failure and reboot."""
    bench = a_coordinator()
    bench.is_told(bench.fails(status=Status.FATAL))
    assert isinstance(bench.history.pop(), RestoreFailed)

    again = bench.restarted()
    ready = again.event()

    assert len(records_of(ready, RestoreFailed)) == 1
    assert started(ready) == []


@pytest.mark.parametrize("status", [Status.TRANSIENT, Status.FATAL])
def test_the_same_command_over_a_paused_or_failed_restore_tries_the_failed_scan_once_more(status):
    bench = a_coordinator(retries_max=0)
    bench.is_told(bench.report(SOURCES[1]))
    bench.is_told(bench.fails(status=status))
    assert bench.core.state in (RestoreState.PAUSED, RestoreState.FAILED)

    ready = bench.restarted(retries_max=0).event()

    assert len(records_of(ready, RestoreResumed)) == 1
    assert started(ready) == [(0, SOURCES[0], 2)]


def test_a_crash_right_after_resuming_does_not_forget_that_a_person_resumed():
    bench = a_coordinator()
    bench.is_told(bench.fails(status=Status.FATAL))
    again = bench.restarted()
    again.event()
    while not isinstance(again.history[-1], RestoreResumed):
        again.history.pop()

    assert (0, SOURCES[0], 2) in started(again.restarted().event())


def test_seals_go_on_with_the_targets_that_are_missing():
    bench = a_coordinator()
    bench.succeed(0)
    bench.hears(TARGETS[0], sealed(bench))

    ready = bench.restarted().event()

    assert [r for r, m in ready.messages if isinstance(m, SealIncremental)] == [TARGETS[1]]
    assert of_kind(ready, StartScan) == []


def test_an_incremental_whose_last_seal_was_recorded_just_before_the_crash_completes():
    bench = a_coordinator()
    bench.succeed(0)
    seal_all(bench)
    while not isinstance(bench.history[-1], IncrementalCompleted):
        bench.history.pop()
    bench.history.pop()

    ready = bench.restarted().event()

    assert [type(r) for r in ready.records][1:] == [IncrementalCompleted, IncrementalStarted]


def test_finalizing_goes_on_with_the_targets_that_are_missing():
    bench = a_finalizing_coordinator()
    bench.hears(TARGETS[1], Finalized(RESTORE, 1, 5, 6))

    ready = bench.restarted().event()

    assert [receiver for receiver, _ in ready.messages] == [TARGETS[0]]


def test_tables_are_published_again_when_it_is_not_known_that_they_were():
    bench = a_finalizing_coordinator()
    finalize_all(bench)
    again = bench.restarted()

    assert again.event().effects == (PublishTables(),)
    assert len(records_of(again.event(TablesPublished()), RestoreCompleted)) == 1


@pytest.mark.parametrize("ending", ["completed", "cancelled"])
def test_what_has_ended_stays_so_over_restarts(ending):
    bench = a_finalizing_coordinator()
    if ending == "completed":
        finalize_all(bench)
        bench.event(TablesPublished())
    else:
        bench.event(OperatorAsked("cancel"))
    again = bench.restarted()
    assert again.core.state.value == ending

    ready = again.event()

    assert ready.records == ready.messages == ready.effects == ()
    assert again.core.state.value == ending


def test_every_prefix_of_a_history_converges():
    """The coordinator crashes after each single record, and each time comes to the same end."""
    whole = a_finalizing_coordinator(a_coordinator().topology)
    finalize_all(whole)
    whole.event(TablesPublished())
    assert whole.core.state is RestoreState.COMPLETED

    for prefix in range(len(whole.history)):
        bench = whole.restarted(prefix=prefix)
        bench.event()
        _answer_everything(bench)
        assert bench.core.state is RestoreState.COMPLETED, f"after {prefix} records"


def _answer_everything(bench) -> None:
    """Shards that answer whatever the barrier says is awaited."""
    for _ in range(40):
        report = bench.core.waiting()
        if report.question.value == "publish":
            bench.event(TablesPublished())
        for waiter in report.waiters:
            if waiter.scan is not None:
                bench.is_told(bench.report(waiter.shard, report.incremental))
            elif report.question.value == "seal":
                bench.hears(waiter.shard, sealed(bench, incremental=report.incremental))
            else:
                bench.hears(waiter.shard, Finalized(RESTORE, bench.core.generation, 5, 6))


def test_a_history_survives_being_written_down():
    bench = a_finalizing_coordinator()

    read_back = [from_plain(to_plain(record)) for record in bench.history]

    assert read_back == bench.history


def test_another_plan_may_not_continue_a_history():
    """Trap: resume with a different target or chain must be refused."""
    bench = a_coordinator()

    with pytest.raises(TargetRefused, match=r"another plan .* nothing was changed"):
        Coordinator(bench.topology, CoordinatorConfig(), bench.history, 0, WALL, "plan-2")


def test_a_history_that_cannot_have_happened_is_called_damaged():
    """D5: never silently believed."""
    bench = a_coordinator()
    bench.history.append(IncrementalStarted(2, WALL))

    with pytest.raises(StorageCorrupted, match="cannot follow what is recorded before it"):
        bench.restarted()


# --- Deadlines.


def test_an_overall_deadline_pauses_and_says_that_it_was_the_deadline():
    bench = a_coordinator(overall_deadline_ns=90 * SECOND)
    bench.event(after=89 * SECOND)
    assert bench.core.state is RestoreState.RUNNING

    ready = bench.event(after=SECOND)

    assert ready.messages == ()
    assert bench.core.deadline_passed
    assert bench.core.reason.startswith("deadline: the restore has run for 90.0 s (limit 90 s); ")


def test_a_pause_by_a_deadline_names_the_shard_that_was_awaited():
    """L5: found by a permanent cut between one shard and the coordinator."""
    bench = a_coordinator(stage_deadline_ns=60 * SECOND)
    bench.is_told(bench.report())

    bench.event(after=60 * SECOND)

    assert bench.core.reason == (
        "deadline: incremental 0 has run for 60.0 s (limit 60 s); incremental 0 waits for "
        "orders/s1: asked 60.0 s ago, not heard yet, attempt 1 (1 of 2 scans have ended)"
    )


def test_a_deadline_that_passed_while_nobody_ran_names_the_shard_too():
    bench = a_coordinator(stage_deadline_ns=60 * SECOND)
    bench.is_told(bench.report())

    again = bench.restarted(down_ns=70 * SECOND, stage_deadline_ns=60 * SECOND)
    ready = again.event()

    assert ready.messages == ()
    assert again.core.reason.endswith(
        "incremental 0 waits for orders/s1: not asked yet, attempt 1 (1 of 2 scans have ended)"
    )


def test_the_wake_up_is_not_later_than_the_deadline():
    bench = CoordinatorBench(overall_deadline_ns=SECOND // 3)

    assert bench.event().wake_at == SECOND // 3


def test_an_overall_deadline_survives_restarts():
    """D8: a loop of crashes cannot defeat it."""
    bench = a_coordinator(overall_deadline_ns=90 * SECOND)
    for _ in range(3):
        bench = bench.restarted(down_ns=29 * SECOND, overall_deadline_ns=90 * SECOND)
        bench.event()
    assert bench.core.state is RestoreState.RUNNING

    bench.event(after=3 * SECOND)

    assert bench.core.deadline_passed


def test_a_stage_deadline_begins_anew_with_each_incremental():
    bench = a_coordinator(stage_deadline_ns=60 * SECOND)
    bench.event(after=50 * SECOND)
    bench.succeed(0)
    seal_all(bench)
    bench.event(after=50 * SECOND)
    assert bench.core.state is RestoreState.RUNNING

    bench.event(after=10 * SECOND)

    assert bench.core.reason.startswith("deadline: incremental 1 has run for 60.0 s")


def test_a_person_who_resumes_gives_the_full_time_again():
    bench = a_coordinator(overall_deadline_ns=60 * SECOND)
    bench.event(after=60 * SECOND)
    again = bench.restarted(down_ns=3600 * SECOND, overall_deadline_ns=60 * SECOND)
    again.event()

    again.event(after=59 * SECOND)

    assert again.core.state is RestoreState.RUNNING
