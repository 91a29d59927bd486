"""From an observation to the checks that judge it: one lookup by type, then plain calls.

Each `tell_..` makes the function for one kind of message: it finds what the checks need (a stream,
a shard, a history) once, calls them, and takes the fact in. They are made once for each judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from increstore.judging.history import CANCELLED, COMPLETED, FAILED
from increstore.protocol import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.judging.streams import Source, Stream, Target
    from increstore.judging.truth import Truth

    Tell: TypeAlias = Callable[[int, str, str, Any], None]
    Checks: TypeAlias = tuple[Callable[..., None], ...]
    ChecksOf: TypeAlias = Callable[[str], Checks]
    Order: TypeAlias = m.StartScan | m.SealIncremental | m.Finalize | m.CancelRestore

_HAS_ENDED = (FAILED, CANCELLED, COMPLETED)
_NEVER_SCANS = (m.Reason.UNKNOWN_RESTORE, m.Reason.UNKNOWN_SHARD)


def sendings(truth: Truth, checks_of: ChecksOf) -> dict[type, Tell]:
    """What to call for each kind of message that is sent."""
    return {
        m.StartScan: _asked(truth, checks_of, "StartScan"),
        m.SealIncremental: _asked(truth, checks_of, "SealIncremental"),
        m.Finalize: _asked(truth, checks_of, "Finalize"),
        m.CancelRestore: _asked(truth, checks_of, "CancelRestore"),
        m.OpenStream: _sent_by_source(truth, checks_of("sent OpenStream"), _ask_for_watermark),
        m.ApplyChanges: _sent_by_source(truth, checks_of("sent ApplyChanges"), _send_batch),
        m.StreamOpened: _answered_by_target(truth, checks_of("sent StreamOpened")),
        m.ChangesApplied: _answered_by_target(truth, checks_of("sent ChangesApplied")),
        m.CompletionNotification: _told_by_source(
            truth, checks_of("sent CompletionNotification"), _report
        ),
        m.ScanProgress: _told_by_source(truth, checks_of("sent ScanProgress"), _sample),
        m.IncrementalSealed: _told_by_target(truth, checks_of("sent IncrementalSealed"), _say),
        m.Finalized: _told_by_target(truth, checks_of("sent Finalized"), _say),
        m.Refused: _ignored,
    }


def receipts(truth: Truth, checks_of: ChecksOf) -> dict[type, Tell]:
    """What to call for each kind of message that is received."""
    return {
        m.StartScan: _heard_by_source(truth, checks_of("received StartScan")),
        m.SealIncremental: _heard_by_target(truth, checks_of("received SealIncremental"), _seal),
        m.Finalize: _heard_by_target(truth, checks_of("received Finalize"), _finalize),
        m.CancelRestore: _stopped(truth),
        m.OpenStream: _heard_on_stream(truth, checks_of("received OpenStream"), _opened),
        m.ApplyChanges: _heard_on_stream(truth, checks_of("received ApplyChanges"), _admit),
        m.StreamOpened: _answered(truth, checks_of("received StreamOpened")),
        m.ChangesApplied: _answered(truth, checks_of("received ChangesApplied")),
        m.CompletionNotification: _reported(truth, checks_of("received CompletionNotification")),
        m.ScanProgress: _ignored,
        m.IncrementalSealed: _told_by_target(
            truth, checks_of("received IncrementalSealed"), _hear_seal
        ),
        m.Finalized: _told_by_target(truth, checks_of("received Finalized"), _hear_final_rows),
        m.Refused: _refused(truth),
    }


def _ignored(now: int, sender: str, receiver: str, message: Any) -> None:
    """Nothing is judged of it."""


# --- What a coordinator sends.


def _asked(truth: Truth, checks_of: ChecksOf, kind: str) -> Tell:
    checks, objections = checks_of(f"sent {kind}"), checks_of("sent under no generation")

    def tell(now: int, sender: str, receiver: str, message: Order) -> None:
        asked = message.scan if isinstance(message, m.StartScan) else message
        if truth.restore != asked.restore:
            return
        history = truth.by_generation.get(message.generation)
        if history is None:
            for object_to in objections:
                object_to(now, receiver, message)
            return
        for check in checks:
            check(now, history, receiver, message)
        if isinstance(message, m.CancelRestore):
            history.untold.pop(receiver, None)
        else:
            history.ask(now, receiver, message)
            truth.say(message, receiver)

    return tell


# --- What shards send.


def _sent_by_source(truth: Truth, checks: Checks, take: Callable[[int, Stream, Any], None]) -> Tell:
    def tell(now: int, sender: str, receiver: str, message: m.OpenStream | m.ApplyChanges) -> None:
        stream = truth.stream(receiver, message.scan)
        if stream is None or sender != message.scan.source:
            return
        for check in checks:
            check(now, stream, message)
        stream.source.spoken = (message.generation, stream.incremental, stream.attempt)
        take(now, stream, message)

    return tell


def _ask_for_watermark(now: int, stream: Stream, message: m.OpenStream) -> None:
    stream.ask()
    if not stream.asks:
        stream.asks_since = now
    stream.asks += 1
    stream.opens[message.generation] = None


def _send_batch(now: int, stream: Stream, message: m.ApplyChanges) -> None:
    stream.ask()
    stream.sent[message.order] = (message.rows, message.digest)


def _answered_by_target(truth: Truth, checks: Checks) -> Tell:
    def tell(
        now: int, sender: str, receiver: str, message: m.StreamOpened | m.ChangesApplied
    ) -> None:
        stream = truth.stream(sender, message.scan)
        if stream is None:
            return
        for check in checks:
            check(now, stream, message)
        stream.answers[message.generation, message.watermark] = None

    return tell


def _told_by_source(
    truth: Truth, checks: Checks, take: Callable[[Truth, Source, Any], None]
) -> Tell:
    def tell(
        now: int, sender: str, receiver: str, message: m.CompletionNotification | m.ScanProgress
    ) -> None:
        source = truth.sources.get(sender)
        if source is None or message.scan.restore != truth.restore:
            return
        for check in checks:
            check(now, source, message)
        scan = message.scan
        source.spoken = (message.generation, scan.incremental, scan.attempt)
        take(truth, source, message)

    return tell


def _report(truth: Truth, source: Source, message: m.CompletionNotification) -> None:
    scan = message.scan
    source.reports[scan.incremental, scan.attempt] = message
    truth.say(message)


def _sample(truth: Truth, source: Source, message: m.ScanProgress) -> None:
    """A sample is forgotten."""


def _told_by_target(
    truth: Truth, checks: Checks, take: Callable[[Truth, Target, Any], None]
) -> Tell:
    def tell(
        now: int, sender: str, receiver: str, message: m.IncrementalSealed | m.Finalized
    ) -> None:
        target = truth.targets.get(sender)
        if target is None or message.restore != truth.restore:
            return
        for check in checks:
            check(now, target, message)
        take(truth, target, message)

    return tell


def _say(truth: Truth, target: Target, message: m.IncrementalSealed | m.Finalized) -> None:
    truth.say(message, target.name)


# --- What shards receive.


def _heard_by_source(truth: Truth, checks: Checks) -> Tell:
    def tell(now: int, sender: str, receiver: str, message: m.StartScan) -> None:
        source, scan = truth.sources.get(receiver), message.scan
        if source is None or scan.restore != truth.restore or scan.source != receiver:
            return
        for check in checks:
            check(now, source, message)
        if message.generation > source.generation:
            source.generation = message.generation
            if (scan.incremental, scan.attempt) < source.spoken[1:]:
                source.stop()  # A newer coordinator is obeyed, however old its history is.
        source.asked[scan.incremental, scan.attempt] = None

    return tell


def _heard_by_target(truth: Truth, checks: Checks, take: Callable[[Target, Any], None]) -> Tell:
    def tell(now: int, sender: str, receiver: str, message: m.SealIncremental | m.Finalize) -> None:
        target = truth.targets.get(receiver)
        if target is None or message.restore != truth.restore:
            return
        for check in checks:
            check(now, target, message)
        if target.admits(message.generation):
            take(target, message)

    return tell


def _seal(target: Target, message: m.SealIncremental) -> None:
    target.seal_asked[message.incremental] = message.sent


def _finalize(target: Target, _: m.Finalize) -> None:
    target.finalize_asked = True


def _stopped(truth: Truth) -> Tell:
    def tell(now: int, sender: str, receiver: str, message: m.CancelRestore) -> None:
        if message.restore != truth.restore:
            return
        source, target = truth.sources.get(receiver), truth.targets.get(receiver)
        if source is not None and 0 < source.generation <= message.generation:
            source.stop()
            source.cancelled = message.generation
        if target is not None and message.generation >= target.heard:
            target.cancelled = max(target.cancelled, message.generation)

    return tell


def _heard_on_stream(truth: Truth, checks: Checks, take: Callable[[Stream, Any], None]) -> Tell:
    def tell(now: int, sender: str, receiver: str, message: m.OpenStream | m.ApplyChanges) -> None:
        stream = truth.stream(receiver, message.scan)
        if stream is None or sender != message.scan.source:
            return
        for check in checks:
            check(now, stream, message)
        if stream.target.admits(message.generation):
            take(stream, message)

    return tell


def _opened(stream: Stream, _: m.OpenStream) -> None:
    """Only that its generation was heard counts."""


def _admit(stream: Stream, message: m.ApplyChanges) -> None:
    if message.order > stream.end:
        stream.admitted[message.order] = (message.rows, message.digest)


def _answered(truth: Truth, checks: Checks) -> Tell:
    def tell(
        now: int, sender: str, receiver: str, message: m.StreamOpened | m.ChangesApplied
    ) -> None:
        stream = truth.stream(sender, message.scan)
        if stream is None:
            return
        for check in checks:
            check(now, stream, message)
        stream.hear(message.watermark)

    return tell


# --- What a coordinator receives.


def _reported(truth: Truth, checks: Checks) -> Tell:
    def tell(now: int, sender: str, receiver: str, message: m.CompletionNotification) -> None:
        source, scan = truth.sources.get(sender), message.scan
        if source is None or scan.restore != truth.restore or scan.source != sender:
            return
        for check in checks:
            check(now, source, message)
        key = (scan.source, scan.incremental, scan.attempt)
        heard = truth.reports_heard.setdefault(key, [])
        if message not in heard:
            heard.append(message)

    return tell


def _refused(truth: Truth) -> Tell:
    def tell(now: int, sender: str, receiver: str, message: m.Refused) -> None:
        scan = message.scan
        if message.restore != truth.restore and scan is None:
            return
        if message.reason is m.Reason.STALE_GENERATION:
            _learn_who_commands(truth, sender, receiver, message.generation)
        if scan is not None:
            if message.reason in _NEVER_SCANS and sender == scan.source:
                key = (scan.source, scan.incremental, scan.attempt)
                truth.refusals_heard[key] = None
            return
        for history in truth.histories.values():
            # It has answered; it is asked again when its patience allows.
            history.asked.pop(sender, None)

    return tell


def _learn_who_commands(truth: Truth, sender: str, receiver: str, generation: int) -> None:
    """A coordinator is told that it was overtaken; one that has ended is only told that shards do
    no more for it, as it has asked of them."""
    history = truth.by_generation.get(generation)
    if history is None or truth.histories.get(receiver) is not history:
        return  # Another one's question: every coordinator hears what is said to any.
    if history.generation == generation and history.halt in _HAS_ENDED:
        return
    truth.overtaken.setdefault(generation, sender)


def _hear_seal(truth: Truth, target: Target, message: m.IncrementalSealed) -> None:
    truth.seals_heard[target.name, message.incremental] = message


def _hear_final_rows(truth: Truth, target: Target, message: m.Finalized) -> None:
    truth.finals_heard[target.name] = message
