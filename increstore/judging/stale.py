"""Stale and foreign: what is of another life, attempt, incremental or restore has no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from increstore.judging.completion import is_same
from increstore.judging.history import CANCELLED, COMPLETED
from increstore.judging.monitor import Monitor, invariant, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.judging.history import History
    from increstore.judging.streams import Source, Stream, Target
    from increstore.protocol.messages import (
        ApplyChanges,
        CancelRestore,
        CompletionNotification,
        Finalize,
        OpenStream,
        ScanId,
        ScanProgress,
        SealIncremental,
        StartScan,
        StreamEvidence,
    )
    from increstore.protocol.records import GenerationSeen, ScanReported

    Order: TypeAlias = StartScan | SealIncremental | Finalize | CancelRestore


class Stale(Monitor):
    group = "stale and foreign"

    @invariant("S1", "this-generation", "recorded ScanReported")
    def this_generation(self, now: int, history: History, record: ScanReported) -> None:
        """A report counts only when it names the generation of the coordinator that records it."""
        scan = record.scan
        said = self.truth.reports_heard.get((scan.source, scan.incremental, scan.attempt), ())
        other = None
        for report in said:
            if is_same(report, record):
                if report.generation == history.generation:
                    return
                other = report.generation
        if other is not None:
            raise self.violated(
                "S1", now, history.name,
                f"a report of incremental {scan.incremental}, {scan.source} for generation {other} "
                f"was recorded by generation {history.generation}",
            )  # fmt: skip

    @invariant("S2", "what-is-awaited", "recorded ScanReported")
    def what_is_awaited(self, now: int, history: History, record: ScanReported) -> None:
        """A report counts only when it names this restore, the incremental that is open, a source
        shard of it, and the attempt at hand."""
        reported, scan = record.scan, history.scans.get(record.scan.source)
        if (
            reported.restore != self.truth.restore
            or not history.is_open
            or reported.incremental != history.incremental
            or scan is None
            or reported.attempt != scan.attempt
        ):
            at_hand = "nothing" if scan is None else f"attempt {scan.attempt}"
            raise self.violated(
                "S2", now, history.name,
                f"a report of {reported.restore}, incremental {reported.incremental}, "
                f"{reported.source}, attempt {reported.attempt} was recorded while incremental "
                f"{history.incremental} awaited {at_hand} of it",
            )  # fmt: skip

    @part_of("S2", "applied elsewhere")
    def nothing_foreign_is_applied(self, now: int, node: str, scan: ScanId) -> None:
        raise self.violated(
            "S2", now, node, f"a batch of {scan} was applied, which is not of this restore or table"
        )

    @invariant("S3", "the-dead-write-nothing", "applied")
    def the_dead_write_nothing(
        self, now: int, stream: Stream, order: int, rows: int, digest: int
    ) -> None:
        """A node that is down makes nothing durable: no write of a dead incarnation reaches the
        state of the next one."""
        self._require_up(now, stream.target)

    @part_of("S3", "sealed")
    def the_dead_seal_nothing(
        self, now: int, target: Target, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        self._require_up(now, target)

    @part_of("S3", "finalized")
    def the_dead_finalize_nothing(self, now: int, target: Target, rows: int, digest: int) -> None:
        self._require_up(now, target)

    def _require_up(self, now: int, target: Target) -> None:
        if not target.is_up:
            raise self.violated("S3", now, target.name, "it wrote after its life had ended")

    @invariant("S4", "generations-rise", "recorded GenerationSeen")
    def generations_rise(self, now: int, target: Target, record: GenerationSeen) -> None:
        """A target durably remembers only ever higher generations, and only such as a coordinator
        has durably begun."""
        if record.generation <= target.generation:
            raise self.violated(
                "S4", now, target.name,
                f"generation {record.generation} was remembered after {target.generation}",
            )  # fmt: skip
        if record.generation > self.truth.generation:
            raise self.violated(
                "S4", now, target.name,
                f"generation {record.generation} was remembered; the highest that was begun is "
                f"{self.truth.generation}",
            )  # fmt: skip

    @invariant("S5", "obeys-the-newest", "applied")
    def obeys_the_newest(
        self, now: int, stream: Stream, order: int, rows: int, digest: int
    ) -> None:
        """A target applies, seals and makes final only what a message asked for that came under the
        newest generation it knows, and not after that generation was cancelled."""
        asked = stream.admitted.get(order)
        if asked != (rows, digest):
            raise self.violated(
                "S5", now, stream.target.name,
                f"batch {order} of {stream} was applied, which no coordinator that it obeys "
                f"{'has had sent' if asked is None else 'has had sent like this'}",
            )  # fmt: skip

    @part_of("S5", "sealed")
    def seals_for_the_newest(
        self, now: int, target: Target, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        asked = target.seal_asked.get(incremental)
        if asked is None or tuple(streams) != asked:
            raise self.violated(
                "S5", now, target.name,
                f"incremental {incremental} was sealed, which no coordinator that it obeys has "
                f"asked for{'' if asked is None else ' like this'}",
            )  # fmt: skip

    @part_of("S5", "finalized")
    def finalizes_for_the_newest(self, now: int, target: Target, rows: int, digest: int) -> None:
        if not target.finalize_asked:
            raise self.violated(
                "S5", now, target.name,
                "final rows were made, which no coordinator that it obeys has asked for",
            )  # fmt: skip

    @invariant("S6", "the-end-is-the-end", "recorded *")
    def the_end_is_the_end(self, now: int, history: History, record: Any) -> None:
        """After a restore is completed or cancelled, nothing is recorded any more: late messages do
        not bring it back."""
        if history.halt in (COMPLETED, CANCELLED):
            raise self.violated(
                "S6", now, history.name,
                f"{type(record).__name__} was recorded after the restore was {history.halt}",
            )  # fmt: skip

    @invariant(
        "S7", "works-when-asked",
        "sent OpenStream", "sent ApplyChanges",
    )  # fmt: skip
    def works_when_asked(
        self, now: int, stream: Stream, message: OpenStream | ApplyChanges
    ) -> None:
        """A source shard works and speaks only for a scan that it was asked for in this life, under
        a generation that it was told of."""
        self._require_asked(now, stream.source, message.scan, message.generation)

    @part_of("S7", "sent CompletionNotification", "sent ScanProgress")
    def speaks_when_asked(
        self, now: int, source: Source, message: CompletionNotification | ScanProgress
    ) -> None:
        self._require_asked(now, source, message.scan, message.generation)

    def _require_asked(self, now: int, source: Source, scan: ScanId, generation: int) -> None:
        if (scan.incremental, scan.attempt) not in source.asked or generation > source.generation:
            raise self.violated(
                "S7", now, source.name,
                f"it works for incremental {scan.incremental}, attempt {scan.attempt} under "
                f"generation {generation}, and was not asked to in this life",
            )  # fmt: skip

    @invariant("S8", "silent-when-told-to-stop", "sent OpenStream", "sent ApplyChanges")
    def silent_when_told_to_stop(
        self, now: int, stream: Stream, message: OpenStream | ApplyChanges
    ) -> None:
        """A source shard that was told to stop sends nothing more for the coordinator that said so,
        nor for one before it, until it has started again."""
        self._require_not_stopped(now, stream.source, message.generation)

    @part_of("S8", "sent CompletionNotification", "sent ScanProgress")
    def reports_nothing_when_told_to_stop(
        self, now: int, source: Source, message: CompletionNotification | ScanProgress
    ) -> None:
        self._require_not_stopped(now, source, message.generation)

    def _require_not_stopped(self, now: int, source: Source, generation: int) -> None:
        if generation <= source.cancelled:
            raise self.violated(
                "S8", now, source.name,
                f"it goes on for generation {generation}, and was told to stop by generation "
                f"{source.cancelled}",
            )  # fmt: skip

    @invariant("S9", "overtaken-falls-silent", "recorded *")
    def overtaken_falls_silent(self, now: int, history: History, record: Any) -> None:
        """Once a newer coordinator has begun, an older one records nothing more: the log is the
        newer one's. And once a shard has told a coordinator that it obeys a newer one, it asks and
        tells nobody anything any more."""
        for other in self.truth.histories.values():
            if other.generation > history.generation:
                raise self.violated(
                    "S9", now, history.name,
                    f"{type(record).__name__} was recorded by generation {history.generation} "
                    f"after generation {other.generation} had begun",
                )  # fmt: skip
        if not history.must_begin:  # A new life is of another generation.
            self._require_not_overtaken(now, history.name, history.generation, "recorded", record)

    @part_of("S9", "sent StartScan", "sent SealIncremental", "sent Finalize", "sent CancelRestore")
    def overtaken_asks_nothing(
        self, now: int, history: History, receiver: str, message: Order
    ) -> None:
        name = history.name
        self._require_not_overtaken(now, name, message.generation, f"sent {receiver}", message)

    def _require_not_overtaken(
        self, now: int, name: str, generation: int, did: str, what: Any
    ) -> None:
        teller = self.truth.overtaken.get(generation)
        if teller is not None:
            raise self.violated(
                "S9", now, name,
                f"generation {generation} {did} {type(what).__name__} after {teller} had told it "
                "that it obeys a newer one",
            )  # fmt: skip
