"""The coordinator: steps through the chain strictly in order, and can always say what it waits for.

Rules of this file:
- What comes next is read from the ledger of durable facts alone, so a crash between any two
  records is only a late start of the same step.
- Reports may be recorded while the restore is paused; nothing new is asked for.
- Whoever speaks to an ended restore is told to stop: that is how a lost `CancelRestore` heals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.barrier import BarrierReport, Question
from increstore.protocol.deadlines import DEADLINE
from increstore.protocol.desk import Desk
from increstore.protocol.ledger import OPERATOR, RestoreState, replay
from increstore.protocol.messages import (
    CompletionNotification,
    Finalized,
    IncrementalSealed,
    Message,
    Refused,
    ScanProgress,
)
from increstore.protocol.policy import CoordinatorConfig, is_cap
from increstore.protocol.ready import (
    Core,
    Event,
    OperatorAsked,
    PublishFailed,
    PublishTables,
    Ready,
    Received,
    TablesPublished,
)
from increstore.protocol.records import (
    FinalizingStarted,
    GenerationStarted,
    IncrementalStarted,
    RestoreAccepted,
    RestoreCancelled,
    RestoreCompleted,
    RestoreResumed,
)
from increstore.protocol.scan_phase import ScanPhase
from increstore.protocol.target_phases import FinalizePhase, SealPhase, objection_to_totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.protocol.phase import Phase
    from increstore.protocol.records import CoordinatorRecord
    from increstore.protocol.topology import Topology

__all__ = ["Coordinator", "CoordinatorConfig", "RestoreState"]

_ENDED_WITHOUT_RESULT = (RestoreState.FAILED, RestoreState.CANCELLED)
# Tuples: a union written where it is asked for would be made anew for every message.


class Coordinator(Core):
    """One life of the coordinator of one restore, begun from its durable history.

    The first step records a new generation; over a paused or failed history it also resumes,
    because running the command again is how a person says that the cause is mended.
    Raises: TargetRefused when the history is of another plan; StorageCorrupted when it is damaged.
    """

    def __init__(
        self,
        topology: Topology,
        config: CoordinatorConfig,
        history: Sequence[CoordinatorRecord],
        now: int,
        wall_now: int,
        fingerprint: str,
    ) -> None:
        self._fingerprint = fingerprint
        self._ledger = replay(topology, history, fingerprint)
        self._desk = Desk(self._ledger, config, now, wall_now)
        self._phase: Phase | None = None
        self._has_begun = False
        self._is_publishing = False

    def step(self, now: int, event: Event) -> Ready:
        """Advance by one event; any first event begins the restore, or takes it up again."""
        self._desk.now = now
        if not self._has_begun:
            self._begin()
        match event:
            case Received():
                self._hear(event.sender, event.message)
            case OperatorAsked(verb, value):
                self._obey(verb, value)
            case TablesPublished() | PublishFailed():
                self._publishing_ended(event)
            case _:
                pass  # Time alone.
        self._pause_after_a_deadline()
        self._advance()
        return self._desk.outbox.take(self._wake_at())

    # --- What people ask.

    @property
    def state(self) -> RestoreState:
        return RestoreState.PAUSED if self._desk.superseded else self._ledger.state

    @property
    def reason(self) -> str:
        """Why the restore is paused, failed or cancelled; "" when it is not."""
        return self._desk.superseded or self._ledger.reason

    @property
    def deadline_passed(self) -> bool:
        """Whether a deadline made the pause."""
        return self.state is RestoreState.PAUSED and self.reason.startswith(DEADLINE)

    @property
    def generation(self) -> int:
        return self._ledger.generation

    @property
    def incremental(self) -> int:
        """The incremental that runs, or the last one that completed; -1 before the first."""
        return self._ledger.incremental

    @property
    def dropped(self) -> dict[str, int]:
        """Messages that changed nothing, counted by why."""
        return self._desk.dropped

    @property
    def in_flight(self) -> int:
        """Shards asked that have not answered."""
        return self._phase.asking.in_flight if self._phase else 0

    def samples(self) -> dict[str, ScanProgress]:
        """The last sample of progress of every scan that runs, by source shard."""
        return dict(self._phase.samples) if isinstance(self._phase, ScanPhase) else {}

    def waiting(self) -> BarrierReport:
        """Who is awaited now, since when, and what is known of them."""
        phase = self._phase
        question = phase.question if phase else Question.NOTHING
        if self._is_publishing or (phase is None and self._ledger.is_finalizing):
            question = Question.PUBLISH
        return BarrierReport(
            self._ledger.topology.restore,
            self.state,
            self.reason,
            self._ledger.incremental,
            self._ledger.topology.last_incremental,
            question,
            phase.waiters() if phase else (),
            phase.answered if phase else 0,
        )

    @property
    def awaited_mark(self) -> tuple[object, ...]:
        """Another one whenever somebody else is awaited; cheap, unlike `waiting`."""
        phase = self._phase
        asked = (phase.question, phase.answered, phase.asking.in_flight) if phase else ()
        return (self.state, self._ledger.incremental, self._is_publishing, *asked)

    def explain(self, now: int) -> str:
        """The sentence that says what the restore waits for, as of `now`."""
        return self.waiting().explain(now)

    # --- Begin, pause, resume, cancel.

    def _begin(self) -> None:
        self._has_begun = True
        state = self._ledger.state
        if state in (RestoreState.COMPLETED, RestoreState.CANCELLED):
            return
        if self._ledger.accepted_at is None:
            restore = self._ledger.topology.restore
            self._desk.record(RestoreAccepted(restore, self._fingerprint, self._wall))
        self._start_generation()
        if state in (RestoreState.PAUSED, RestoreState.FAILED):
            self._desk.record(RestoreResumed(self._wall))

    def _start_generation(self) -> None:
        self._desk.record(GenerationStarted(self._ledger.generation + 1, self._wall))

    def _obey(self, verb: str, value: int) -> None:
        """What an operator asks; what cannot be done now is counted and changes nothing."""
        active = self._desk.is_active
        if verb == "pause" and active:
            self._desk.pause(OPERATOR)
        elif verb == "resume" and not active and not self._desk.superseded:
            self._resume()
        elif verb == "cancel" and self._may_cancel():
            self._desk.record(RestoreCancelled(self._wall))
            self._desk.tell_all_to_stop()
            self._phase = None
        elif verb == "cap" and is_cap(value):
            self._desk.cap = value
        else:
            self._desk.drop(f"operator: cannot {verb} now")

    def _may_cancel(self) -> bool:
        """Once every target has its final rows, tables may be visible: no way back from there."""
        if self._desk.superseded or self.state in (RestoreState.COMPLETED, RestoreState.CANCELLED):
            return False
        return self.state is RestoreState.FAILED or not self._ledger.is_publishable

    def _resume(self) -> None:
        """Go on after a pause; after a failure under a new generation, as all were told to stop."""
        if self.state is RestoreState.FAILED:
            self._start_generation()
            self._phase = None
        elif self.state is not RestoreState.PAUSED:
            self._desk.drop("operator: cannot resume now")
            return
        self._desk.record(RestoreResumed(self._wall))
        if self._phase is not None:
            self._phase.resumed()

    def _pause_after_a_deadline(self) -> None:
        if not self._desk.is_active:
            return
        for deadline in self._desk.deadlines:
            if self._wall >= deadline.at:
                self._desk.pause(f"{deadline.reason(self._wall)}; {self._explain_stage()}")
                return

    def _explain_stage(self) -> str:
        """Who is awaited; a coordinator that has just started has it from its history."""
        ledger = self._ledger
        is_open = ledger.is_incremental_open or ledger.is_finalizing
        if self._phase is None and is_open:
            self._phase = self._next_phase()
        return self.explain(self._desk.now)

    # --- Messages.

    def _hear(self, sender: str, message: Message) -> None:
        """The fences that hold for every message; the phase knows the rest."""
        if isinstance(message, (CompletionNotification, ScanProgress)):
            restore = message.scan.restore
        elif isinstance(message, (IncrementalSealed, Finalized, Refused)):
            restore = message.restore
        else:
            self._desk.drop(f"{type(message).__name__} is nothing for a coordinator")
            return
        if restore != self._ledger.topology.restore:
            self._desk.drop("of another restore")
        elif self.state in _ENDED_WITHOUT_RESULT:
            self._dismiss(sender, message)
        elif message.generation != self._ledger.generation:
            self._desk.drop("of another generation")
        elif isinstance(message, Refused) and self._desk.hear_fencing(sender, message):
            pass  # Overtaken: whatever it was that we asked, and however late the answer is.
        elif self._phase is None:
            self._desk.drop(f"{type(message).__name__} while nothing is awaited")
        else:
            self._phase.hear(sender, message)

    def _dismiss(self, sender: str, message: Message) -> None:
        self._desk.drop("after the end")
        if isinstance(message, (CompletionNotification, ScanProgress)):
            self._desk.tell_to_stop(sender)

    def _publishing_ended(self, event: TablesPublished | PublishFailed) -> None:
        if not self._is_publishing or self._desk.superseded:
            self._desk.drop(f"{type(event).__name__} while nothing is published")
            return
        self._is_publishing = False
        if isinstance(event, TablesPublished):
            # A fact, even if an operator has asked for a pause meanwhile.
            self._desk.record(RestoreCompleted(self._wall))
        elif self._desk.is_active:
            self._desk.pause(f"the tables could not be published: {event.error}")

    # --- What follows.

    def _advance(self) -> None:
        """Go through as many phases as are over; bounded by the length of the chain."""
        while self._desk.is_active and not self._is_publishing:
            if self._phase is None:
                self._phase = self._next_phase()
            if self._phase is None:
                self._publish()
                return
            if not self._phase.is_over:
                self._phase.advance()
                return
            self._phase.close()
            self._phase = None

    def _next_phase(self) -> Phase | None:
        """The phase that the durable facts ask for; None when only publishing is left."""
        ledger = self._ledger
        if not ledger.is_incremental_open and not ledger.is_finalizing:
            if ledger.incremental < ledger.topology.last_incremental:
                self._desk.record(IncrementalStarted(ledger.incremental + 1, self._wall))
            else:
                self._desk.record(FinalizingStarted(self._wall))
        if not ledger.is_finalizing:
            return ScanPhase(self._desk) if ledger.scans_left else SealPhase(self._desk)
        return None if ledger.is_publishable else FinalizePhase(self._desk)

    def _publish(self) -> None:
        """Every target has its final rows: compare with what the chain promises, then show."""
        mismatch = objection_to_totals(self._ledger)
        if mismatch is not None:
            self._desk.fail(mismatch)
            return
        self._is_publishing = True
        self._desk.outbox.effect(PublishTables())

    def _wake_at(self) -> int | None:
        """The one wake-up: the next repeat, retry or deadline; none when nothing may happen."""
        if not self._desk.is_active:
            return None
        wake_at = self._phase.wake_at if self._phase is not None else None
        for deadline in self._desk.deadlines:
            due = self._desk.monotonic(deadline.at)
            wake_at = due if wake_at is None else min(wake_at, due)
        return wake_at

    @property
    def _wall(self) -> int:
        return self._desk.wall(self._desk.now)
