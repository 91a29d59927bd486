"""The source shard: scans its part of one backup at a time, and always says how that ended.

Rules of this file (the fences; the work is in `source_scan`):
- The highest generation commands. Within one generation only a higher (incremental, attempt)
  replaces the scan at hand; a newer coordinator is obeyed whatever it asks, because its history
  is durable and ours is not.
- Every `StartScan` is answered: one that begins a scan by its first sample or its report, one that
  is repeated at once, by a sample while the scan lives and by its report once it has ended; by a
  refusal when it is not for us or comes too late.
- Nothing here is durable: after a crash the coordinator asks again, and the targets' watermarks
  say what is still owed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from increstore.protocol.fence import Fence, Objection
from increstore.protocol.messages import (
    CancelRestore,
    ChangesApplied,
    Message,
    Reason,
    Refused,
    StartScan,
    Status,
    StreamOpened,
)
from increstore.protocol.outbox import Outbox
from increstore.protocol.ready import Core, Event, PageFailed, PageRead, Ready, Received, TimePassed
from increstore.protocol.source_scan import SourceConfig, SourceScan

if TYPE_CHECKING:
    from increstore.protocol.messages import ScanId

__all__ = ["SourceConfig", "SourceShard", "SourceView", "StreamView"]


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream of the scan at hand."""

    target: str
    may_send: bool
    last_order: int
    sent: int
    watermark: int
    bytes_held: int


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source shard at this moment, for judges and tests; never needed by the protocol."""

    name: str
    generation: int
    scan: ScanId | None
    status: Status | None
    """How the scan ended; None while it lives (or when there is none)."""
    error: str
    rows_scanned: int
    streams: tuple[StreamView, ...]


class SourceShard(Core):
    """One source shard of one restore: that of the first `StartScan`."""

    def __init__(
        self, name: str, targets: tuple[str, ...], config: SourceConfig | None = None
    ) -> None:
        self.name = name
        self.dropped: dict[str, int] = {}
        """Messages that had no effect, counted by why."""
        self._targets = frozenset(targets)  # Only ever asked for membership.
        self._config = config or SourceConfig()
        self._fence = Fence(name, None, 0)
        self._scan: SourceScan | None = None
        self._asker = ""
        self._sweep_at: int | None = None
        self._outbox = Outbox()

    def step(self, now: int, event: Event) -> Ready:
        """Advance by one event. Raises: LocalProtocolError when a batch names no target of ours."""
        match event:
            case Received():
                self._hear(now, event.sender, event.message)
            case PageRead() | PageFailed():
                self._take_page(now, event)
            case TimePassed():
                pass
            case _:
                self._drop(f"{type(event).__name__} is nothing for a source shard")
        self._advance(now)
        return self._outbox.take(self._sweep_at)

    @property
    def generation(self) -> int:
        """The highest coordinator generation obeyed so far."""
        return self._fence.generation

    @property
    def unapplied_bytes(self) -> int:
        """Payload bytes held because no target has confirmed them yet."""
        return self._scan.backlog.bytes if self._scan else 0

    def view(self) -> SourceView:
        scan = self._scan
        if scan is None:
            return SourceView(self.name, self.generation, None, None, "", 0, ())
        return SourceView(
            self.name,
            self.generation,
            scan.scan,
            scan.report.status if scan.report else None,
            scan.report.error if scan.report else "",
            scan.rows_scanned,
            tuple(
                StreamView(s.target, s.may_send, s.last_order, s.sent, s.watermark, s.bytes_held)
                for s in scan.streams.values()
            ),
        )

    # --- The gate.

    def _hear(self, now: int, sender: str, message: Message) -> None:
        match message:
            case ChangesApplied() | StreamOpened():
                living = self._living(message.scan)
                if living is not None:
                    living.hear(now, sender, message)
            case StartScan():
                self._start_scan(now, sender, message)
            case Refused(scan=scan) if scan is not None:
                living = self._living(scan)
                if living is not None and sender in living.streams:
                    living.hear_refusal(sender, message)
            case CancelRestore():
                self._cancel(message)
            case _:
                self._drop(f"{type(message).__name__} is nothing for a source shard")

    def _start_scan(self, now: int, sender: str, message: StartScan) -> None:
        objection = self._objection(message)
        if objection is not None:
            self._drop(objection[0].value)
            self._outbox.send(sender, _refusal(message, objection))
            return
        is_newer = self._fence.adopt(message.scan.restore, message.generation)
        self._asker = sender
        if self._scan is None or (self._scan.scan != message.scan):
            if not is_newer and self._scan is not None and not _is_later(message, self._scan):
                self._drop("overtaken StartScan")
                self._outbox.send(sender, _refusal(message, _overtaken(message, self._scan)))
                return
            self._scan = SourceScan(message.scan, message.generation, self._config, self._outbox)
            self._sweep_at = now + self._config.progress_ns
            return
        if is_newer:
            self._scan.adopt(now, message.generation)
        self._answer(self._scan)

    def _objection(self, message: StartScan) -> Objection | None:
        """Why this `StartScan` is not for us, or comes too late."""
        scan = message.scan
        if scan.source != self.name:
            return Reason.UNKNOWN_SHARD, f"{self.name} is not {scan.source}"
        return self._fence.objection(scan.restore, message.generation)

    def _answer(self, scan: SourceScan) -> None:
        """The report to whoever asks again; a sample while there is none."""
        report = scan.report
        if report is None:
            self._outbox.send(self._asker, scan.progress())
        elif report.generation == self.generation:
            self._outbox.send(self._asker, report)
        else:
            self._outbox.send(self._asker, replace(report, generation=self.generation))

    def _take_page(self, now: int, page: PageRead | PageFailed) -> None:
        scan = self._living(page.scan)
        if scan is not None:
            scan.take_page(now, page, self._targets)

    def _cancel(self, message: CancelRestore) -> None:
        if not self._fence.cancel(message):
            self._drop("CancelRestore of another restore or generation")
            return
        self._scan = None
        self._sweep_at = None

    # --- What follows from it.

    def _advance(self, now: int) -> None:
        scan = self._scan
        if scan is None or self._sweep_at is None:
            return
        scan.advance()
        if scan.report is not None:
            self._sweep_at = None
            self._answer(scan)
        elif now >= self._sweep_at:
            scan.repeat(now)
            self._outbox.send(self._asker, scan.progress())
            self._sweep_at = now + self._config.progress_ns

    def _living(self, scan: ScanId) -> SourceScan | None:
        """The scan at hand, when `scan` names it and it has not ended."""
        if self._scan is None or self._scan.scan != scan or self._scan.report is not None:
            self._drop("of a scan that is not at hand")
            return None
        return self._scan

    def _drop(self, why: str) -> None:
        self.dropped[why] = self.dropped.get(why, 0) + 1


def _is_later(message: StartScan, scan: SourceScan) -> bool:
    asked, at_hand = message.scan, scan.scan
    return (asked.incremental, asked.attempt) > (at_hand.incremental, at_hand.attempt)


def _overtaken(message: StartScan, scan: SourceScan) -> Objection:
    """One that was late on its way is answered in vain; one that is meant tells that the history
    of whoever asks has lost what it had asked before."""
    asked, at_hand = message.scan, scan.scan
    is_older = asked.incremental < at_hand.incremental
    told = f"was asked for incremental {at_hand.incremental}, attempt {at_hand.attempt} already"
    reason = Reason.STALE_INCREMENTAL if is_older else Reason.STALE_ATTEMPT
    return reason, f"{at_hand.source} {told}"


def _refusal(message: StartScan, objection: Objection) -> Refused:
    scan = message.scan
    return Refused(scan.restore, message.generation, scan.incremental, scan, *objection)
