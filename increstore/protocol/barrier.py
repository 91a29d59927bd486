"""The barrier that explains itself: who is awaited, since when, and what is known of them.

One report serves the dashboard, the JSON lines and the exit report; `explain` is its sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from increstore.protocol.ledger import RestoreState

if TYPE_CHECKING:
    from increstore.protocol.messages import ScanId

_SECOND = 1_000_000_000
_HALTED = {
    RestoreState.PAUSED: "is paused",
    RestoreState.FAILED: "has failed",
    RestoreState.CANCELLED: "is cancelled",
}


class Question(Enum):
    """What the coordinator waits for."""

    NOTHING = "nothing"
    SCAN = "scan"
    SEAL = "seal"
    FINALIZE = "finalize"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True)
class Waiter:
    """One shard that owes an answer. Times are monotonic nanoseconds; None is never."""

    shard: str
    scan: ScanId | None
    """The scan asked for, with its attempt; None when a target is asked."""
    since: int
    asked_at: int | None
    heard_at: int | None
    next_retry_at: int | None
    unapplied: tuple[tuple[str, int], ...]
    """(target, batches) that the last sample said were sent and not applied."""
    error: str
    """Why the attempt before this one failed, or why the target refused last."""

    def describe(self, now: int) -> str:
        parts = [self._contact(now)]
        if self.scan is not None:
            parts.append(f"attempt {self.scan.attempt}")
        if self.next_retry_at is not None:
            parts.append(f"next retry in {_seconds(max(0, self.next_retry_at - now))}")
        if self.unapplied:
            parts.append(self._backlog())
        if self.error:
            parts.append(f"last error: {self.error}")
        return ", ".join(parts)

    def _contact(self, now: int) -> str:
        if self.heard_at is not None:
            return f"last heard {_seconds(now - self.heard_at)} ago"
        if self.asked_at is not None:
            return f"asked {_seconds(now - self.since)} ago, not heard yet"
        return "not asked yet"

    def _backlog(self) -> str:
        target, batches = max(self.unapplied, key=lambda item: item[1])
        others = len(self.unapplied) - 1
        more = f" and more by {_counted(others, 'other target')}" if others else ""
        return f"{_counted(batches, 'batch', 'batches')} not applied by {_leaf(target)}{more}"


@dataclass(frozen=True, slots=True)
class BarrierReport:
    """Everything awaited at one moment. `waiters` begin with the one silent for longest."""

    restore: str
    state: RestoreState
    reason: str
    incremental: int
    last_incremental: int
    question: Question
    waiters: tuple[Waiter, ...]
    answered: int
    """Shards that have answered this question."""

    def explain(self, now: int) -> str:
        """The sentence for people, as of `now` (the clock of `Coordinator.step`)."""
        if self.state is RestoreState.COMPLETED:
            return "the restore is completed; nothing is awaited"
        if self.state in _HALTED:
            return f"the restore {_HALTED[self.state]}: {self.reason}"
        if self.question is Question.PUBLISH:
            return "every target has its final rows; waiting for the tables to become visible"
        if not self.waiters:
            return f"{self._place()} waits for nobody"
        first, others = self.waiters[0], len(self.waiters) - 1
        more = f"; and for {_counted(others, 'other')}" if others else ""
        total = self.answered + len(self.waiters)
        done = f" ({self.answered} of {total} {self._done_word()})" if self.answered else ""
        purpose = {Question.SEAL: " to seal", Question.FINALIZE: " to make its final rows"}
        what = f"{first.shard}{purpose.get(self.question, '')}"
        return f"{self._place()} waits for {what}: {first.describe(now)}{more}{done}"

    def _place(self) -> str:
        if self.question in (Question.FINALIZE, Question.PUBLISH):
            return "finalizing"
        return f"incremental {self.incremental}" if self.incremental >= 0 else "the restore"

    def _done_word(self) -> str:
        return {
            Question.SCAN: "scans have ended",
            Question.SEAL: "targets have sealed",
            Question.FINALIZE: "targets are finalized",
        }.get(self.question, "are done")


def _seconds(duration_ns: int) -> str:
    tenths = duration_ns * 10 // _SECOND
    return f"{tenths // 10}.{tenths % 10} s"


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _leaf(shard: str) -> str:
    return shard.rpartition("/")[2]
