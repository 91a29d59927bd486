"""One shard, and one incremental, as people see them. Plain values; `cluster` keeps them true."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter


@dataclass(slots=True)
class StreamView:
    """What one source shard's scan has sent to one target; orders are 1-based."""

    source: str
    target: str
    incremental: int
    attempt: int
    sent: int = 0
    """The highest order sent."""
    watermark: int = 0
    """The highest order known to be durable."""
    rows: int = 0
    """Rows applied."""

    def clone(self) -> StreamView:
        return StreamView(
            self.source, self.target, self.incremental, self.attempt, self.sent, self.watermark,
            self.rows,
        )  # fmt: skip


@dataclass(slots=True)
class AttemptView:
    """One try of one scan. Times are nanoseconds since 1970; None: not yet."""

    incremental: int
    attempt: int
    asked_at: int
    ended_at: int | None = None
    """When the source said that it has ended."""
    reported_at: int | None = None
    """When the coordinator had the report durably."""
    status: str = ""
    rows: int = 0
    error: str = ""

    def clone(self) -> AttemptView:
        return AttemptView(
            self.incremental, self.attempt, self.asked_at, self.ended_at, self.reported_at,
            self.status, self.rows, self.error,
        )  # fmt: skip


@dataclass(slots=True)
class ShardView:
    """A coordinator, source or target shard."""

    name: str
    role: str
    """ "coordinator", "source" or "target"."""
    table: str
    state: str = "idle"
    """A key of `glyphs.LOOKS`."""
    since: int = 0
    incremental: int = -1
    attempt: int = 0
    life: int = 1
    rows_expected: int | None = None
    rows_scanned: int = 0
    rows_sent: int = 0
    rows_applied: int = 0
    knows_applied: bool = False
    """Whether anybody has told how many are applied: until then 0 is not a number of rows."""
    unapplied: int = 0
    """Batches sent and not applied."""
    error: str = ""
    attempts: list[AttemptView] = field(default_factory=list)
    """Newest last, at most `ATTEMPTS_KEPT`."""
    streams: dict[tuple[str, str], StreamView] = field(default_factory=dict)
    """By (source, target): those of the incremental at hand."""

    @property
    def short(self) -> str:
        """The last part of the name: `s3`."""
        return self.name.rpartition("/")[2]

    def clone(self) -> ShardView:
        """A copy, to be changed by whoever asked for it; its attempts and streams stay shared."""
        copy = ShardView(*_FIELDS(self))
        copy.streams = self.streams.copy()
        return copy


ATTEMPTS_KEPT = 40
_FIELDS = attrgetter(*ShardView.__dataclass_fields__)


@dataclass(slots=True)
class IncrementalView:
    """One position of the chain; 0 is the full backup."""

    number: int
    backup: str = ""
    state: str = "waiting"
    """ "waiting", "running", "sealing" or "done"."""
    started_at: int | None = None
    done_at: int | None = None
    expected: int = 0
    """Scans that must report."""
    reported: dict[str, int] = field(default_factory=dict)
    """Rows by source shard that has reported success, durably."""
    sealed: dict[str, int] = field(default_factory=dict)
    """Rows by target shard that has sealed."""
    retries: int = 0
    rows_planned: int | None = None
    """Rows that its scans will read, if everything goes well; None: nobody has told."""
    is_earlier: bool = False
    """It was begun by an earlier command, or another coordinator: when is not known here."""

    @property
    def rows(self) -> int:
        return sum(self.reported.values())

    def clone(self) -> IncrementalView:
        """A copy that shares nothing that changes."""
        return IncrementalView(
            self.number,
            self.backup,
            self.state,
            self.started_at,
            self.done_at,
            self.expected,
            dict(self.reported),
            dict(self.sealed),
            self.retries,
            self.rows_planned,
            self.is_earlier,
        )


@dataclass(frozen=True, slots=True)
class BarrierView:
    """What the coordinator waits for, in its own words, as of `at` (nanoseconds since 1970)."""

    at: int
    says: str
    question: str = ""
    incremental: int = -1
    answered: int = 0
    waiters: tuple[dict[str, object], ...] = ()
    """As the event has them: shard, attempt, since_s, heard_s, retry_s, unapplied, error."""


HITS_TOLD_MAX = 100
"""Strikes of one fault that its run tells one by one; how many follow is told by its end alone."""


@dataclass(slots=True)
class FaultView:
    """One injected fault. `state` is "active" or "ended"."""

    id: str
    kind: str
    state: str
    at: int
    where: str = ""
    detail: str = ""
    hits: int = 1
    ended_at: int | None = None
    ending: str = ""
    """How it ended, and how often it had struck then."""

    def clone(self) -> FaultView:
        """A copy that shares nothing that changes."""
        return FaultView(
            self.id, self.kind, self.state, self.at, self.where, self.detail, self.hits,
            self.ended_at, self.ending,
        )  # fmt: skip


def hits_of(fault: FaultView) -> str:
    """How often it has struck: `7`, or `100+` where they are no longer told one by one."""
    return f"{HITS_TOLD_MAX}+" if fault.hits >= HITS_TOLD_MAX else str(fault.hits)
