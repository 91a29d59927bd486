"""What is told of events and records: names are a contract, and people get whole sentences."""

from __future__ import annotations

from typing import get_args

import pytest

from increstore.cli.display import state_told
from increstore.cli.facts import FactLines, fact_line
from increstore.journal import Journal, JournalEvent
from increstore.protocol import records as r
from increstore.protocol.coordinator import RestoreState
from increstore.protocol.messages import Reason, Refused, ScanId, ScanProgress, Status
from increstore.protocol.ready import PageFailed, Received, StoreFailed, TimePassed
from increstore.runtime.narrate import narrate_event, narrate_records
from increstore.runtime.progress import RestoreProgress
from increstore.runtime.restore import Outcome

from .test_progress import Plan

SCAN = ScanId("r1", 3, "orders/s0", 2)


def _told(event) -> list[tuple[str, dict]]:
    told, journal = [], Journal()
    journal.subscribe(lambda found: told.append((found.name, found.facts)))
    narrate_event(journal, "coordinator", event)
    return told


def _recorded(record) -> tuple[str, dict]:
    told, journal = [], Journal()
    journal.subscribe(lambda found: told.append((found.name, found.facts)))
    narrate_records(journal, "coordinator", [record])
    return told[0]


def test_a_failed_scan_is_told_with_its_attempt_and_error():
    name, facts = _recorded(r.ScanReported(SCAN, Status.FATAL, 7, (), "page 0: damaged", 1))
    assert name == "scan.reported"
    assert facts == {
        "incremental": 3,
        "source": "orders/s0",
        "attempt": 2,
        "status": "fatal",
        "rows": 7,
        "batches": 0,
        "error": "page 0: damaged",
    }


def test_a_successful_scan_has_no_error_among_its_facts():
    assert "error" not in _recorded(r.ScanReported(SCAN, Status.SUCCESS, 7, (), "", 1))[1]


def test_every_kind_of_record_of_the_coordinator_has_a_name():
    kinds = [kind for kind in get_args(r.CoordinatorRecord) if kind is not r.ScanReported]
    assert len(kinds) >= 12
    for kind in kinds:
        values = [_some(name) for name in kind.__dataclass_fields__]
        name, _ = _recorded(kind(*values))
        assert "." in name


def _some(name: str):
    return {"scan": SCAN, "applied": (), "evidence": ()}.get(name, 1)


def test_progress_names_only_targets_that_owe_something():
    sample = ScanProgress(SCAN, 1, 100, 90, 80, (("orders/t0", 2), ("orders/t1", 0)))
    [(name, facts)] = _told(Received("orders/s0", sample))
    assert (name, facts["unapplied"]) == ("scan.progress", {"orders/t0": 2})


def test_a_refusal_tells_who_refused_and_why():
    refused = Refused("r1", 1, 3, SCAN, Reason.STORAGE_FAILED, "the disk is full")
    [(name, facts)] = _told(Received("orders/t0", refused))
    assert name == "refused"
    assert (facts["by"], facts["reason"]) == ("orders/t0", "storage failed")


def test_failures_of_pages_and_stores_are_told_and_time_is_not():
    assert _told(PageFailed(SCAN, 4, transient=True, error="gone"))[0][0] == "page.failed"
    assert _told(StoreFailed("full", corrupted=False)) == [("storage.failed", {"error": "full"})]
    assert _told(TimePassed()) == []


# --- The lines of people.


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("incremental.completed", {"incremental": 1}, ["1/2", "one", "10 rows"]),
        (
            "scan.reported",
            {"source": "a/s0", "incremental": 1, "status": "fatal", "error": "no such file"},
            ["a/s0", "incremental 1", "fatal", "no such file"],
        ),
        (
            "scan.retry_scheduled",
            {"source": "a/s0", "incremental": 1, "attempt": 2},
            ["a/s0", "again", "attempt 2"],
        ),
        ("restore.finalizing", {}, ["merging"]),
        ("restore.interrupted", {"signal": "SIGTERM"}, ["interrupted", "SIGTERM"]),
        ("storage.failed", {"error": "the disk is full"}, ["the disk is full"]),
        ("worker.died", {"deaths": 1}, ["worker node died", "again"]),
    ],
)
def test_people_are_told_what_matters(name, facts, words):
    line = fact_line(JournalEvent(1, "node", name, facts), Plan(), RestoreProgress(Plan()))
    assert line is not None
    assert not [word for word in words if word not in line], line


