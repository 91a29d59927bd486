"""The barrier that explains itself, word for word."""

from __future__ import annotations

from increstore.protocol.barrier import Question
from increstore.protocol.messages import Reason, Status
from increstore.protocol.ready import OperatorAsked, TablesPublished

from .builders import MS, SECOND, SOURCES, TARGETS, CoordinatorBench, a_table, a_topology
from .test_coordinator import (
    OWED,
    a_coordinator,
    a_finalizing_coordinator,
    a_sealing_coordinator,
    finalize_all,
    refusal,
    sealed,
)


def says(bench, after=0) -> str:
    return bench.core.explain(bench.now + after)


def test_a_shard_never_heard_is_named_with_the_time_since_it_was_asked():
    bench = a_coordinator()

    assert says(bench, after=2500 * MS) == (
        "incremental 0 waits for orders/s0: asked 2.5 s ago, not heard yet, attempt 1; "
        "and for 1 other"
    )


def test_a_living_shard_is_named_with_what_its_targets_owe():
    bench = a_coordinator()
    bench.is_told(bench.report(SOURCES[0]))
    bench.hears(SOURCES[1], bench.sample(SOURCES[1], unapplied=((TARGETS[0], 1), (TARGETS[1], 3))))

    assert says(bench, after=4 * SECOND + 100 * MS) == (
        "incremental 0 waits for orders/s1: last heard 4.1 s ago, attempt 1, "
        "3 batches not applied by t1 and more by 1 other target (1 of 2 scans have ended)"
    )


def test_a_failed_shard_is_named_with_its_attempt_next_retry_and_error():
    bench = a_coordinator()
    bench.is_told(bench.report(SOURCES[1]))
    bench.is_told(bench.fails())
    waiter = bench.core.waiting().waiters[0]

    sentence = says(bench, after=SECOND)

    assert sentence.startswith(
        "incremental 0 waits for orders/s0: last heard 1.0 s ago, attempt 2, next retry in 1."
    )
    assert sentence.endswith("last error: the disk hiccups (1 of 2 scans have ended)")
    assert 2 * SECOND <= waiter.next_retry_at <= 2.5 * SECOND


def test_the_longest_silent_is_named_first_and_the_others_are_counted():
    bench = a_coordinator(a_topology(a_table(), a_table("users"), last=2))
    bench.hears(SOURCES[0], bench.sample(), after=SECOND)
    bench.hears("users/s1", bench.sample("users/s1"), after=SECOND)

    assert [w.shard for w in bench.core.waiting().waiters] == [
        "orders/s1",
        "users/s0",
        "orders/s0",
        "users/s1",
    ]
    assert says(bench).endswith("attempt 1; and for 3 others")


def test_a_shard_beyond_the_cap_is_named_last_and_as_not_asked():
    bench = CoordinatorBench(scans_in_flight=1)
    bench.event()

    last = bench.core.waiting().waiters[-1]

    assert (last.shard, last.asked_at) == (SOURCES[1], None)
    assert last.describe(bench.now) == "not asked yet, attempt 1"


def test_seals_are_explained_with_the_last_refusal():
    bench = a_sealing_coordinator()
    bench.hears(TARGETS[0], sealed(bench, OWED[TARGETS[0]]))
    assert says(bench, after=SECOND) == (
        "incremental 0 waits for orders/t1 to seal: asked 1.0 s ago, not heard yet "
        "(1 of 2 targets have sealed)"
    )

    bench.hears(TARGETS[1], refusal(bench, Reason.STORAGE_FAILED))
    assert "last error: storage failed: because" in says(bench)


def test_finalizing_and_publishing_are_explained():
    bench = a_finalizing_coordinator()
    assert says(bench) == (
        "finalizing waits for orders/t0 to make its final rows: asked 0.0 s ago, not heard yet; "
        "and for 1 other"
    )

    finalize_all(bench)
    assert says(bench) == (
        "every target has its final rows; waiting for the tables to become visible"
    )
    assert bench.core.waiting().question is Question.PUBLISH


def test_the_end_is_explained_with_its_reason():
    done, failed, paused = a_finalizing_coordinator(), a_coordinator(), a_coordinator()
    finalize_all(done)
    done.event(TablesPublished())
    failed.is_told(failed.fails(status=Status.FATAL, error="wrong checksum"))
    paused.event(OperatorAsked("pause"))

    assert says(done) == "the restore is completed; nothing is awaited"
    assert says(failed) == (
        "the restore has failed: incremental 0: orders/s0, attempt 1, failed: wrong checksum"
    )
    assert says(paused) == ("the restore is paused: the operator asked for it")


def test_a_restore_that_has_not_begun_waits_for_nobody():
    assert says(CoordinatorBench()) == "the restore waits for nobody"
