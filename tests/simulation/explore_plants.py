"""Cores with one mistake each, made from those of production: the search must find every one.

Each leaves out one comparison or one wait, as a person who mends something else might. `PLANTS`
says in which small world a mistake shows, and which law it breaks first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from increstore.protocol.asking import Asking
from increstore.protocol.chain_position import ChainPosition
from increstore.protocol.coordinator import Coordinator
from increstore.protocol.messages import (
    ChangesApplied,
    CompletionNotification,
    StartScan,
    Status,
)
from increstore.protocol.ready import PublishTables
from increstore.protocol.source_scan import SourceScan
from increstore.protocol.source_shard import SourceShard
from increstore.protocol.stream import ChangeStream
from increstore.protocol.target_phases import FinalizePhase, SealPhase
from increstore.protocol.target_shard import TargetShard
from increstore.protocol.target_stream import StreamTable
from increstore.simulation.explore import Budgets, Cast, Shape, SmallWorld

# --- Coordinators.


class ReadsReportsLoosely(Coordinator):
    """Takes a report for one of what is awaited, in the field that `loosely` rewrites."""

    def _hear(self, sender, message):
        if isinstance(message, CompletionNotification) and sender in self._ledger.scans:
            message = self.loosely(message, self._ledger.scans[sender])
        super()._hear(sender, message)


class IgnoresTheAttempt(ReadsReportsLoosely):
    def loosely(self, report, entry):
        return replace(report, scan=replace(report.scan, attempt=entry.attempt))


class IgnoresTheGeneration(ReadsReportsLoosely):
    def loosely(self, report, entry):
        return replace(report, generation=self._ledger.generation)


class IgnoresTheIncremental(ReadsReportsLoosely):
    def loosely(self, report, entry):
        return replace(report, scan=replace(report.scan, incremental=self._ledger.incremental))


class CountsFailuresAsDone(ReadsReportsLoosely):
    def loosely(self, report, entry):
        return replace(report, status=Status.SUCCESS)


class AsksAgainOnSuccess(Coordinator):
    """Answers a report with one more question: for the incremental that `after` says."""

    def after(self, scan):
        return scan

    def _hear(self, sender, message):
        super()._hear(sender, message)
        if isinstance(message, CompletionNotification):
            scan = self.after(message.scan)
            self._desk.send(sender, StartScan(scan, self._ledger.generation))


class AsksForTheNextAtOnce(AsksAgainOnSuccess):
    def after(self, scan):
        return replace(scan, incremental=scan.incremental + 1)


class AskingAs(Coordinator):
    """A coordinator whose phases keep their contacts in another class."""

    asking: type[Asking]

    def _next_phase(self):
        phase = super()._next_phase()
        if phase is not None:
            phase.asking.__class__ = self.asking
        return phase


class AskingOnce(Asking):
    __slots__ = ()

    def take_silent(self, now, repeat_ns):
        return []


class AskingEveryone(Asking):
    __slots__ = ()

    def take_startable(self, now, cap):
        return super().take_startable(now, -1)


class NeverAsksAgain(AskingAs):
    asking = AskingOnce


class KnowsNoCap(AskingAs):
    asking = AskingEveryone


class NeverWakes(Coordinator):
    def _wake_at(self):
        return None


class ImpatientSealPhase(SealPhase):
    @property
    def is_over(self):
        return self.answered > 0 or super().is_over


class DoesNotWaitForSeals(Coordinator):
    def _next_phase(self):
        phase = super()._next_phase()
        if isinstance(phase, SealPhase):
            phase.__class__ = ImpatientSealPhase
        return phase


class DoesNotWaitForFinalRows(Coordinator):
    def _next_phase(self):
        phase = super()._next_phase()
        return None if isinstance(phase, FinalizePhase) else phase

    def _publish(self):
        self._is_publishing = True
        self._desk.outbox.effect(PublishTables())


# --- Source shards.


class SourceOf(SourceShard):
    """A source whose scans are of another class."""

    scans: type[SourceScan]

    def _start_scan(self, now, sender, message):
        super()._start_scan(now, sender, message)
        if self._scan is not None:
            self._scan.__class__ = self.scans


class ScanEndsWhenExhausted(SourceScan):
    __slots__ = ()

    def advance(self):
        if self.report is None and self._pages.ended:
            self._end_completely_applied()
        super().advance()


class ReportsExhaustedScans(SourceOf):
    """Reports success when everything is read, and not when it is applied."""

    scans = ScanEndsWhenExhausted


class ScanFailsForGood(SourceScan):
    __slots__ = ()

    def fail(self, status, error):
        super().fail(Status.FATAL, error)


class CallsEveryFailureFatal(SourceOf):
    scans = ScanFailsForGood


class ScanWithStreams(SourceScan):
    __slots__ = ()

    def _new_stream(self, target):
        stream = super()._new_stream(target)
        stream._window_batches = 99
        return stream


class SendsWithoutWindow(SourceOf):
    scans = ScanWithStreams


class StreamOfItsFirstBatch(ChangeStream):
    __slots__ = ()

    def take_due(self, now):
        return [(order, self._held[0]) for order, _ in super().take_due(now)]


class ScanOfFirstBatches(SourceScan):
    __slots__ = ()

    def _new_stream(self, target):
        stream = super()._new_stream(target)
        stream.__class__ = StreamOfItsFirstBatch
        return stream


class SendsTheFirstForTheSecond(SourceOf):
    scans = ScanOfFirstBatches


class AnswersNobodyTwice(SourceShard):
    """Takes a repeated question for a doubled one."""

    def _start_scan(self, now, sender, message):
        if self._scan is None or self._scan.scan != message.scan:
            super()._start_scan(now, sender, message)


class RunsAhead(SourceShard):
    """Begins its part of the next incremental when its part of this one is done."""

    def _answer(self, scan):
        super()._answer(scan)
        if scan.report is not None and scan.scan.incremental == 0:
            following = replace(scan.scan, incremental=1)
            self._start_scan(0, self._asker, StartScan(following, self.generation))
            self._scan.advance()


# --- Target shards.


class StreamsOfAnyAttempt(StreamTable):
    __slots__ = ()

    def objection(self, scan):
        return None


class TakesEveryAttempt(TargetShard):
    streams_of: type[StreamTable] = StreamsOfAnyAttempt

    def __init__(self, *given):
        super().__init__(*given)
        self._streams.__class__ = self.streams_of


class OneStreamForAllAttempts(StreamsOfAnyAttempt):
    __slots__ = ()

    def find(self, scan):
        return self.by_source.get(scan.source)


class TakesAttemptsForOne(TakesEveryAttempt):
    streams_of = OneStreamForAllAttempts


class TakesDoubledBatches(TargetShard):
    def _apply_changes(self, sender, message):
        stream = self._streams.find(message.scan)
        if stream is not None and message.order <= stream.accepted:
            stream.accept(message)
        super()._apply_changes(sender, message)


class PositionAnywhere(ChainPosition):
    __slots__ = ()

    def objection_to_changes(self, incremental):
        return None


class TakesWhatIsNotDue(TargetShard):
    def __init__(self, *given):
        super().__init__(*given)
        self._chain.__class__ = PositionAnywhere


class TellsWhatItAccepted(TargetShard):
    """Acknowledges a batch when it comes, and not when it is durable."""

    def _apply_changes(self, sender, message):
        super()._apply_changes(sender, message)
        stream = self._streams.find(message.scan)
        if stream is not None:
            accepted = ChangesApplied(message.scan, self.generation, stream.accepted)
            self._outbox.send(sender, accepted)


class ObeysEveryGeneration(TargetShard):
    def _admit(self, restore, generation):
        return super()._admit(restore, max(generation, self.generation))


class TakesBatchesAfterAGap(TargetShard):
    def _apply_changes(self, sender, message):
        stream = self._streams.find(message.scan)
        if stream is not None and message.order > stream.accepted + 1:
            message = replace(message, order=stream.accepted + 1)
        super()._apply_changes(sender, message)


class SealsAllButOne(TargetShard):
    """Loses the last stream on the way from the message to the store."""

    def _seal(self, sender, message):
        objection = super()._seal(sender, message)
        effects = self._outbox._effects
        effects[:] = [replace(effect, streams=effect.streams[:-1]) for effect in effects]
        return objection


# --- Where they show.


@dataclass(frozen=True)
class Plant:
    """A mistake, the world that shows it, and the law that it breaks first."""

    law: str
    cast: Cast
    shape: dict
    budgets: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        played = (self.cast.coordinator, self.cast.source, self.cast.target)
        planted = [cls.__name__ for cls in played if cls.__module__ == __name__]
        return f"{' and '.join(planted)} breaks {self.law}"

    def world(self) -> SmallWorld:
        return SmallWorld(Shape(**{"sources": 1, "incrementals": 0, **self.shape}), self.cast)

    def faults(self) -> Budgets:
        return Budgets(**{"crashes": 0, "losses": 0, **self.budgets})


def coordinator(law, cls, shape=None, **budgets) -> Plant:
    return Plant(law, Cast(coordinator=cls), shape or {}, budgets)


def source(law, cls, shape=None, **budgets) -> Plant:
    return Plant(law, Cast(source=cls), shape or {}, budgets)


def target(law, cls, shape=None, **budgets) -> Plant:
    return Plant(law, Cast(target=cls), shape or {}, budgets)


PLANTS = (
    coordinator("S2", IgnoresTheAttempt, duplicates=1, failures=1),
    coordinator("S1", IgnoresTheGeneration, crashes=1),
    coordinator("S2", IgnoresTheIncremental, {"incrementals": 1}, duplicates=1),
    coordinator("C3", CountsFailuresAsDone, failures=1),
    coordinator("K3", AsksAgainOnSuccess),
    coordinator("O1", AsksForTheNextAtOnce, {"sources": 2, "incrementals": 1}),
    coordinator("X3", NeverAsksAgain, losses=1),
    coordinator("R1", KnowsNoCap, {"sources": 2, "in_flight": 1}),
    coordinator("L7", NeverWakes, losses=1),
    coordinator("C5", DoesNotWaitForSeals, {"targets": 2}),
    coordinator("T6", DoesNotWaitForFinalRows),
    source("C7", ReportsExhaustedScans),
    source("X2", CallsEveryFailureFatal, failures=1),
    source("R2", SendsWithoutWindow, {"batches": 3}),
    source("E2", SendsTheFirstForTheSecond, {"batches": 2}),
    source("X3", AnswersNobodyTwice, losses=1),
    target("E3", TakesEveryAttempt, failures=1, hasty=1, duplicates=1),
    target("D2", TakesAttemptsForOne, {"pages": 2}, failures=1, hasty=1),
    target("X1", TakesDoubledBatches, duplicates=1),
    target("D2", TellsWhatItAccepted),
    target("S5", ObeysEveryGeneration, {"sources": 2}, crashes=1),
    target("C1", TakesBatchesAfterAGap, {"batches": 3}),
    target("T2", SealsAllButOne),
    target("T5", TakesWhatIsNotDue, {"incrementals": 1}, duplicates=2),
    Plant(
        "O2",
        Cast(source=RunsAhead, target=TakesWhatIsNotDue),
        {"sources": 2, "incrementals": 1},
    ),
)
