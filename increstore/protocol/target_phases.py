"""Waiting for targets: to seal an incremental, and at the end to make their final rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from increstore.protocol.barrier import Question
from increstore.protocol.messages import (
    Finalize,
    Finalized,
    IncrementalSealed,
    Message,
    Reason,
    Refused,
    SealIncremental,
    StreamEvidence,
)
from increstore.protocol.phase import Phase
from increstore.protocol.records import (
    IncrementalCompleted,
    TargetFinalized,
    TargetSealed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.protocol.desk import Desk
    from increstore.protocol.ledger import Ledger

_PASSING = (Reason.STORAGE_FAILED, Reason.INCREMENTAL_NOT_DUE)
"""Refusals after which the same question may be answered later; the others end the restore."""


class TargetPhase(Phase):
    """A question to targets. A target that keeps refusing has a budget, then the restore pauses."""

    def __init__(self, desk: Desk, targets: Sequence[str], total: int) -> None:
        super().__init__(desk, targets, total)
        self._refusals: dict[str, int] = {}
        self._errors: dict[str, str] = {}

    def resumed(self) -> None:
        self._refusals.clear()

    def error_of(self, shard: str) -> str:
        return self._errors.get(shard, "")

    def hear_refusal(self, sender: str, refused: Refused) -> None:
        if refused.scan is not None or not self.asking.is_in_flight(sender):
            self.desk.drop(f"refused: {refused.reason.value}")
            return
        error = f"{sender}: {refused.reason.value}: {refused.detail}"
        self.asking.hear(sender, self.desk.now)
        self._errors[sender] = f"{refused.reason.value}: {refused.detail}"
        if refused.reason not in _PASSING:
            self.desk.fail(error)
            return
        failures = self._refusals[sender] = self._refusals.get(sender, 0) + 1
        wait_ns = self.desk.config.backoff(failures, sender, failures)
        self.asking.delay(sender, self.desk.now + wait_ns)
        if failures > self.desk.config.retries_max and self.desk.is_active:
            self.desk.pause(f"{error} ({failures} times)")


class SealPhase(TargetPhase):
    """Every scan of the incremental has succeeded; each target seals what its evidence says."""

    question: ClassVar[Question] = Question.SEAL

    def __init__(self, desk: Desk) -> None:
        ledger = desk.ledger
        self._incremental = ledger.incremental
        self._owed = evidence_by_target(ledger)
        unsealed = [target for target in self._owed if target not in ledger.sealed]
        super().__init__(desk, unsealed, total=len(self._owed))

    def message_to(self, shard: str) -> SealIncremental:
        restore = self.desk.topology.restore
        return SealIncremental(restore, self._incremental, self.desk.generation, self._owed[shard])

    def hear(self, sender: str, message: Message) -> None:
        match message:
            case IncrementalSealed():
                self._take_seal(sender, message)
            case Refused() if message.incremental == self._incremental:
                self.hear_refusal(sender, message)
            case _:
                self.desk.drop(f"{type(message).__name__} while seals are awaited")

    def close(self) -> None:
        wall = self.desk.wall(self.desk.now)
        self.desk.record(IncrementalCompleted(self._incremental, wall))

    def _take_seal(self, sender: str, message: IncrementalSealed) -> None:
        if message.incremental != self._incremental:
            self.desk.drop("of another incremental")
        elif sender not in self.asking.contacts:
            self.desk.drop("reported before" if sender in self._owed else "of another shard")
        elif not _agree(message.applied, self._owed[sender]):
            self.desk.fail(
                f"incremental {self._incremental}: {sender} has sealed "
                f"{_told(message.applied)}; expected {_told(self._owed[sender])}; "
                "start over into a new target"
            )
        else:
            self.desk.record(TargetSealed(self._incremental, sender, message.applied))
            self.asking.finish(sender)


class FinalizePhase(TargetPhase):
    """Every incremental is sealed; each target makes its final rows, not yet visible."""

    question: ClassVar[Question] = Question.FINALIZE

    def __init__(self, desk: Desk) -> None:
        targets = [target for table in desk.topology.tables for target in table.targets]
        left = [target for target in targets if target not in desk.ledger.finalized]
        super().__init__(desk, left, total=len(targets))

    def message_to(self, shard: str) -> Finalize:
        return Finalize(self.desk.topology.restore, self.desk.generation)

    def hear(self, sender: str, message: Message) -> None:
        match message:
            case Finalized() if sender in self.asking.contacts:
                self.desk.record(TargetFinalized(sender, message.rows, message.digest))
                self.asking.finish(sender)
            case Finalized():
                self.desk.drop("reported before")
            case Refused():
                self.hear_refusal(sender, message)
            case _:
                self.desk.drop(f"{type(message).__name__} while final rows are awaited")


def evidence_by_target(ledger: Ledger) -> dict[str, tuple[StreamEvidence, ...]]:
    """What every target of a changed table was sent in this incremental; () is a fact too."""
    owed: dict[str, list[StreamEvidence]] = {
        target: []
        for table in ledger.topology.tables_changed_in(ledger.incremental)
        for target in table.targets
    }
    for entry in ledger.scans.values():
        for sent in entry.evidence:
            owed[sent.target].append(
                StreamEvidence(entry.source, entry.attempt, sent.rows, sent.batches, sent.digest)
            )
    return {target: tuple(streams) for target, streams in owed.items()}


def objection_to_totals(ledger: Ledger) -> str | None:
    """The sentence that refuses to publish, naming the first table that differs from its chain."""
    for table in ledger.topology.tables:
        finals = [ledger.finalized[target] for target in table.targets]
        rows = sum(final[0] for final in finals)
        digest = sum(final[1] for final in finals) % (1 << 64)
        if table.rows is not None and rows != table.rows:
            return (
                f"table {table.table}: expected {table.rows} rows, got {rows}; nothing was "
                "published; check the collection, then restore into a new target"
            )
        if table.digest is not None and digest != table.digest:
            return (
                f"table {table.table}: expected state digest {table.digest:016x}, got "
                f"{digest:016x} over {rows} rows; nothing was published; check the collection, "
                "then restore into a new target"
            )
    return None


def _agree(one: Sequence[StreamEvidence], other: Sequence[StreamEvidence]) -> bool:
    """Whether both name the same streams; their order is nobody's promise."""
    if one == other:
        return True
    if len(one) != len(other):
        return False
    by_source = {stream.source: stream for stream in other}
    return all(by_source.get(stream.source) == stream for stream in one)


def _told(streams: Sequence[StreamEvidence]) -> str:
    rows = sum(stream.rows for stream in streams)
    batches = sum(stream.batches for stream in streams)
    return f"{rows} rows in {batches} batches of {len(streams)} streams"
