"""A small restore told to a judge, observation by observation, healthy unless a test says more.

One table `orders` with two sources and two targets, a full backup and one incremental; every scan
has two pages. `wall` times are the judge's clock plus `WALL`.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from increstore.judging.judge import Judge, JudgeConfig
from increstore.judging.violation import InvariantViolated
from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import (
    ApplyChanges,
    ChangesApplied,
    CompletionNotification,
    Evidence,
    Finalize,
    Finalized,
    IncrementalSealed,
    OpenStream,
    ScanId,
    SealIncremental,
    StartScan,
    Status,
    StreamEvidence,
    StreamOpened,
)
from increstore.protocol.ready import Batch
from increstore.protocol.records import (
    FinalizingStarted,
    GenerationSeen,
    GenerationStarted,
    IncrementalCompleted,
    IncrementalStarted,
    RestoreAccepted,
    RestoreCompleted,
    ScanReported,
    TargetFinalized,
    TargetSealed,
)
from increstore.protocol.target_state import StreamState, TargetState
from increstore.protocol.topology import COORDINATOR, TableTopology, Topology

SECOND = 1_000_000_000
WALL = 1_700_000_000 * SECOND
RESTORE = "restore-1"
S0, S1 = SOURCES = ("orders/s0", "orders/s1")
T0, T1 = TARGETS = ("orders/t0", "orders/t1")


def a_topology(incrementals=(0, 1), last=1, rows=None, digest=None) -> Topology:
    table = TableTopology("orders", SOURCES, TARGETS, incrementals, rows, digest)
    return Topology(RESTORE, last, (table,))


def pages_of(source: str, incremental: int) -> list[tuple[Batch, ...]]:
    """Two pages: one for both targets, one for the first."""
    base = 100 * incremental + 10 * SOURCES.index(source)
    return [
        (Batch(T0, 3, base + 1, b""), Batch(T1, 2, base + 2, b"")),
        (Batch(T0, 1, base + 3, b""),),
    ]


def batches_for(target: str, source: str, incremental: int) -> list[Batch]:
    return [b for page in pages_of(source, incremental) for b in page if b.target == target]


def evidence_of(source: str, incremental: int) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(target, *totals_of(batches_for(target, source, incremental))) for target in TARGETS
    )


def totals_of(batches) -> tuple[int, int, int]:
    """(rows, batches, digest)"""
    digest = 0
    for number, batch in enumerate(batches):
        digest = fold_batch_digest(digest, number + 1, batch.digest)
    return sum(batch.rows for batch in batches), len(batches), digest


def streams_at(target: str, incremental: int, attempts=None) -> tuple[StreamEvidence, ...]:
    attempts = attempts or {}
    return tuple(
        StreamEvidence(source, attempts.get(source, 1), *totals_of(
            batches_for(target, source, incremental)))
        for source in SOURCES
    )  # fmt: skip


def scan_id(source=S0, incremental=0, attempt=1, restore=RESTORE) -> ScanId:
    return ScanId(restore, incremental, source, attempt)


@contextmanager
def caught(identity: str, *words: str):
    """The block must break exactly this invariant; `words` are in the sentence."""
    with pytest.raises(InvariantViolated) as found:
        yield
    assert found.value.invariant.split()[0] == identity, found.value
    assert not [word for word in words if word not in str(found.value)], found.value


class Story:
    """Tells a judge what happens. Each method passes time and returns nothing."""

    def __init__(self, topology=None, only=None, **config) -> None:
        """`only` names the laws that are judged, where several forbid the same."""
        config = JudgeConfig(**config)
        self.judge = Judge(topology or a_topology(), config, only=only, counting=True)
        self.now = 0
        self.generation = 1
        self.records: list = []

    # --- Plain observations.

    def after(self, seconds: float = 0.001) -> int:
        self.now += round(seconds * SECOND)
        return self.now

    def record(self, record, node=COORDINATOR) -> None:
        self.judge.recorded(self.after(), node, record)
        self.records.append(record)

    def send(self, sender, receiver, message) -> None:
        self.judge.sent(self.after(), sender, receiver, message)

    def hear(self, sender, receiver, message) -> None:
        self.judge.received(self.after(), sender, receiver, message)

    def say(self, sender, receiver, message) -> None:
        """Sent, and received."""
        self.send(sender, receiver, message)
        self.hear(sender, receiver, message)

    @property
    def wall(self) -> int:
        return WALL + self.now

    def await_attempt(self, attempt, source=S0) -> Story:
        """As if a retry had been recorded."""
        self.judge.truth.histories[COORDINATOR].scans[source].attempt = attempt
        return self

    # --- Lives.

    def begin(self) -> Story:
        """All nodes come up, and the coordinator accepts the restore."""
        for name in (*SOURCES, *TARGETS):
            self.start(name)
        self.judge.recovered(self.now, COORDINATOR, [])
        self.judge.started(self.now, COORDINATOR, 1)
        self.record(RestoreAccepted(RESTORE, "plan-1", self.wall))
        self.record(GenerationStarted(1, self.wall))
        return self

    def start(self, name, state=None, incarnation=1) -> None:
        if name in TARGETS:
            self.judge.recovered(self.after(), name, state or TargetState())
        self.judge.started(self.now, name, incarnation)

    def crash(self, name) -> None:
        self.judge.crashed(self.after(), name)

    def restart_coordinator(self, records=None) -> None:
        self.judge.crashed(self.after(), COORDINATOR)
        found = self.records if records is None else records
        self.judge.recovered(self.after(2), COORDINATOR, list(found))
        self.judge.started(self.now, COORDINATOR, self.generation + 1)
        self.generation += 1
        self.record(GenerationStarted(self.generation, self.wall))

    # --- An incremental.

    def start_incremental(self, incremental=0) -> Story:
        self.record(IncrementalStarted(incremental, self.wall))
        return self

    def ask(self, source=S0, incremental=0, attempt=1) -> Story:
        message = StartScan(scan_id(source, incremental, attempt), self.generation)
        self.say(COORDINATOR, source, message)
        return self

    def read(self, source=S0, incremental=0, attempt=1, pages=None) -> Story:
        scan, found = scan_id(source, incremental, attempt), pages_of(source, incremental)
        for number, page in enumerate(found[:pages]):
            rows, is_last = sum(batch.rows for batch in page), number + 1 == len(found)
            self.judge.scan_read(self.after(), source, scan, number, rows, page, is_last)
        return self

    def open(self, target=T0, source=S0, incremental=0, attempt=1, watermark=0) -> Story:
        scan = scan_id(source, incremental, attempt)
        self.say(source, target, OpenStream(scan, self.generation))
        self.see_generation(target)
        self.say(target, source, StreamOpened(scan, self.generation, watermark))
        return self

    def see_generation(self, target) -> None:
        if self.judge.truth.targets[target].generation < self.generation:
            self.record_seen(target, self.generation)

    def record_seen(self, target, generation) -> None:
        self.judge.recorded(self.after(), target, GenerationSeen(generation))

    def send_batch(self, order=1, target=T0, source=S0, incremental=0, attempt=1) -> None:
        scan = scan_id(source, incremental, attempt)
        batch = batches_for(target, source, incremental)[order - 1]
        message = ApplyChanges(scan, self.generation, order, batch.rows, batch.digest, b"")
        self.say(source, target, message)

    def apply(self, order=1, target=T0, source=S0, incremental=0, attempt=1) -> None:
        batch = batches_for(target, source, incremental)[order - 1]
        scan = scan_id(source, incremental, attempt)
        self.judge.applied(self.after(), target, scan, order, batch.rows, batch.digest)

    def acknowledge(self, watermark=1, target=T0, source=S0, incremental=0, attempt=1) -> None:
        scan = scan_id(source, incremental, attempt)
        self.say(target, source, ChangesApplied(scan, self.generation, watermark))

    def stream(self, source=S0, incremental=0, attempt=1) -> Story:
        """Everything the scan owes is sent, applied and acknowledged."""
        at = {"source": source, "incremental": incremental, "attempt": attempt}
        for target in TARGETS:
            self.open(target, **at)
            for number in range(len(batches_for(target, source, incremental))):
                self.send_batch(number + 1, target, **at)
                self.apply(number + 1, target, **at)
                self.acknowledge(number + 1, target, **at)
        return self

    def report_of(self, source=S0, incremental=0, attempt=1, status=Status.SUCCESS, **changes):
        evidence = evidence_of(source, incremental) if status is Status.SUCCESS else ()
        values = {
            "generation": self.generation,
            "rows_scanned": sum(e.rows for e in evidence),
            "evidence": evidence,
            "error": "" if status is Status.SUCCESS else "the disk hiccups",
            **changes,
        }
        return CompletionNotification(
            scan_id(source, incremental, attempt),
            values["generation"],
            status,
            values["rows_scanned"],
            values["evidence"],
            values["error"],
        )

    def report(self, source=S0, incremental=0, attempt=1, **changes) -> Story:
        """Said, heard and recorded."""
        said = self.report_of(source, incremental, attempt, **changes)
        self.say(source, COORDINATOR, said)
        self.record_report(said)
        return self

    def record_report(self, said) -> None:
        self.record(
            ScanReported(
                said.scan, said.status, said.rows_scanned, said.evidence, said.error, self.wall
            )
        )

    def scan(self, source=S0, incremental=0, attempt=1) -> Story:
        at = (source, incremental, attempt)
        return self.ask(*at).read(*at).stream(*at).report(*at)

    def ask_seal(self, target=T0, incremental=0, sent=None) -> None:
        claims = streams_at(target, incremental) if sent is None else sent
        message = SealIncremental(RESTORE, incremental, self.generation, claims)
        self.say(COORDINATOR, target, message)

    def seal(self, target=T0, incremental=0, streams=None) -> Story:
        """Asked, durable, answered and recorded."""
        claims = streams_at(target, incremental) if streams is None else streams
        self.ask_seal(target, incremental, claims)
        self.judge.sealed(self.after(), target, incremental, claims)
        answer = IncrementalSealed(RESTORE, incremental, self.generation, claims)
        self.say(target, COORDINATOR, answer)
        self.record(TargetSealed(incremental, target, claims))
        return self

    def complete(self, incremental=0) -> Story:
        self.record(IncrementalCompleted(incremental, self.wall))
        return self

    def incremental(self, incremental=0) -> Story:
        """One whole incremental."""
        self.start_incremental(incremental)
        for source in SOURCES:
            self.scan(source, incremental)
        for target in TARGETS:
            self.seal(target, incremental)
        return self.complete(incremental)

    # --- The end.

    def start_finalizing(self) -> Story:
        self.record(FinalizingStarted(self.wall))
        return self

    def finalize(self, target=T0, rows=8, digest=5) -> Story:
        self.say(COORDINATOR, target, Finalize(RESTORE, self.generation))
        self.judge.finalized(self.after(), target, rows, digest)
        self.say(target, COORDINATOR, Finalized(RESTORE, self.generation, rows, digest))
        self.record(TargetFinalized(target, rows, digest))
        return self

    def finish(self) -> Story:
        self.start_finalizing()
        for target in TARGETS:
            self.finalize(target)
        self.judge.published(self.after())
        self.record(RestoreCompleted(self.wall))
        self.judge.ended(self.after(), "completed", "")
        return self

    def whole(self) -> Story:
        return self.begin().incremental(0).incremental(1).finish()


def a_story(**config) -> Story:
    """Begun, with incremental 0 started."""
    return Story(**config).begin().start_incremental(0)


def a_scanned_story(source=S0, **config) -> Story:
    """The scan of one source is read, sent and applied, and not reported yet."""
    return a_story(**config).ask(source).read(source).stream(source)


def a_reported_story() -> Story:
    """Both scans of incremental 0 have succeeded; nothing is sealed."""
    story = a_story()
    for source in SOURCES:
        story.scan(source)
    return story


def a_second_incremental(**config) -> Story:
    return Story(**config).begin().incremental(0).start_incremental(1)


def a_finalizing_story(**config) -> Story:
    return Story(**config).begin().incremental(0).incremental(1).start_finalizing()


def stream_state(target=T0, source=S0, incremental=0, batches=None, attempt=1):
    """{scan: state} of a target that has so many batches of one stream."""
    kept = batches_for(target, source, incremental)[:batches]
    rows, count, digest = totals_of(kept)
    return {scan_id(source, incremental, attempt): StreamState(count, rows, digest)}
