"""Durability of time: deadlines, budgets and waits outlive whoever set them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.history import FORGIVEN
from increstore.judging.monitor import Monitor, invariant, part_of
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from increstore.judging.history import History
    from increstore.protocol.messages import Finalize, SealIncremental, StartScan
    from increstore.protocol.records import (
        FinalizingStarted,
        IncrementalCompleted,
        IncrementalStarted,
        RestorePaused,
        RetryScheduled,
    )

DEADLINE = "deadline"
"""How the reason of a pause begins that a deadline has made."""


class Deadlines(Monitor):
    group = "durability"

    @invariant("D8", "time-survives", "recorded RetryScheduled")
    def time_survives(self, now: int, history: History, record: RetryScheduled) -> None:
        """The budget of retries, the wait before a retry and the deadlines are counted from durable
        times: a restart neither gives them again nor counts them twice. A retry uses up one of its
        budget and waits its turn; a pause by a deadline comes when it has passed, and after that
        nothing goes on."""
        scan = history.scans.get(record.scan.source)
        if scan is None:
            return  # C4 tells of that.
        expected = 0 if scan.state == FORGIVEN else scan.retries + 1
        if record.retries != expected:
            raise self.violated(
                "D8", now, history.name,
                f"attempt {record.scan.attempt} of {record.scan.source} was scheduled as retry "
                f"{record.retries} in a row; expected {expected}",
            )  # fmt: skip
        due = scan.reported_at + self._wait(record.retries)
        if record.not_before < due and not self._has_changed_clock():
            raise self.violated(
                "D8", now, history.name,
                f"attempt {record.scan.attempt} of {record.scan.source} may begin "
                f"{_seconds(due - record.not_before)} before the end of its wait of "
                f"{_seconds(self._wait(record.retries))}",
            )  # fmt: skip

    @part_of("D8", "sent StartScan")
    def the_wait_is_kept(
        self, now: int, history: History, receiver: str, message: StartScan
    ) -> None:
        scan = history.scans.get(receiver)
        if scan is None or scan.scheduled_at is None or self._has_changed_clock():
            return
        waited = now - scan.scheduled_at
        wanted = self._wait(scan.retries) - self.config.slack_ns
        if waited < wanted:
            raise self.violated(
                "D8", now, receiver,
                f"attempt {message.scan.attempt} was asked for {_seconds(waited)} after it was "
                f"scheduled; its wait is {_seconds(self._wait(scan.retries))}",
            )  # fmt: skip

    @part_of("D8", "recorded RestorePaused")
    def a_deadline_has_passed(self, now: int, history: History, record: RestorePaused) -> None:
        if not record.reason.startswith(DEADLINE) or self._has_changed_clock():
            return
        if not any(record.paused_at >= at for _, at in self._deadlines(history)):
            raise self.violated(
                "D8",
                now,
                history.name,
                f"paused for a deadline that has not passed: {record.reason}",
            )

    @part_of("D8", "recorded IncrementalStarted")
    def no_start_after_a_deadline(
        self, now: int, history: History, record: IncrementalStarted
    ) -> None:
        self._require_time_left(now, history, record.started_at, "an incremental was started")

    @part_of("D8", "recorded IncrementalCompleted")
    def no_completion_after_a_deadline(
        self, now: int, history: History, record: IncrementalCompleted
    ) -> None:
        self._require_time_left(now, history, record.completed_at, "an incremental was completed")

    @part_of("D8", "recorded FinalizingStarted")
    def no_finalizing_after_a_deadline(
        self, now: int, history: History, record: FinalizingStarted
    ) -> None:
        self._require_time_left(now, history, record.started_at, "the final rows were begun")

    @part_of("D8", "sent StartScan", "sent SealIncremental", "sent Finalize")
    def nothing_asked_after_a_deadline(
        self,
        now: int,
        history: History,
        receiver: str,
        message: StartScan | SealIncremental | Finalize,
    ) -> None:
        if history.wall_offset is not None:
            decided_at = self.truth.decided_at or now
            wall = decided_at + history.wall_offset - self.config.slack_ns
            self._require_time_left(now, history, wall, f"{receiver} was asked")

    def _require_time_left(self, now: int, history: History, wall: int, what: str) -> None:
        if self._has_changed_clock():
            return
        for name, at in self._deadlines(history):
            if wall >= at:
                raise self.violated(
                    "D8", now, history.name,
                    f"{what} {_seconds(wall - at)} after the deadline of {name}",
                )  # fmt: skip

    def _deadlines(self, history: History) -> list[tuple[str, int]]:
        """(of what, wall time) of the deadlines that run now."""
        found = []
        config = self.config
        if config.overall_deadline_ns is not None and history.is_accepted:
            since = max(history.accepted_at, history.resumed_at)
            found.append(("the restore", since + config.overall_deadline_ns))
        if config.stage_deadline_ns is not None and (history.is_open or history.is_finalizing):
            since = max(history.stage_started_at, history.resumed_at)
            found.append(("the stage", since + config.stage_deadline_ns))
        return found

    def _wait(self, retries: int) -> int:
        """The shortest wait before a retry, the first of them being 1."""
        if retries < 1:
            return 0
        return min(self.config.backoff_ns << min(retries - 1, 62), self.config.backoff_max_ns)

    def _has_changed_clock(self) -> bool:
        return COORDINATOR in self.truth.clocks_changed


def _seconds(duration_ns: Any) -> str:
    return f"{duration_ns / 1e9:.3f} s"
