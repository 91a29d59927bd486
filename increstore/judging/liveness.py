"""Liveness: once everything works again, the restore ends; and whenever it ends, it says how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.history import CANCELLED, COMPLETED, FAILED, PAUSED
from increstore.judging.monitor import Monitor, invariant, part_of
from increstore.protocol.ready import OperatorAsked
from increstore.protocol.records import RestoreCancelled
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from increstore.judging.history import History
    from increstore.judging.streams import Stream
    from increstore.protocol.messages import (
        ChangesApplied,
        Finalize,
        SealIncremental,
        StartScan,
        StreamOpened,
    )
    from increstore.protocol.ready import Event, Ready
    from increstore.protocol.records import RestoreFailed, RestorePaused, RetryScheduled


class Liveness(Monitor):
    group = "liveness"

    @invariant("L1", "ends-in-time", "overdue")
    def ends_in_time(self, now: int, explanation: str) -> None:
        """With all nodes up and all links fair the restore is completed, or has failed or paused
        with a reason, within its bound. (A lost report is brought back by asking again, L2: the
        same bound judges it.)"""
        raise self.violated("L1", now, COORDINATOR, f"not ended in time: {explanation}")

    @invariant("L3", "resumes-where-it-was", "sent StreamOpened", "sent ChangesApplied")
    def resumes_where_it_was(
        self, now: int, stream: Stream, message: StreamOpened | ChangesApplied
    ) -> None:
        """A target that comes up again goes on from what it has: it never tells a source less than
        it came up with."""
        if message.watermark < stream.recovered:
            raise self.violated(
                "L3", now, stream.target.name,
                f"told that {message.watermark} batches of {stream} are applied; it came up with "
                f"{stream.recovered}",
            )  # fmt: skip

    @invariant("L4", "the-policy-of-failures", "recorded RetryScheduled")
    def the_policy_of_failures(self, now: int, history: History, record: RetryScheduled) -> None:
        """A transient failure is tried again, as often in a row as the budget allows; a fatal one
        ends the restore before anything else is asked."""
        if record.retries > self.config.retries_max:
            raise self.violated(
                "L4", now, history.name,
                f"retry {record.retries} in a row of {record.scan.source} was scheduled; the "
                f"budget is {self.config.retries_max}",
            )  # fmt: skip

    @part_of("L4", "sent StartScan", "sent SealIncremental", "sent Finalize")
    def a_fatal_failure_ends_it(
        self,
        now: int,
        history: History,
        receiver: str,
        message: StartScan | SealIncremental | Finalize,
    ) -> None:
        if history.fatal:
            raise self.violated(
                "L4", now, receiver,
                f"it was asked for something after {history.fatal} had failed for good",
            )  # fmt: skip

    @invariant("L5", "an-end-has-a-reason", "recorded RestorePaused", "recorded RestoreFailed")
    def an_end_has_a_reason(
        self, now: int, history: History, record: RestorePaused | RestoreFailed
    ) -> None:
        """A restore that cannot go on is paused or failed, and says why."""
        if not record.reason.strip():
            raise self.violated(
                "L5", now, history.name, f"{type(record).__name__} was recorded without a reason"
            )

    @part_of("L5", "ended")
    def the_end_is_told_with_its_reason(self, now: int, state: str, reason: str) -> None:
        if state in (PAUSED, FAILED) and not reason.strip():
            raise self.violated("L5", now, COORDINATOR, f"it ended {state} without a reason")

    @invariant("L6", "progress", "stepped and bounded")
    def progress(self, now: int, node: str, core: Any, event: Event, ready: Ready) -> None:
        """Once every fault has ended, something becomes durable again and again within a bound,
        until the restore has ended: whatever else happens, a run without progress is a livelock."""
        bound = self.config.progress_within_ns
        if bound is None or not self.truth.is_healed or now - self.truth.moved_at <= bound:
            return
        if all(history.is_active for history in self.truth.histories.values()):
            raise self.violated(
                "L6", now, node,
                f"nothing has become durable for {(now - self.truth.moved_at) / 1e9:.3f} s",
            )  # fmt: skip

    @part_of("L6", "stalled")
    def stall_seen_by_the_driver(self, now: int, explanation: str) -> None:
        raise self.violated("L6", now, COORDINATOR, f"no progress: {explanation}")

    @invariant("L7", "no-deadlock", "deadlocked")
    def no_deadlock(self, now: int, explanation: str) -> None:
        """As long as the restore has not ended, something is going to happen."""
        raise self.violated("L7", now, COORDINATOR, f"nothing will happen any more: {explanation}")

    @invariant("L8", "cancel-ends-it", "stepped OperatorAsked")
    def cancel_ends_it(self, now: int, node: str, core: Any, event: Event, ready: Ready) -> None:
        """A cancel that comes before every target has its final rows always ends the restore, in
        the step that hears it; and a restore is told to be cancelled only if that is durable."""
        assert isinstance(event, OperatorAsked)
        if event.verb != "cancel":
            return
        history = self.truth.histories[COORDINATOR]
        is_late = len(history.finals) == len(self.truth.targets)
        if len(self.truth.histories) > 1 or history.halt in (COMPLETED, CANCELLED):
            return
        is_cancelled = any(type(record) is RestoreCancelled for record in ready.records)
        if not is_cancelled and (not is_late or history.halt == FAILED):
            raise self.violated(
                "L8", now, node,
                f"a cancel has changed nothing while the restore was {history.halt or 'running'}",
            )  # fmt: skip

    @part_of("L8", "ended")
    def cancelled_is_durable(self, now: int, state: str, reason: str) -> None:
        halts = [history.halt for history in self.truth.histories.values()]
        if state == CANCELLED and CANCELLED not in halts:
            raise self.violated("L8", now, COORDINATOR, "it ended cancelled, which is not durable")
