"""Source and target shards, as nodes of the asyncio model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from model import (
    COORDINATOR,
    GENERATION,
    MODULUS,
    PROGRESS_S,
    RESEND_S,
    RESTORE,
    Counts,
    Node,
    RestoreWrong,
    Shape,
)


class Stream:
    """The batches of one scan for one target: those up to `sent` are on their way or applied."""

    def __init__(self, now: float) -> None:
        self.batches: list[tuple[int, int]] = []
        self.sent = 0
        self.watermark = 0
        self.quiet_since = now


class Source(Node):
    """Reads the pages of a scan, sends their batches, and reports when all are applied."""

    def __init__(
        self, name: str, shape: Shape, counts: Counts, delay: Callable[[str], float]
    ) -> None:
        super().__init__(name, shape, counts, delay)
        self._scan: list[Any] = []
        self._report: tuple[Any, ...] | None = None
        self._streams: dict[str, Stream] = {}
        self._pages_asked = 0
        self._pages_read = 0
        self._payload = bytes(shape.payload_bytes)
        self.hears = {
            "StartScan": self._start_scan,
            "StreamOpened": self._opened,
            "ChangesApplied": self._applied,
        }

    def _start_scan(self, sender: str, scan: list[Any], generation: int) -> None:
        if self._scan and scan[1] < self._scan[1]:
            return  # Overtaken by the scan at hand.
        if scan != self._scan:
            self._scan, self._report, self._streams = scan, None, {}
            self._pages_asked = self._pages_read = 0
            self._ask_for_pages()
            self.sweep_in(PROGRESS_S, self._sweep_streams)
        elif self._report is None:
            self._say_progress()
        else:
            self.send(COORDINATOR, *self._report)

    def _ask_for_pages(self) -> None:
        last = self.shape.pages_of(self._scan[1])
        while self._pages_asked < min(last, self._pages_read + self.shape.pages_ahead):
            self.after("read", self._page_read, self._scan, self._pages_asked)
            self._pages_asked += 1

    def _page_read(self, scan: list[Any], page: int) -> None:
        if scan != self._scan or self._report is not None:
            return
        self._pages_read += 1  # Pages are alike but for their digests, so their order is free.
        for target in self.shape.targets_of(self.name, scan[1], page):
            stream = self._streams.get(target)
            if stream is None:
                stream = self._streams[target] = Stream(self.loop.time())
            digest = self.shape.digest(self.name, scan[1], page, target)
            stream.batches.append((self.shape.rows, digest))
            self._send_due(target, stream)
        self._ask_for_pages()

    def _send_due(self, target: str, stream: Stream) -> None:
        until = min(len(stream.batches), stream.watermark + self.shape.window_batches)
        for order in range(stream.sent + 1, until + 1):
            rows, digest = stream.batches[order - 1]
            fields = (self._scan, GENERATION, order, rows, digest, self._payload)
            self.send(target, "ApplyChanges", *fields)
            stream.sent = order

    def _opened(self, sender: str, scan: list[Any], generation: int, watermark: int) -> None:
        if scan != self._scan or self._report is not None:
            return
        stream = self._streams[sender]
        stream.sent = stream.watermark = max(watermark, stream.watermark)
        stream.quiet_since = self.loop.time()
        self._move(sender, stream)

    def _applied(self, sender: str, scan: list[Any], generation: int, watermark: int) -> None:
        if scan != self._scan or self._report is not None:
            return
        stream = self._streams[sender]
        if watermark > stream.watermark:
            stream.watermark = watermark
            stream.sent = max(stream.sent, watermark)
            stream.quiet_since = self.loop.time()
            self._move(sender, stream)

    def _move(self, target: str, stream: Stream) -> None:
        self._send_due(target, stream)
        if self._pages_read < self.shape.pages_of(self._scan[1]):
            return
        if any(each.watermark < len(each.batches) for each in self._streams.values()):
            return
        evidence = [(name, *_evidence(each.batches)) for name, each in self._streams.items()]
        rows = sum(sent[1] for sent in evidence)
        head = ("CompletionNotification", self._scan, GENERATION)
        self._report = (*head, "success", rows, evidence, "")
        self.stop_sweeping()
        self.send(COORDINATOR, *self._report)

    def _sweep_streams(self) -> None:
        now = self.loop.time()
        for target, stream in self._streams.items():
            if stream.sent > stream.watermark and now - stream.quiet_since >= RESEND_S:
                stream.quiet_since = now
                self.send(target, "OpenStream", self._scan, GENERATION)
        self._say_progress()
        self.sweep_in(PROGRESS_S, self._sweep_streams)

    def _say_progress(self) -> None:
        rows = self.shape.rows
        streams = self._streams.items()
        self.send(
            COORDINATOR,
            "ScanProgress",
            self._scan,
            GENERATION,
            rows * sum(len(stream.batches) for _, stream in streams),
            rows * sum(stream.sent for _, stream in streams),
            rows * sum(stream.watermark for _, stream in streams),
            [(target, len(stream.batches) - stream.watermark) for target, stream in streams],
        )


class Arriving:
    """A stream at its target. Batches that overtook others wait for them."""

    def __init__(self) -> None:
        self.early: dict[int, tuple[int, int]] = {}
        self.accepted = 0
        self.applied: list[tuple[int, int]] = []
        self.being_written: deque[tuple[int, int]] = deque()


class Target(Node):
    """Applies batches in order, each once, and compares with the evidence when it seals."""

    def __init__(
        self, name: str, shape: Shape, counts: Counts, delay: Callable[[str], float]
    ) -> None:
        super().__init__(name, shape, counts, delay)
        self._due = 0
        self._streams: dict[str, Arriving] = {}
        self._sealed: dict[int, list[Any]] = {}
        self._is_sealing = False
        self._rows = 0
        self._digest = 0
        self.hears = {
            "OpenStream": self._open,
            "ApplyChanges": self._apply,
            "SealIncremental": self._seal,
            "Finalize": self._finalize,
        }

    def _open(self, sender: str, scan: list[Any], generation: int) -> None:
        if scan[1] == self._due and generation == GENERATION:
            stream = self._streams.setdefault(sender, Arriving())
            self.send(sender, "StreamOpened", scan, GENERATION, len(stream.applied))

    def _apply(
        self,
        sender: str,
        scan: list[Any],
        generation: int,
        order: int,
        rows: int,
        digest: int,
        payload: bytes,
    ) -> None:
        if scan[1] != self._due or generation != GENERATION:
            return
        stream = self._streams.setdefault(sender, Arriving())
        if order <= len(stream.applied):
            self.send(sender, "ChangesApplied", scan, GENERATION, len(stream.applied))
            return
        if order > stream.accepted:
            stream.early[order] = (rows, digest)
        while (batch := stream.early.pop(stream.accepted + 1, None)) is not None:
            stream.accepted += 1
            stream.being_written.append(batch)
            self.after("write", self._written, sender, scan, stream)

    def _written(self, source: str, scan: list[Any], stream: Arriving) -> None:
        rows, digest = stream.being_written.popleft()
        stream.applied.append((rows, digest))
        self._rows += rows
        self._digest = (self._digest + digest) % MODULUS
        self.send(source, "ChangesApplied", scan, GENERATION, len(stream.applied))

    def _seal(
        self, sender: str, restore: str, incremental: int, generation: int, sent: list[Any]
    ) -> None:
        if incremental in self._sealed:
            self._say_sealed(incremental)
        elif incremental == self._due and not self._is_sealing:
            for source, attempt, *evidence in sent:
                applied = _evidence(self._streams[source].applied)
                if evidence != list(applied) or attempt != 1:
                    raise RestoreWrong(f"{self.name}: {source}: {evidence}, applied {applied}")
            self._is_sealing = True
            self.after("write", self._run_sealed, incremental, sent)

    def _run_sealed(self, incremental: int, sent: list[Any]) -> None:
        self._sealed[incremental] = sent
        self._is_sealing = False
        self._due += 1
        self._streams = {}
        self._say_sealed(incremental)

    def _say_sealed(self, incremental: int) -> None:
        applied = self._sealed[incremental]
        self.send(COORDINATOR, "IncrementalSealed", RESTORE, incremental, GENERATION, applied)

    def _finalize(self, sender: str, restore: str, generation: int) -> None:
        self.after("write", self._rows_finalized)

    def _rows_finalized(self) -> None:
        self.send(COORDINATOR, "Finalized", RESTORE, GENERATION, self._rows, self._digest)


def _evidence(batches: list[tuple[int, int]]) -> tuple[int, int, int]:
    """(rows, batches, digest) of the batches of a stream, in their order."""
    folded = 0
    for order, (_, digest) in enumerate(batches, 1):
        folded = ((folded ^ digest) * 0x9E3779B97F4A7C15 + order) % MODULUS
    return sum(rows for rows, _ in batches), len(batches), folded
