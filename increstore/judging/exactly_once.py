"""Exactly once: however often something is said, it counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.judging.monitor import Monitor, invariant, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.judging.history import History
    from increstore.judging.streams import Source, Stream
    from increstore.protocol.messages import (
        ApplyChanges,
        CompletionNotification,
        OpenStream,
        ScanId,
        ScanProgress,
    )
    from increstore.protocol.ready import Batch
    from increstore.protocol.records import RestoreAccepted, ScanReported


class ExactlyOnce(Monitor):
    group = "exactly once"

    @invariant("E1", "applied-once", "applied")
    def applied_once(self, now: int, stream: Stream, order: int, rows: int, digest: int) -> None:
        """A batch of one attempt of a scan changes a target's rows at most once."""
        if order <= stream.end:
            raise self.violated(
                "E1", now, stream.target.name,
                f"batch {order} of {stream} was applied again, after batch {stream.end}",
            )  # fmt: skip

    @invariant("E2", "one-number-one-batch", "sent ApplyChanges")
    def one_number_one_batch(self, now: int, stream: Stream, message: ApplyChanges) -> None:
        """An order names the same batch in every repetition and every life of the source, so that
        applying what is already there would change nothing."""
        before = stream.sent.get(message.order)
        if before is not None and before != (message.rows, message.digest):
            raise self.violated(
                "E2", now, stream.source.name,
                f"batch {message.order} of {stream} for {stream.target.name} was "
                f"{_batch(*before)} and is now {_batch(message.rows, message.digest)}",
            )  # fmt: skip

    @part_of("E2", "applied")
    def applied_as_sent(self, now: int, stream: Stream, order: int, rows: int, digest: int) -> None:
        sent = stream.sent.get(order)
        if sent is not None and sent != (rows, digest):
            raise self.violated(
                "E2", now, stream.target.name,
                f"batch {order} of {stream} was sent as {_batch(*sent)} and applied as "
                f"{_batch(rows, digest)}",
            )  # fmt: skip

    @invariant("E3", "newest-attempt-only", "applied")
    def newest_attempt_only(
        self, now: int, stream: Stream, order: int, rows: int, digest: int
    ) -> None:
        """Once a target has applied something of a later attempt, nothing of an earlier attempt of
        the same scan is applied any more."""
        newest = stream.target.attempts.get((stream.source.name, stream.incremental), 0)
        if stream.attempt < newest:
            raise self.violated(
                "E3", now, stream.target.name,
                f"batch {order} of {stream} was applied after batches of attempt {newest}",
            )  # fmt: skip

    @invariant("E4", "one-living-scan", "sent ApplyChanges", "sent OpenStream")
    def one_living_scan(self, now: int, stream: Stream, message: ApplyChanges | OpenStream) -> None:
        """A source shard has one living scan: it never goes back to an earlier one for the same
        coordinator, and a repeated `StartScan` does not begin the same scan again."""
        source = stream.source
        speaks = (message.generation, stream.incremental, stream.attempt)
        if speaks < source.spoken:
            raise self._went_back(now, source, speaks)

    @part_of("E4", "sent ScanProgress", "sent CompletionNotification")
    def one_scan_is_told_of(
        self, now: int, source: Source, message: ScanProgress | CompletionNotification
    ) -> None:
        scan = message.scan
        speaks = (message.generation, scan.incremental, scan.attempt)
        if speaks < source.spoken:
            raise self._went_back(now, source, speaks)

    def _went_back(self, now: int, source: Source, speaks: tuple[int, int, int]) -> Exception:
        return self.violated(
            "E4", now, source.name,
            f"spoke of incremental {speaks[1]}, attempt {speaks[2]} (generation {speaks[0]}) after "
            f"incremental {source.spoken[1]}, attempt {source.spoken[2]} (generation "
            f"{source.spoken[0]})",
        )  # fmt: skip

    @part_of("E4", "scan_read")
    def read_once(
        self, now: int, node: str, scan: ScanId, page: int, rows: int,
        batches: Sequence[Batch], last: bool,
    ) -> None:  # fmt: skip
        source = self.truth.sources[node]
        if source.reads.get((scan.incremental, scan.attempt, page), 0) > source.cancels:
            raise self.violated(
                "E4", now, node,
                f"page {page} of incremental {scan.incremental}, attempt {scan.attempt} was read "
                "twice in one life: the scan was begun again",
            )  # fmt: skip

    @invariant("E5", "counted-once", "recorded ScanReported")
    def counted_once(self, now: int, history: History, record: ScanReported) -> None:
        """A scan that has succeeded is never reported again: repeated notifications change
        nothing."""
        scan = record.scan
        if scan.source in history.reports.get(scan.incremental, ()):
            raise self.violated(
                "E5", now, history.name,
                f"incremental {scan.incremental}, {scan.source}: a report of attempt "
                f"{scan.attempt} was recorded after its success",
            )  # fmt: skip

    @invariant("E6", "one-restore", "recorded RestoreAccepted")
    def one_restore(self, now: int, history: History, record: RestoreAccepted) -> None:
        """A restore is accepted once, under the id of its plan; asking again goes on with it."""
        if history.is_accepted:
            raise self.violated("E6", now, history.name, f"{record.restore} was accepted twice")
        if record.restore != self.truth.restore:
            raise self.violated(
                "E6", now, history.name,
                f"restore {record.restore} was accepted; expected {self.truth.restore}",
            )  # fmt: skip

    @invariant("E7", "nothing-known-is-sent-again", "sent ApplyChanges")
    def nothing_known_is_sent_again(self, now: int, stream: Stream, message: ApplyChanges) -> None:
        """What a target has told a source to be applied, that source does not send again in the
        same attempt, as long as it lives: a new life has to be told first."""
        source = stream.source
        if message.order <= stream.known and stream.known_in == source.life and not source.is_blind:
            raise self.violated(
                "E7", now, source.name,
                f"batch {message.order} of {stream} was sent although {stream.target.name} "
                f"has told that {stream.known} are applied",
            )  # fmt: skip


def _batch(rows: int, digest: int) -> str:
    return f"{rows} rows (digest {digest:016x})"
