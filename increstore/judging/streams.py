"""What is observed of shards: the streams between them, and what each holds and was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.evidence import fold_batch_digest

if TYPE_CHECKING:
    from increstore.protocol.messages import CompletionNotification, ScanId, StreamEvidence
    from increstore.protocol.target_state import StreamState
    from increstore.protocol.topology import TableTopology

Totals = tuple[int, int]
"""(rows, digest of the stream) of the first so many batches."""

NOTHING: Totals = (0, 0)

PageBatches = tuple[tuple[str, int, int], ...]
"""(target, rows, digest) of the batches of one page."""


class Owed:
    """What one source has to send for one incremental, known as far as its pages were read.

    Batches are numbered as the protocol says, by target and in the order of pages, so every
    attempt and every life of the source sends the same batch under the same number.
    """

    __slots__ = ("_batches", "_everything", "_next", "_pages", "is_complete", "rows", "totals")

    def __init__(self) -> None:
        self.is_complete = False
        self.rows = 0
        self.totals: dict[str, list[Totals]] = {}
        """By target; entry o speaks of its first o batches, known from page 0 on without a gap."""
        self._batches: dict[str, list[Totals]] = {}
        self._pages: dict[int, tuple[PageBatches, bool]] = {}
        self._everything: dict[str, tuple[int, int, int]] | None = None
        self._next = 0

    def everything(self) -> dict[str, tuple[int, int, int]]:
        """(batches, rows, digest) by target of all that is owed, once it is complete."""
        if self._everything is None:
            assert self.is_complete
            self._everything = {
                target: (len(totals) - 1, *totals[-1]) for target, totals in self.totals.items()
            }
        return self._everything

    def page(self, number: int) -> PageBatches | None:
        """The batches of a page that was read before."""
        found = self._pages.get(number)
        return None if found is None else found[0]

    def batch(self, target: str, order: int) -> tuple[int, int] | None:
        """(rows, digest) of batch `order` for the target, when its page was read."""
        batches = self._batches.get(target)
        return batches[order - 1] if batches is not None and order <= len(batches) else None

    def take(self, number: int, batches: PageBatches, last: bool) -> None:
        """A page was read that was not before; one beyond the last says nothing new."""
        if self.is_complete:
            return
        self._pages[number] = (batches, last)
        while not self.is_complete and (page := self._pages.get(self._next)) is not None:
            self._next += 1
            self.is_complete = page[1]
            for target, rows, digest in page[0]:
                self._count(target, rows, digest)

    def _count(self, target: str, rows: int, digest: int) -> None:
        totals = self.totals.setdefault(target, [NOTHING])
        rows_before, digest_before = totals[-1]
        totals.append((rows_before + rows, fold_batch_digest(digest_before, len(totals), digest)))
        self._batches.setdefault(target, []).append((rows, digest))
        self.rows += rows


class Stream:
    """The batches of one attempt of a scan at one target."""

    __slots__ = (
        "admitted", "answers", "asks", "asks_since", "attempt", "best", "end", "incremental",
        "known", "known_in", "opens", "owed", "recovered", "sent", "source", "target", "told",
        "totals",
    )  # fmt: skip

    def __init__(self, target: Target, source: Source, scan: ScanId, owed: Owed) -> None:
        self.target = target
        self.source = source
        self.incremental = scan.incremental
        self.attempt = scan.attempt
        self.owed = owed
        self.end = 0
        """The durable watermark now."""
        self.best = 0
        """The highest it has ever been."""
        self.totals: dict[int, Totals] = {0: NOTHING}
        """Of what was ever durable, by watermark; a number may be missing after a recovery."""
        self.recovered = 0
        """The watermark with which the target began its present life."""
        self.sent: dict[int, tuple[int, int]] = {}
        """(rows, digest) of the batches that were ever sent, by order."""
        self.opens: dict[int, None] = {}
        """Generations under which an `OpenStream` was ever sent."""
        self.answers: dict[tuple[int, int], None] = {}
        """(generation, watermark) that the target has ever told."""
        self.admitted: dict[int, tuple[int, int]] = {}
        """Of the batches that the target was given for whom it obeys, and has not applied yet."""
        self.told = 0
        """The highest watermark that the source has ever heard of."""
        self.known = 0
        """The same, of its life `known_in`, since it has sent something in that life."""
        self.known_in = 0
        self.asks = 0
        """`OpenStream` sent since `asks_since`."""
        self.asks_since = 0

    def __str__(self) -> str:
        return f"incremental {self.incremental}, {self.source.name}, attempt {self.attempt}"

    def ask(self) -> None:
        """The source sends something that the target answers by where it stands."""
        if self.known_in != self.source.life:
            self.known_in, self.known = self.source.life, 0

    def hear(self, watermark: int) -> None:
        """The source hears where the target stands; before it sends, it has no ears for it."""
        self.told = max(self.told, watermark)
        if self.known_in == self.source.life:
            self.known = max(self.known, watermark)

    def owed_at(self, order: int) -> Totals | None:
        """What the first `order` batches must be, when those pages were read."""
        totals = self.owed.totals.get(self.target.name)
        return totals[order] if totals is not None and order < len(totals) else None

    def take(self, order: int, rows: int, digest: int) -> int:
        """Batch `order` is durable; returns how many rows of it never were before."""
        rows_before, digest_before = self.totals[order - 1]
        self.totals[order] = (rows_before + rows, fold_batch_digest(digest_before, order, digest))
        self.end = order
        self.admitted.pop(order, None)
        self.target.attempts[self.source.name, self.incremental] = self.attempt
        if order <= self.best:
            return 0
        self.best = order
        return rows

    def recover(self, state: StreamState | None) -> int:
        """The target has come up with this; returns how many rows were never seen before."""
        watermark = 0 if state is None else state.watermark
        self.end = self.recovered = watermark
        self.known = min(self.known, watermark)  # What a fault has taken away must come again.
        if state is None:
            return 0
        self.totals.setdefault(watermark, (state.rows, state.digest))
        if watermark <= self.best:
            return 0
        gained = state.rows - self.totals[self.best][0]
        self.best = watermark
        return gained


class Shard:
    """What is observed of any shard."""

    __slots__ = ("incarnation", "is_blind", "is_up", "name", "table")

    def __init__(self, name: str, table: TableTopology) -> None:
        self.name = name
        self.table = table
        self.incarnation = 0
        self.is_up = True
        self.is_blind = False
        """Whether something it did may not have been told (see `Judge.lost_sight`)."""


class Source(Shard):
    """A source shard; all of it is volatile."""

    __slots__ = (
        "asked", "cancelled", "cancels", "generation", "life", "reads", "reports", "spoken",
    )  # fmt: skip

    def __init__(self, name: str, table: TableTopology) -> None:
        super().__init__(name, table)
        self.life = 0
        """Rises with whatever makes it forget what targets have told it."""
        self.forget()

    def forget(self) -> None:
        """A new life knows nothing."""
        self.life += 1
        self.generation = 0
        """The highest that it was told of."""
        self.cancels = 0
        """How often it was told to stop: it may then be asked for the same scan again."""
        self.cancelled = 0
        """The generation of the last coordinator that told it to stop."""
        self.asked: dict[tuple[int, int], None] = {}
        """(incremental, attempt) that it was asked for."""
        self.spoken = (0, -1, 0)
        """The last (generation, incremental, attempt) that it spoke of."""
        self.reports: dict[tuple[int, int], CompletionNotification] = {}
        """What it has reported, by (incremental, attempt)."""
        self.reads: dict[tuple[int, int, int], int] = {}
        """How often it has read a page, by (incremental, attempt, page)."""

    def stop(self) -> None:
        """It was told to stop, or to go back, and forgets what it was doing."""
        self.life += 1
        self.cancels += 1
        self.reports.clear()


class Target(Shard):
    """A target shard: what is durable there, and what it was given."""

    __slots__ = (
        "attempts", "by_incremental", "cancelled", "due", "finalize_asked", "finalized",
        "generation", "has_failed", "heard", "seal_asked", "sealed", "streams",
    )  # fmt: skip

    def __init__(self, name: str, table: TableTopology) -> None:
        super().__init__(name, table)
        self.generation = 0
        """Durably seen."""
        self.sealed: dict[int, tuple[StreamEvidence, ...]] = {}
        self.finalized: tuple[int, int] | None = None
        self.due: int | None = None
        """The first incremental of its table that is not sealed here."""
        self.streams: dict[tuple[str, int, int], Stream] = {}
        """By (source, incremental, attempt)."""
        self.by_incremental: dict[int, list[Stream]] = {}
        self.find_due()
        self.forget()

    def forget(self) -> None:
        """A new life obeys whom the durable generation names, and knows what is durable."""
        self.heard = self.generation
        self.cancelled = 0
        self.has_failed = False
        self.seal_asked: dict[int, tuple[StreamEvidence, ...]] = {}
        self.finalize_asked = False
        self.attempts: dict[tuple[str, int], int] = {}
        """The newest attempt of which something is applied, by (source, incremental)."""
        for (source, incremental, attempt), stream in sorted(
            self.streams.items(), key=lambda item: item[0]
        ):
            stream.admitted.clear()
            if stream.end:
                self.attempts[source, incremental] = attempt

    def add_stream(self, stream: Stream) -> None:
        self.streams[stream.source.name, stream.incremental, stream.attempt] = stream
        self.by_incremental.setdefault(stream.incremental, []).append(stream)

    def find_due(self) -> None:
        self.due = next((n for n in self.table.incrementals if n not in self.sealed), None)

    def admits(self, generation: int) -> bool:
        """Whether it may obey a message of this generation; a newer one is then the one obeyed."""
        if generation < self.heard or generation <= self.cancelled:
            return False
        self.heard = generation
        return True
