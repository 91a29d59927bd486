"""One living scan: pages in, ordered batches out, until everything sent is durably applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.errors import LocalProtocolError, RemoteProtocolError
from increstore.protocol.messages import (
    ApplyChanges,
    ChangesApplied,
    CompletionNotification,
    OpenStream,
    Reason,
    Refused,
    ScanId,
    ScanProgress,
    Status,
    StreamOpened,
)
from increstore.protocol.pages import PagesAhead
from increstore.protocol.ready import PageFailed, PageRead, ReadPage
from increstore.protocol.stream import Backlog, ChangeStream

if TYPE_CHECKING:
    from increstore.protocol.outbox import Outbox

_SECOND = 1_000_000_000

_STATUS_OF_REFUSAL = {
    Reason.STALE_ATTEMPT: Status.TRANSIENT,
    Reason.STORAGE_FAILED: Status.TRANSIENT,
    Reason.INCREMENTAL_NOT_DUE: Status.TRANSIENT,
    Reason.STALE_INCREMENTAL: Status.FATAL,
    Reason.UNKNOWN_RESTORE: Status.FATAL,
    Reason.UNKNOWN_SHARD: Status.FATAL,
    Reason.STORAGE_CORRUPTED: Status.FATAL,
    Reason.BATCH_REJECTED: Status.FATAL,
}
"""How a target's refusal ends the scan. A higher attempt always starts a stream anew, so a stale
one is worth another try; the coordinator that already knows better drops the report. An incremental
is asked for after all seals before it, so where it is not due a seal was lost with a disk: no use
waiting, but the right disk may come back. Reasons not named here do not end a scan."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Bounds and patience of a source shard; times in nanoseconds."""

    pages_ahead: int = 2
    window_batches: int = 8
    """Batches of one stream on their way or not yet applied."""
    bytes_max: int = 64 << 20
    """Payload bytes of one scan held in memory; one page more may be read at this limit."""
    repeat_ns: int = _SECOND
    """Between two `OpenStream` that must be answered before more is sent."""
    resend_ns: int = 2 * _SECOND
    """Without progress on what was sent, before the target is asked where it is."""
    progress_ns: int = _SECOND // 2
    """Between two samples of progress, and the grain of the two above."""

    def __post_init__(self) -> None:
        assert self.pages_ahead >= 1
        assert self.window_batches >= 1
        assert 0 < self.progress_ns <= self.resend_ns


