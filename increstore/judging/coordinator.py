"""The coordinator's history: what may follow what, over all lives that have written it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.history import FAILED, PAUSED
from increstore.judging.monitor import Monitor, invariant, part_of
from increstore.protocol.records import (
    FinalizingStarted,
    GenerationStarted,
    IncrementalCompleted,
    IncrementalStarted,
    RestoreAccepted,
    RestoreCancelled,
    RestoreCompleted,
    RestoreFailed,
    RestorePaused,
    RestoreResumed,
    RetryScheduled,
    ScanReported,
    TargetFinalized,
    TargetSealed,
)

if TYPE_CHECKING:
    from increstore.judging.history import History
    from increstore.judging.violation import InvariantViolated
    from increstore.protocol.messages import Finalize, SealIncremental, StartScan

_RUNNING = ""
_MAY_FOLLOW: dict[type, tuple[str, ...]] = {
    RestoreAccepted: (_RUNNING,),
    GenerationStarted: (_RUNNING, PAUSED, FAILED),
    IncrementalStarted: (_RUNNING,),
    ScanReported: (_RUNNING, PAUSED),
    RetryScheduled: (_RUNNING,),
    TargetSealed: (_RUNNING, PAUSED),
    IncrementalCompleted: (_RUNNING,),
    FinalizingStarted: (_RUNNING,),
    TargetFinalized: (_RUNNING, PAUSED),
    RestoreCompleted: (_RUNNING, PAUSED),
    RestorePaused: (_RUNNING,),
    RestoreResumed: (PAUSED, FAILED),
    RestoreFailed: (_RUNNING, PAUSED),
    RestoreCancelled: (_RUNNING, PAUSED, FAILED),
}
"""In which states of a restore a record may be written. What was under way when it was paused may
still end and be recorded; nothing new is begun."""


class CoordinatorHistory(Monitor):
    group = "coordinator"

    @invariant("K1", "a-history-that-can-be", "recorded *")
    def a_history_that_can_be(self, now: int, history: History, record: Any) -> None:
        """A coordinator records only what can follow its history, whatever crash came before: a
        paused restore begins nothing, a failed one only what a person resumes, and what concerns
        an incremental or the final rows is of those that are open."""
        if not history.is_accepted and type(record) is not RestoreAccepted:
            raise self.violated(
                "K1",
                now,
                history.name,
                f"{type(record).__name__} was recorded before RestoreAccepted",
            )
        states = _MAY_FOLLOW[type(record)]
        # Completed and cancelled are S6's.
        if history.halt in (_RUNNING, PAUSED, FAILED) and history.halt not in states:
            raise self.violated(
                "K1", now, history.name,
                f"{type(record).__name__} was recorded while the restore was "
                f"{history.halt or 'running'}",
            )  # fmt: skip

    @part_of("K1", "recorded TargetSealed")
    def one_seal_of_what_is_open(self, now: int, history: History, record: TargetSealed) -> None:
        n = record.incremental
        if not history.is_open or n != history.incremental:
            raise self.violated(
                "K1", now, history.name,
                f"a seal of incremental {n} by {record.target} was recorded, which is not open",
            )  # fmt: skip
        if record.target in history.seals[n]:
            raise self.violated(
                "K1", now, history.name, f"{record.target} sealed incremental {n} twice"
            )

    @part_of("K1", "recorded TargetFinalized")
    def final_rows_once(self, now: int, history: History, record: TargetFinalized) -> None:
        if not history.is_finalizing or record.target in history.finals:
            raise self.violated(
                "K1", now, history.name,
                f"final rows of {record.target} were recorded "
                f"{'twice' if history.is_finalizing else 'before they were asked for'}",
            )  # fmt: skip

    @invariant("K2", "a-life-a-generation", "recorded GenerationStarted")
    def a_life_a_generation(self, now: int, history: History, record: GenerationStarted) -> None:
        """Each life of a coordinator begins by recording a generation higher than any before in its
        history, before it records anything else."""
        if record.generation <= history.generation:
            raise self.violated(
                "K2", now, history.name,
                f"generation {record.generation} was begun after {history.generation}",
            )  # fmt: skip

    @part_of("K2", "recorded *")
    def generation_first(self, now: int, history: History, record: Any) -> None:
        if history.must_begin and type(record) not in (RestoreAccepted, GenerationStarted):
            raise self.violated(
                "K2", now, history.name,
                f"a new life recorded {type(record).__name__} before its generation",
            )  # fmt: skip

    @invariant("K3", "nothing-finished-is-redone", "sent StartScan")
    def nothing_finished_is_redone(
        self, now: int, history: History, receiver: str, message: StartScan
    ) -> None:
        """Whatever restarts, a scan that has succeeded is not asked for again, nor a seal or final
        rows that are recorded."""
        scan = message.scan
        if scan.source in history.reports.get(scan.incremental, ()):
            raise self.violated(
                "K3", now, receiver,
                f"incremental {scan.incremental} was asked for again after its success",
            )  # fmt: skip

    @part_of("K3", "sent SealIncremental")
    def no_seal_is_redone(
        self, now: int, history: History, receiver: str, message: SealIncremental
    ) -> None:
        if receiver in history.seals.get(message.incremental, ()):
            raise self.violated(
                "K3", now, receiver,
                f"a seal of incremental {message.incremental} was asked for again",
            )  # fmt: skip

    @part_of("K3", "sent Finalize")
    def no_final_rows_are_redone(
        self, now: int, history: History, receiver: str, message: Finalize
    ) -> None:
        if receiver in history.finals:
            raise self.violated("K3", now, receiver, "its final rows were asked for again")

    @invariant(
        "K4", "a-halt-asks-nothing", "sent StartScan", "sent SealIncremental", "sent Finalize"
    )
    def a_halt_asks_nothing(
        self,
        now: int,
        history: History,
        receiver: str,
        message: StartScan | SealIncremental | Finalize,
    ) -> None:
        """A restore that is paused, failed, cancelled or completed asks no shard for anything: the
        durable record of its end is what lets go of them (D7)."""
        if not history.is_active:
            raise self.violated(
                "K4", now, receiver,
                f"{type(message).__name__} was sent while the restore was {history.halt}",
            )  # fmt: skip

    @invariant("K5", "an-end-is-told-to-everyone", "ended")
    def an_end_is_told_to_everyone(self, now: int, state: str, reason: str) -> None:
        """A coordinator that ends a restore as failed or cancelled tells every shard to stop before
        it decides anything else, and before it ends: none goes on working for a restore that is
        over. Only its death lets it off."""
        for history in self.truth.histories.values():
            if history.halt == state and history.untold:
                raise self._untold(now, history)

    @part_of("K5", "recorded *")
    def an_end_is_told_first(self, now: int, history: History, _: Any) -> None:
        if history.untold:
            raise self._untold(now, history)

    def _untold(self, now: int, history: History) -> InvariantViolated:
        return self.violated(
            "K5", now, history.name,
            f"the restore was {history.halt}, and {len(history.untold)} shards were not told to "
            f"stop, {next(iter(history.untold))} among them",
        )  # fmt: skip
