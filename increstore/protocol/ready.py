"""The contract of every core: `step(now, event) -> Ready`.

`now` is an integer count of nanoseconds of a clock that never goes back. A driver appends
`records` durably, starts `effects`, and only then sends `messages`; the result of every effect
comes back as an event. `wake_at` replaces the wake-up asked for before: one value, never a queue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeAlias

from increstore.protocol.frozen import frozen

if TYPE_CHECKING:
    from increstore.protocol.messages import Message, Payload, ScanId, StreamEvidence
    from increstore.protocol.records import Record


# --- Effects: what a driver must do for a core.


@frozen
class ReadPage:
    """Source: read page number `page` (0-based) of the part this scan covers.

    A page beyond the last may be asked for before the last is known: answer it with an empty
    `PageRead` (its `last` is true), or not at all.
    """

    scan: ScanId
    page: int


@frozen
class ApplyBatch:
    """Target: append this batch and its watermark in one atomic durable write."""

    scan: ScanId
    order: int
    rows: int
    digest: int
    payload: Payload


@frozen
class SealRun:
    """Target: durably mark the incremental complete; only the streams named here count."""

    incremental: int
    streams: tuple[StreamEvidence, ...]


@frozen
class FinalizeRows:
    """Target: fold every sealed run into the final rows, durable but not yet visible."""


@frozen
class PublishTables:
    """Coordinator: make the final rows of every table visible to readers."""


Effect: TypeAlias = ReadPage | ApplyBatch | SealRun | FinalizeRows | PublishTables


# --- Events: what happens to a core.


@frozen
class Received:
    """A message came from another node."""

    sender: str
    message: Message


@frozen
class TimePassed:
    """The wake-up came due (or the driver starts the core)."""


@frozen
class Batch:
    """The rows of one page that one target owns, in key order."""

    target: str
    rows: int
    digest: int
    payload: Payload


@frozen
class PageRead:
    """`rows` were scanned on this page; `last` when no page follows."""

    scan: ScanId
    page: int
    rows: int
    batches: tuple[Batch, ...]
    last: bool


@frozen
class PageFailed:
    """The page could not be read: `transient` says whether another try may succeed."""

    scan: ScanId
    page: int
    transient: bool
    error: str


@frozen
class BatchesApplied:
    """Every batch of this scan up to `watermark` is durable."""

    scan: ScanId
    watermark: int


@frozen
class BatchRejected:
    """The batch can never be applied (bytes, schema or keys are wrong); nothing was written."""

    scan: ScanId
    order: int
    error: str


@frozen
class RunSealed:
    """The seal of this incremental is durable."""

    incremental: int


@frozen
class RowsFinalized:
    """The final rows are durable; `digest` is their state digest."""

    rows: int
    digest: int


@frozen
class FinalizeFailed:
    """The fold could not be done: `transient` for a full disk, not for damaged or wrong rows."""

    transient: bool
    error: str


@frozen
class StoreFailed:
    """A write failed; what was pending is indeterminate. The driver restarts this node next."""

    error: str
    corrupted: bool


@frozen
class TablesPublished:
    """Readers see every table."""


@frozen
class PublishFailed:
    """The tables could not be made visible."""

    error: str


@frozen
class OperatorAsked:
    """A person (or the dashboard) asked: "pause", "resume", "cancel" or a new in-flight cap."""

    verb: str
    value: int = 0


Event: TypeAlias = (
    Received
    | TimePassed
    | PageRead
    | PageFailed
    | BatchesApplied
    | BatchRejected
    | RunSealed
    | RowsFinalized
    | FinalizeFailed
    | StoreFailed
    | TablesPublished
    | PublishFailed
    | OperatorAsked
)


@frozen
class Ready:
    """What a core wants done, in this order: records, effects, messages; and when to wake it."""

    records: tuple[Record, ...] = ()
    effects: tuple[Effect, ...] = ()
    messages: tuple[tuple[str, Message], ...] = ()
    wake_at: int | None = None


class Core(ABC):
    """A role without IO: the coordinator, a source shard or a target shard."""

    @abstractmethod
    def step(self, now: int, event: Event) -> Ready:
        """Advance by one event."""