class SourceScan:
    """Reads, routes and repeats for one `ScanId` until its report exists.

    Invariant: the report says SUCCESS only after the last page was routed and every batch of
    every stream is known to be durably applied (sent == applied, never "scan exhausted").
    """

    __slots__ = (
        "_config",
        "_outbox",
        "_pages",
        "backlog",
        "generation",
        "is_fenced",
        "report",
        "rows_scanned",
        "scan",
        "streams",
    )

    def __init__(self, scan: ScanId, generation: int, config: SourceConfig, outbox: Outbox) -> None:
        self.scan = scan
        self.generation = generation
        self.report: CompletionNotification | None = None
        self.is_fenced = False
        self.rows_scanned = 0
        self.backlog = Backlog()
        self.streams: dict[str, ChangeStream] = {}
        self._config = config
        self._outbox = outbox
        self._pages = PagesAhead(config.pages_ahead, config.bytes_max)

    # --- What happens to it.

    def adopt(self, now: int, generation: int) -> None:
        """Go on for a newer coordinator, with everything that was read and sent."""
        assert generation > self.generation
        self.generation = generation
        if self.is_fenced:
            self.is_fenced = False
            for stream in self.streams.values():
                stream.close_for_reopening()
                self._open(now, stream)

    def take_page(self, now: int, page: PageRead | PageFailed, targets: frozenset[str]) -> None:
        self._pages.arrive(page)
        while self.report is None and (ready := self._pages.take()) is not None:
            if isinstance(ready, PageRead):
                self._route(now, ready, targets)
            else:
                status = Status.TRANSIENT if ready.transient else Status.FATAL
                self.fail(status, f"page {ready.page}: {ready.error}")

    def hear(self, now: int, target: str, message: StreamOpened | ChangesApplied) -> None:
        """What a target says about its durable watermark."""
        stream = self.streams.get(target)
        if stream is None:
            return
        try:
            if isinstance(message, StreamOpened):
                stream.answer(now, message.watermark)
            else:
                stream.apply_up_to(now, message.watermark)
        except RemoteProtocolError as error:
            self.fail(Status.TRANSIENT, str(error))
            return
        self._send_due(now, stream)

    def hear_refusal(self, target: str, refused: Refused) -> None:
        """A target's no: it ends the scan, or fences it."""
        if refused.reason is Reason.STALE_GENERATION:
            # Someone newer commands; until that one speaks to us too, we only keep what we have.
            self.is_fenced = self.is_fenced or refused.generation >= self.generation
            return
        status = _STATUS_OF_REFUSAL.get(refused.reason)
        if status is not None:
            self.fail(status, f"{target}: {refused.reason.value}: {refused.detail}")

    def fail(self, status: Status, error: str) -> None:
        """End the scan; the evidence then says what had been applied until now."""
        assert status is not Status.SUCCESS
        self._end(status, error)

    # --- What it does.

    def advance(self) -> None:
        """Ask for pages while there is room, and end when all is read and applied."""
        if self.report is not None:
            return
        while (page := self._pages.next_to_ask(self.backlog.bytes)) is not None:
            self._outbox.effect(ReadPage(self.scan, page))
        if self._pages.ended and self.backlog.batches == 0:
            self._end_completely_applied()

    def repeat(self, now: int) -> None:
        """Ask every silent target again. Called once per `progress_ns`."""
        if self.report is not None or self.is_fenced:
            return
        for stream in self.streams.values():
            if stream.is_silent(now, self._config.repeat_ns, self._config.resend_ns):
                self._open(now, stream)

    def progress(self) -> ScanProgress:
        """How far it is, as a sample for the coordinator."""
        streams = self.streams.values()
        return ScanProgress(
            self.scan,
            self.generation,
            self.rows_scanned,
            sum(stream.rows_sent for stream in streams),
            sum(stream.rows_applied for stream in streams),
            tuple((s.target, s.unapplied) for s in streams if s.unapplied),
        )

    # --- Helpers.

    def _route(self, now: int, page: PageRead, targets: frozenset[str]) -> None:
        self.rows_scanned += page.rows
        routed = 0
        for batch in page.batches:
            routed += batch.rows
        if routed != page.rows:
            self.fail(
                Status.FATAL,
                f"page {page.page}: {page.rows} rows were read but {routed} belong to a target; "
                "the key ranges of the targets must cover every key",
            )
            return
        for batch in page.batches:
            if batch.target not in targets:
                raise LocalProtocolError(f"{self.scan.source} has no target {batch.target!r}")
            stream = self.streams.get(batch.target) or self._new_stream(batch.target)
            stream.add(batch)
            self._send_due(now, stream)

    def _new_stream(self, target: str) -> ChangeStream:
        stream = ChangeStream(target, self._config.window_batches, self.backlog)
        self.streams[target] = stream
        return stream

    def _open(self, now: int, stream: ChangeStream) -> None:
        stream.ask(now)
        if not self.is_fenced:
            self._outbox.send(stream.target, OpenStream(self.scan, self.generation))

    def _send_due(self, now: int, stream: ChangeStream) -> None:
        if self.is_fenced:
            return
        for order, batch in stream.take_due(now):
            message = ApplyChanges(
                self.scan, self.generation, order, batch.rows, batch.digest, batch.payload
            )
            self._outbox.send(stream.target, message)

    def _end_completely_applied(self) -> None:
        """All is read and nothing is owed: success, unless a target has more than we ever had."""
        for stream in self.streams.values():
            if stream.watermark > stream.last_order:
                self.fail(
                    Status.TRANSIENT,
                    f"{stream.target} has applied {stream.watermark} batches of this attempt, but "
                    f"the scan has only {stream.last_order}; the backup changed between two reads",
                )
                return
        self._end(Status.SUCCESS, "")

    def _end(self, status: Status, error: str) -> None:
        assert self.report is None, "a scan ends once"
        evidence = tuple(stream.evidence for stream in self.streams.values())
        self.report = CompletionNotification(
            self.scan, self.generation, status, self.rows_scanned, evidence, error
        )
        for stream in self.streams.values():
            stream.discard()
