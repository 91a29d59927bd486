"""Durability of time: deadlines, budgets and waits outlive whoever set them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.history import FORGIVEN
from increstore.judging.monitor import Monitor, invariant, part_of
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from increstore.judging.config import JudgeConfig
    from increstore.judging.history import History
    from increstore.judging.truth import Truth
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

    def __init__(self, truth: Truth, config: JudgeConfig) -> None:
        super().__init__(truth, config)
        self._has_deadlines = (
            config.overall_deadline_ns is not None or config.stage_deadline_ns is not None
        )

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
        self._require_no_longer(now, history, record)

    def _require_no_longer(self, now: int, history: History, record: RetryScheduled) -> None:
        """A wait is at most a quarter longer than the policy has it."""
        wall, wait = self._wall(now, history), self._wait(record.retries)
        if wall is None or self._has_changed_clock():
            return
        surplus = record.not_before - (wall + wait + wait // 4 + self._slack())
        if surplus > 0:
            raise self.violated(
                "D8", now, history.name,
                f"attempt {record.scan.attempt} of {record.scan.source} is to wait "
                f"{_seconds(surplus)} longer than its wait of {_seconds(wait)} and a quarter more",
            )  # fmt: skip

    @part_of("D8", "sent StartScan")
    def the_wait_is_kept(
        self, now: int, history: History, receiver: str, message: StartScan
    ) -> None:
        scan, wall = history.scans.get(receiver), self._wall(now, history)
        if scan is None or wall is None or self._has_changed_clock():
            return
        early = scan.not_before - wall - self._slack()
        if early > 0:
            raise self.violated(
                "D8", now, receiver,
                f"attempt {message.scan.attempt} was asked for {_seconds(early)} before the end of "
                f"its wait, which is {_seconds(self._wait(scan.retries))} or more",
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
        wall = self._wall(now, history) if self._has_deadlines else None
        if wall is not None:
            self._require_time_left(now, history, wall - self._slack(), f"{receiver} was asked")

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

    def _wall(self, now: int, history: History) -> int | None:
        """The coordinator's wall clock when it decided what is told now; None when unknown."""
        if history.wall_offset is None:
            return None
        return self.truth.decided(now) + history.wall_offset

    def _slack(self) -> int:
        """How far that may be off: by nothing when every step of the coordinator is told."""
        return 0 if self.truth.knows_steps else self.config.slack_ns

    def _wait(self, retries: int) -> int:
        """The shortest wait before a retry, the first of them being 1."""
        if retries < 1:
            return 0
        return min(self.config.backoff_ns << min(retries - 1, 62), self.config.backoff_max_ns)

    def _has_changed_clock(self) -> bool:
        return COORDINATOR in self.truth.clocks_changed


def _seconds(duration_ns: Any) -> str:
    return f"{duration_ns / 1e9:.3f} s"
