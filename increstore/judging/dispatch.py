"""From an observation to the checks that judge it: one lookup by type, then plain calls.

There is a class for each way to take in a message. It finds what the checks need (a stream, a
shard, a history) once, calls them, and takes the fact in: `take` comes after all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from increstore.judging.history import CANCELLED, COMPLETED, FAILED
from increstore.judging.observer import Tell
from increstore.protocol import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.judging.history import History
    from increstore.judging.streams import Source, Stream, Target
    from increstore.judging.truth import Truth

    Checks: TypeAlias = tuple[Callable[..., None], ...]
    ChecksOf: TypeAlias = Callable[[str], Checks]
    Order: TypeAlias = m.StartScan | m.SealIncremental | m.Finalize | m.CancelRestore
    ToTarget: TypeAlias = m.OpenStream | m.ApplyChanges
    Watermark: TypeAlias = m.StreamOpened | m.ChangesApplied
    OfScan: TypeAlias = m.CompletionNotification | m.ScanProgress
    ForTarget: TypeAlias = m.SealIncremental | m.Finalize
    OfTarget: TypeAlias = m.IncrementalSealed | m.Finalized

_HAS_ENDED = (FAILED, CANCELLED, COMPLETED)
_NEVER_SCANS = (m.Reason.UNKNOWN_RESTORE, m.Reason.UNKNOWN_SHARD)


class Judged(Tell):
    """One kind of message, sent or received. Nothing is judged of those that are left as here.

    `checks_of` finds the checks of another observation that may come of it.
    """

    def __init__(self, truth: Truth, checks: Checks, checks_of: ChecksOf) -> None:
        self.truth = truth
        self.checks = checks


# --- What a coordinator sends.


class Asked(Judged):
    """A question."""

    def __init__(self, truth: Truth, checks: Checks, checks_of: ChecksOf) -> None:
        super().__init__(truth, checks, checks_of)
        self.objections = checks_of("sent under no generation")

    def tell(self, now: int, sender: str, receiver: str, message: Order) -> None:
        asked = message.scan if isinstance(message, m.StartScan) else message
        if self.truth.restore != asked.restore:
            return
        history = self.truth.by_generation.get(message.generation)
        if history is None:
            for object_to in self.objections:
                object_to(now, receiver, message)
            return
        for check in self.checks:
            check(now, history, receiver, message)
        self.take(now, history, receiver, message)

    def take(self, now: int, history: History, receiver: str, message: Order) -> None:
        assert not isinstance(message, m.CancelRestore)
        history.ask(now, receiver, message)
        self.truth.say(message, receiver)


class ToldToStop(Asked):
    def take(self, now: int, history: History, receiver: str, message: Order) -> None:
        history.untold.pop(receiver, None)


# --- What shards send.


class SentBySource(Judged):
    """What a source says on a stream."""

    def tell(self, now: int, sender: str, receiver: str, message: ToTarget) -> None:
        stream = self.truth.stream(receiver, message.scan)
        if stream is None or sender != message.scan.source:
            return
        for check in self.checks:
            check(now, stream, message)
        self.take(now, stream, message)
        stream.source.spoken = (message.generation, stream.incremental, stream.attempt)

    def take(self, now: int, stream: Stream, message: ToTarget) -> None:
        """It asks for the watermark."""
        stream.ask()
        if not stream.asks:
            stream.asks_since = now
        stream.asks += 1
        stream.opens[message.generation] = None


class SentBatch(SentBySource):
    def take(self, now: int, stream: Stream, message: ToTarget) -> None:
        assert isinstance(message, m.ApplyChanges)
        stream.ask()
        stream.sent[message.order] = (message.rows, message.digest)


class AnsweredByTarget(Judged):
    """What a target says on a stream."""

    def tell(self, now: int, sender: str, receiver: str, message: Watermark) -> None:
        stream = self.truth.stream(sender, message.scan)
        if stream is None:
            return
        for check in self.checks:
            check(now, stream, message)
        self.take(now, stream, message)

    def take(self, now: int, stream: Stream, message: Watermark) -> None:
        stream.answers[message.generation, message.watermark] = None


class ToldBySource(Judged):
    """What a source tells its coordinator."""

    def tell(self, now: int, sender: str, receiver: str, message: OfScan) -> None:
        source, scan = self.truth.sources.get(sender), message.scan
        if source is None or scan.restore != self.truth.restore:
            return
        for check in self.checks:
            check(now, source, message)
        self.take(now, source, message)
        source.spoken = (message.generation, scan.incremental, scan.attempt)

    def take(self, now: int, source: Source, message: OfScan) -> None:
        """A sample is forgotten."""


class Reported(ToldBySource):
    def take(self, now: int, source: Source, message: OfScan) -> None:
        assert isinstance(message, m.CompletionNotification)
        source.reports[message.scan.incremental, message.scan.attempt] = message
        self.truth.say(message)


class ToldByTarget(Judged):
    """What a target tells its coordinator."""

    def tell(self, now: int, sender: str, receiver: str, message: OfTarget) -> None:
        target = self.truth.targets.get(sender)
        if target is None or message.restore != self.truth.restore:
            return
        for check in self.checks:
            check(now, target, message)
        self.take(now, target, message)

    def take(self, now: int, target: Target, message: OfTarget) -> None:
        self.truth.say(message, target.name)


# --- What shards receive.


class HeardBySource(Judged):
    """A source is asked for a scan."""

    def tell(self, now: int, sender: str, receiver: str, message: m.StartScan) -> None:
        source, scan = self.truth.sources.get(receiver), message.scan
        if source is None or scan.restore != self.truth.restore or scan.source != receiver:
            return
        for check in self.checks:
            check(now, source, message)
        self.take(now, source, message)

    def take(self, now: int, source: Source, message: m.StartScan) -> None:
        scan = message.scan
        if message.generation > source.generation:
            source.generation = message.generation
            if (scan.incremental, scan.attempt) < source.spoken[1:]:
                source.stop()  # A newer coordinator is obeyed, however old its history is.
        source.asked[scan.incremental, scan.attempt] = None


class HeardByTarget(Judged):
    """A target is asked for final rows."""

    def tell(self, now: int, sender: str, receiver: str, message: ForTarget) -> None:
        target = self.truth.targets.get(receiver)
        if target is None or message.restore != self.truth.restore:
            return
        for check in self.checks:
            check(now, target, message)
        self.take(now, target, message)

    def take(self, now: int, target: Target, message: ForTarget) -> None:
        if target.admits(message.generation):
            target.finalize_asked = True


class SealHeard(HeardByTarget):
    def take(self, now: int, target: Target, message: ForTarget) -> None:
        assert isinstance(message, m.SealIncremental)
        if target.admits(message.generation):
            target.seal_asked[message.incremental] = message.sent


class Stopped(Judged):
    """A shard is told to stop."""

    def tell(self, now: int, sender: str, receiver: str, message: m.CancelRestore) -> None:
        if message.restore != self.truth.restore:
            return
        source, target = self.truth.sources.get(receiver), self.truth.targets.get(receiver)
        if source is not None and 0 < source.generation <= message.generation:
            source.stop()
            source.cancelled = message.generation
        if target is not None and message.generation >= target.heard:
            target.cancelled = max(target.cancelled, message.generation)


class HeardOnStream(Judged):
    """A target hears a source; of a question only that its generation was heard counts."""

    def tell(self, now: int, sender: str, receiver: str, message: ToTarget) -> None:
        stream = self.truth.stream(receiver, message.scan)
        if stream is None or sender != message.scan.source:
            return
        for check in self.checks:
            check(now, stream, message)
        self.take(now, stream, message)

    def take(self, now: int, stream: Stream, message: ToTarget) -> None:
        stream.target.admits(message.generation)


class BatchHeard(HeardOnStream):
    def take(self, now: int, stream: Stream, message: ToTarget) -> None:
        assert isinstance(message, m.ApplyChanges)
        if stream.target.admits(message.generation) and message.order > stream.end:
            stream.admitted[message.order] = (message.rows, message.digest)


class AnswerHeard(AnsweredByTarget):
    """A source hears a target."""

    def take(self, now: int, stream: Stream, message: Watermark) -> None:
        stream.hear(message.watermark)


# --- What a coordinator receives.


class ReportHeard(Judged):
    def tell(self, now: int, sender: str, receiver: str, message: m.CompletionNotification) -> None:
        source, scan = self.truth.sources.get(sender), message.scan
        if source is None or scan.restore != self.truth.restore or scan.source != sender:
            return
        for check in self.checks:
            check(now, source, message)
        self.take(now, source, message)

    def take(self, now: int, source: Source, message: m.CompletionNotification) -> None:
        scan = message.scan
        key = (scan.source, scan.incremental, scan.attempt)
        heard = self.truth.reports_heard.setdefault(key, [])
        if message not in heard:
            heard.append(message)


class RefusalHeard(Judged):
    def tell(self, now: int, sender: str, receiver: str, message: m.Refused) -> None:
        truth, scan = self.truth, message.scan
        if message.restore != truth.restore and scan is None:
            return
        if message.reason is m.Reason.STALE_GENERATION:
            _learn_who_commands(truth, sender, receiver, message.generation)
        if scan is not None:
            if message.reason in _NEVER_SCANS and sender == scan.source:
                truth.refusals_heard[scan.source, scan.incremental, scan.attempt] = None
            return
        for history in truth.histories.values():
            # It has answered; it is asked again when its patience allows.
            history.asked.pop(sender, None)


def _learn_who_commands(truth: Truth, sender: str, receiver: str, generation: int) -> None:
    """A coordinator is told that it was overtaken; one that has ended is only told that shards do
    no more for it, as it has asked of them."""
    history = truth.by_generation.get(generation)
    if history is None or truth.histories.get(receiver) is not history:
        return  # Another one's question: every coordinator hears what is said to any.
    if history.generation == generation and history.halt in _HAS_ENDED:
        return
    truth.overtaken.setdefault(generation, sender)


class SealAnswerHeard(ToldByTarget):
    def take(self, now: int, target: Target, message: OfTarget) -> None:
        assert isinstance(message, m.IncrementalSealed)
        self.truth.seals_heard[target.name, message.incremental] = message


class FinalRowsHeard(ToldByTarget):
    def take(self, now: int, target: Target, message: OfTarget) -> None:
        assert isinstance(message, m.Finalized)
        self.truth.finals_heard[target.name] = message


_SENT = {
    m.StartScan: Asked,
    m.SealIncremental: Asked,
    m.Finalize: Asked,
    m.CancelRestore: ToldToStop,
    m.OpenStream: SentBySource,
    m.ApplyChanges: SentBatch,
    m.StreamOpened: AnsweredByTarget,
    m.ChangesApplied: AnsweredByTarget,
    m.CompletionNotification: Reported,
    m.ScanProgress: ToldBySource,
    m.IncrementalSealed: ToldByTarget,
    m.Finalized: ToldByTarget,
    m.Refused: Judged,
}
_RECEIVED = {
    m.StartScan: HeardBySource,
    m.SealIncremental: SealHeard,
    m.Finalize: HeardByTarget,
    m.CancelRestore: Stopped,
    m.OpenStream: HeardOnStream,
    m.ApplyChanges: BatchHeard,
    m.StreamOpened: AnswerHeard,
    m.ChangesApplied: AnswerHeard,
    m.CompletionNotification: ReportHeard,
    m.ScanProgress: Judged,
    m.IncrementalSealed: SealAnswerHeard,
    m.Finalized: FinalRowsHeard,
    m.Refused: RefusalHeard,
}

Tellings: TypeAlias = list[tuple[type, str, type[Judged]]]
"""(class of a message, observation of it, what takes it in); to be read only."""

SENT: Final[Tellings] = [(it, f"sent {it.__name__}", tell) for it, tell in _SENT.items()]
RECEIVED: Final[Tellings] = [
    (it, f"received {it.__name__}", tell) for it, tell in _RECEIVED.items()
]
