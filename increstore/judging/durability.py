"""Durability: nothing is said before it is written, and nothing that was said is ever lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from increstore.judging.history import PAUSED
from increstore.judging.monitor import Monitor, invariant, part_of
from increstore.protocol.messages import Status
from increstore.protocol.target_state import TargetState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.judging.history import History
    from increstore.judging.streams import Source, Stream, Target
    from increstore.protocol.messages import (
        CancelRestore,
        ChangesApplied,
        CompletionNotification,
        Finalize,
        Finalized,
        IncrementalSealed,
        ScanProgress,
        SealIncremental,
        StartScan,
        StreamEvidence,
        StreamOpened,
    )
    from increstore.protocol.records import Record

    Order: TypeAlias = StartScan | SealIncremental | Finalize | CancelRestore


class Durability(Monitor):
    group = "durability"

    @invariant("D1", "durable-before-said", "sent under no generation")
    def durable_before_said(self, now: int, receiver: str, message: Order) -> None:
        """What a message rests on is durable before it is sent: the generation before anything, the
        start of an incremental and of an attempt before its scan is asked for, all successes before
        a seal, the end of the chain before the final rows, a failure or cancellation before shards
        are told to stop; a seal, final rows and the generation before a target speaks of them."""
        raise self.violated(
            "D1", now, receiver,
            f"{type(message).__name__} of generation {message.generation} was sent, which is not "
            "durable",
        )  # fmt: skip

    @part_of("D1", "sent StartScan")
    def scan_was_begun(self, now: int, history: History, receiver: str, message: StartScan) -> None:
        asked, scan = message.scan, history.scans.get(message.scan.source)
        if not history.is_open or asked.incremental != history.incremental:
            raise self.violated(
                "D1", now, receiver,
                f"a scan of incremental {asked.incremental} was asked for; durable is that "
                f"{history.incremental} is {'open' if history.is_open else 'over'}",
            )  # fmt: skip
        if scan is not None and asked.attempt != scan.attempt:
            raise self.violated(
                "D1", now, receiver,
                f"attempt {asked.attempt} of incremental {asked.incremental}, {asked.source} was "
                f"asked for; durable is attempt {scan.attempt}",
            )  # fmt: skip

    @part_of("D1", "sent SealIncremental")
    def successes_are_durable(
        self, now: int, history: History, receiver: str, message: SealIncremental
    ) -> None:
        reports = history.reports.get(message.incremental, {})
        missing = [source for source in history.scans if source not in reports]
        if not history.is_open or message.incremental != history.incremental or missing:
            raise self.violated(
                "D1", now, receiver,
                f"a seal of incremental {message.incremental} was asked for while "
                f"{f'{missing[0]} had not succeeded' if missing else 'it was not open'}",
            )  # fmt: skip

    @part_of("D1", "sent Finalize")
    def finalizing_is_durable(
        self, now: int, history: History, receiver: str, message: Finalize
    ) -> None:
        if not history.is_finalizing:
            raise self.violated(
                "D1", now, receiver,
                f"final rows were asked for while incremental {history.incremental} was "
                f"{'open' if history.is_open else 'the last one started'}",
            )  # fmt: skip

    @part_of("D1", "sent CancelRestore")
    def the_end_is_durable(
        self, now: int, history: History, receiver: str, message: CancelRestore
    ) -> None:
        if history.is_active or history.halt == PAUSED:
            raise self.violated(
                "D1", now, receiver, "it was told to stop, and no end of the restore is durable"
            )

    @part_of("D1", "sent IncrementalSealed")
    def seal_is_durable(self, now: int, target: Target, message: IncrementalSealed) -> None:
        self._require_seen(now, target, message.generation)
        if target.sealed.get(message.incremental) != message.applied:
            raise self.violated(
                "D1", now, target.name,
                f"told that incremental {message.incremental} is sealed "
                f"{'so' if message.incremental in target.sealed else ''}, which is not durable",
            )  # fmt: skip

    @part_of("D1", "sent Finalized")
    def final_rows_are_durable(self, now: int, target: Target, message: Finalized) -> None:
        self._require_seen(now, target, message.generation)
        if target.finalized != (message.rows, message.digest):
            raise self.violated(
                "D1", now, target.name,
                f"told of {message.rows} final rows; durable are {target.finalized}",
            )  # fmt: skip

    @part_of("D1", "sent StreamOpened", "sent ChangesApplied")
    def generation_is_durable(
        self, now: int, stream: Stream, message: StreamOpened | ChangesApplied
    ) -> None:
        if message.generation > stream.target.generation:
            self._require_seen(now, stream.target, message.generation)

    def _require_seen(self, now: int, target: Target, generation: int) -> None:
        if generation > target.generation:
            raise self.violated(
                "D1", now, target.name,
                f"obeyed generation {generation}; durably seen is {target.generation}",
            )  # fmt: skip

    @invariant("D2", "never-ahead-of-the-disk", "sent ChangesApplied", "sent StreamOpened")
    def never_ahead_of_the_disk(
        self, now: int, stream: Stream, message: ChangesApplied | StreamOpened
    ) -> None:
        """Progress that is told, to a peer or to people, is never ahead of what is durable."""
        if message.watermark > stream.end:
            raise self.violated(
                "D2", now, stream.target.name,
                f"told that {message.watermark} batches of {stream} are applied; durable are "
                f"{stream.end}",
            )  # fmt: skip

    @part_of("D2", "sent ScanProgress")
    def samples_are_durable(self, now: int, source: Source, message: ScanProgress) -> None:
        scan = message.scan
        durable = self.truth.rows_applied.get((scan.source, scan.incremental, scan.attempt), 0)
        if message.rows_applied > durable and not self._is_half_seen(source):
            raise self.violated(
                "D2", now, source.name,
                f"told that {message.rows_applied} rows of incremental {scan.incremental}, attempt "
                f"{scan.attempt} are applied; durable are {durable}",
            )  # fmt: skip

    @part_of("D2", "sent CompletionNotification")
    def failures_are_durable(
        self, now: int, source: Source, report: CompletionNotification
    ) -> None:
        if report.status is Status.SUCCESS:
            return  # C1 asks for more.
        for evidence in report.evidence:
            stream = self.truth.stream(evidence.target, report.scan)
            best = stream.best if stream is not None else 0
            if evidence.batches > best and not self._is_half_seen(source):
                raise self.violated(
                    "D2", now, source.name,
                    f"told that {evidence.batches} batches of incremental "
                    f"{report.scan.incremental}, attempt {report.scan.attempt} are applied by "
                    f"{evidence.target}; durable are {best}",
                )  # fmt: skip

    def _is_half_seen(self, source: Source) -> bool:
        return any(self.truth.targets[name].is_blind for name in source.table.targets)

    @invariant("D3", "nothing-acknowledged-is-lost", "recovered")
    def nothing_acknowledged_is_lost(
        self, now: int, node: str, state: TargetState | Sequence[Record]
    ) -> None:
        """A node comes up with everything that was durable when it went down: batches, seals, final
        rows and the generation of a target, every record of a coordinator; and beyond that with
        nothing but what was under way."""
        target = self.truth.targets.get(node)
        if target is None:
            self._require_history(now, self.truth.histories[node], state)
        elif node not in self.truth.rolled_back:
            assert isinstance(state, TargetState)
            self._require_state(now, target, state)

    def _require_history(self, now: int, history: History, found: Any) -> None:
        known = len(history.records)
        if history.name in self.truth.rolled_back:
            return
        for place, (recorded, record) in enumerate(zip(history.records, found, strict=False)):
            if recorded != record:
                raise self.violated(
                    "D3", now, history.name,
                    f"record {place + 1} of its history was {recorded} and is now {record}",
                )  # fmt: skip
        if len(found) < known:
            raise self.violated(
                "D3", now, history.name,
                f"its history has {len(found)} records; {known} were durable",
            )  # fmt: skip

    def _require_state(self, now: int, target: Target, state: TargetState) -> None:
        for incremental, streams in target.sealed.items():
            if state.sealed.get(incremental) != streams:
                raise self._lost(now, target, f"the seal of incremental {incremental}")
        if target.finalized is not None and state.finalized != target.finalized:
            raise self._lost(now, target, "its final rows")
        if state.generation < target.generation:
            raise self._lost(now, target, f"generation {target.generation}")
        self._require_streams(now, target, state)

    def _require_streams(self, now: int, target: Target, state: TargetState) -> None:
        found = {
            (scan.source, scan.incremental, scan.attempt): stream.watermark
            for scan, stream in state.streams.items()
        }
        newer = {(source, incremental): attempt for source, incremental, attempt in sorted(found)}
        for (source, incremental, attempt), stream in target.streams.items():
            if not stream.end or incremental in state.sealed:
                continue
            if newer.get((source, incremental), 0) > attempt:
                continue  # A later attempt was under way, and takes its place.
            if found.get((source, incremental, attempt), 0) < stream.end:
                raise self._lost(now, target, f"batch {stream.end} of {stream}")

    def _lost(self, now: int, target: Target, what: str) -> Exception:
        return self.violated("D3", now, target.name, f"came up without {what}, which was durable")

    @invariant("D5", "damage-is-never-taken-for-data", "recovered")
    def damage_is_never_taken_for_data(
        self, now: int, node: str, state: TargetState | Sequence[Record]
    ) -> None:
        """What a target comes up with is what it was sent: its rows and digest after so many
        batches are those of these batches. Damage is a torn tail and is cut, or an error."""
        target = self.truth.targets.get(node)
        if target is None:
            return
        assert isinstance(state, TargetState)
        for scan, durable in state.streams.items():
            stream = self.truth.stream(node, scan)
            if stream is None:
                raise self.violated("D5", now, node, f"came up with a stream of {scan}")
            wanted = stream.totals.get(durable.watermark) or stream.owed_at(durable.watermark)
            if wanted is not None and wanted != (durable.rows, durable.digest):
                raise self.violated(
                    "D5", now, node,
                    f"came up with {durable.watermark} batches of {stream} that hold "
                    f"{durable.rows} rows (digest {durable.digest:016x}); expected {wanted[0]} "
                    f"rows (digest {wanted[1]:016x})",
                )  # fmt: skip

    @invariant("D6", "no-write-after-a-failed-one", "applied")
    def no_write_after_a_failed_one(
        self, now: int, stream: Stream, order: int, rows: int, digest: int
    ) -> None:
        """After a write has failed, what is durable is not known: the node writes nothing more in
        this life, and begins another one from what it finds."""
        if stream.target.has_failed:
            raise self._wrote_on(now, stream.target)

    @part_of("D6", "sealed")
    def no_seal_after_a_failed_write(
        self, now: int, target: Target, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        if target.has_failed:
            raise self._wrote_on(now, target)

    def _wrote_on(self, now: int, target: Target) -> Exception:
        return self.violated("D6", now, target.name, "wrote on after a write had failed")