@pytest.mark.parametrize("name", ["scan.progress", "changes.applied", "scan.asked", "run.sealed"])
def test_people_are_spared_samples(name):
    event = JournalEvent(1, "node", name, {})
    assert fact_line(event, Plan(), RestoreProgress(Plan())) is None


def _full(shard: str, free: str = "0.0") -> JournalEvent:
    error = f"out/{shard}/changes: writing failed: No space left ({free} MB free); free some"
    return JournalEvent(1, shard, "storage.failed", {"error": error})


def _facts() -> FactLines:
    return FactLines(Plan(), RestoreProgress(Plan()))


def test_a_full_disk_is_told_once_and_then_the_number_of_shards():
    facts, first = _facts(), _full("a/t0")
    refused = {"by": "a/t5", "reason": "storage failed", "detail": _full("a/t5").facts["error"]}
    events = [
        first,
        *[_full(f"a/t{number}", free="0.1") for number in range(1, 5)],
        JournalEvent(1, "a/t1", "shard.restarting", {"delay_s": 0.5}),
        JournalEvent(1, "a/s0", "refused", refused),
        _full("a/t0"),
    ]
    lines = [line for event in events for line in facts.lines_of(event)]
    assert lines == [f"a/t0: {first.facts['error']}"]
    assert facts.left() == ["the same in 5 other shards: a/t1, a/t2, a/t3 and 2 more"]
    assert facts.left() == []


def test_a_cause_that_was_told_is_not_spelled_out_again():
    facts = _facts()
    error = _full("a/t0", free="0.3").facts["error"]
    failed = {"source": "a/s0", "incremental": 1, "status": "transient"}
    event = JournalEvent(
        1, "c", "scan.reported", {**failed, "error": f"a/t0: storage failed: {error}"}
    )
    waits = f"incremental 1 waits for a/s0: last error: a/t0: storage failed: {error}; and 2 others"
    assert error in facts.lines_of(event)[0]
    assert facts.shortened(waits) == waits
    facts.lines_of(_full("a/t1"))
    assert facts.lines_of(event) == ["a/s0 failed incremental 1 (transient): a/t0: storage failed"]
    assert facts.shortened(waits) == (
        "incremental 1 waits for a/s0: last error: a/t0: storage failed; and 2 others"
    )


def test_what_is_counted_is_told_before_the_next_fact():
    facts = _facts()
    for shard in ("a/t0", "a/t1"):
        facts.lines_of(_full(shard))
    told = facts.lines_of(JournalEvent(1, "coordinator", "restore.finalizing", {}))
    assert (told[0], len(told)) == ("the same in another shard: a/t1", 2)


def test_another_cause_and_one_that_comes_back_later_are_news():
    facts = _facts()
    assert len(facts.lines_of(_full("a/t0"))) == 1
    denied = JournalEvent(1, "a/t1", "storage.failed", {"error": "out/x: Permission denied"})
    assert facts.lines_of(denied) == ["a/t1: out/x: Permission denied"]
    facts.lines_of(JournalEvent(1, "coordinator", "incremental.completed", {"incremental": 1}))
    assert len(facts.lines_of(_full("a/t0"))) == 1


@pytest.mark.parametrize("state", list(RestoreState))
def test_only_a_restore_that_was_stopped_while_running_is_interrupted(state):
    told = state_told(Outcome(state, ""))
    assert told == ("interrupted" if state is RestoreState.RUNNING else state.value)
