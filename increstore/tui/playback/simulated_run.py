"""One simulated world, played moment by moment, with what is done to it by hand.

Rules of this file:
- The same scenario, seed and deeds give the same events; nothing here looks at a clock.
- A deed happens between two moments and is remembered with the number of moments before it, so
  that a run of the same deeds meets it at the same place.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.journal import JournalEvent
from increstore.judging.violation import VIOLATED
from increstore.scenario.by_hand import ByHand, Injected, begin_at, lift, open_faults
from increstore.scenario.swarm import settle
from increstore.simulation.draws import Draws
from increstore.simulation.observing import WALL_NS
from increstore.simulation.run import make_world, outcome_of, violation_in
from increstore.tui.playback.whole import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from increstore.judging.violation import InvariantViolated
    from increstore.scenario.director import Director
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.model import Scenario
    from increstore.simulation.run import SimulatedOutcome
    from increstore.simulation.setting import Setting


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did after so many moments, when so many events were on the screen."""

    moments: int
    shown: int
    inject: AnyFault | None = None
    lift: str = ""
    """The id of the fault that was lifted."""


class SimulatedRun:
    """A world from its first moment; a reel that a player plays."""

    def __init__(
        self, setting: Setting, seed: int, deeds: Iterable[Deed] = (), rewind_to: int = 0
    ) -> None:
        """`deeds` are done again when it is their time; the first `rewind_to` events are not
        given again."""
        self.setting = setting
        self.seed = seed
        self.events = 0
        """Those that have been told so far, given or not."""
        self.deeds: list[Deed] = []
        """What has been done."""
        self.by_hand = ByHand()
        self.violation: InvariantViolated | None = None
        self.outcome: SimulatedOutcome | None = None
        """Once it is over."""
        self._told: deque[JournalEvent] = deque()
        self._to_skip = rewind_to
        self._to_do = deque(deeds)
        draws = Draws(seed)
        self.settled: Scenario = settle(setting.scenario, draws.draw)
        self._world = make_world(setting, draws, journal_to=self._keep, details=True)
        self._goes_on = True
        self._play(self._world.begin)

    @property
    def director(self) -> Director:
        return self._world.director

    @property
    def all_deeds(self) -> list[Deed]:
        """What has been done, and what is to be done again."""
        return [*self.deeds, *self._to_do]

    @property
    def waiting(self) -> tuple[JournalEvent, ...]:
        """What has been told and not given yet."""
        return tuple(self._told)

    @property
    def digest(self) -> str:
        """Of all that has happened: equal runs have equal digests."""
        return self._world.digest

    @property
    def now(self) -> int:
        """Virtual nanoseconds since the run began: of the last moment played."""
        return self._world.now

    @property
    def state(self) -> str:
        """How the restore has ended; "running" when it has not."""
        return self._world.state.value if self._world.state is not None else "running"

    # --- As a reel.

    @property
    def next_at(self) -> int | None:
        if self._told:
            return self._told[0].at
        if self.outcome is not None:
            return None
        # An empty heap is a deadlock, or the end: the next moment tells which.
        return WALL_NS + (self.now if (moment := self._world.next_at) is None else moment)

    @property
    def is_over(self) -> bool:
        return self.outcome is not None

    @property
    def is_rewinding(self) -> bool:
        return self._to_skip > 0

    def advance(self) -> JournalEvent | None:
        if not self._told:
            self._play(self._one_moment)
        if not self._told:
            return None
        event = self._told.popleft()
        if self._to_skip:
            self._to_skip -= 1
            return None
        return event

    def _play(self, what: Callable[[], None]) -> None:
        self.violation = violation_in(self._world, what)
        if self.violation is not None:
            self._tell_violation(self.violation)
        if self.violation is not None or not self._goes_on:
            self.outcome = outcome_of(self._world, self.violation)

    def _one_moment(self) -> None:
        while self._to_do and self._to_do[0].moments <= self._world.moments:
            self._do(self._to_do.popleft())
        self._goes_on = self._world.advance()

    # --- By hand.

    def moment_for(self, wanted: int) -> int:
        """When what is asked for now can happen: after all of the last instant played, at
        `wanted` when nothing happens before it."""
        moment = self._world.next_at
        latest = wanted if moment is None else min(wanted, moment)
        return max(self.now + 1, latest)

    def begin_fault(self, fault: AnyFault, wanted: int) -> AnyFault:
        """The fault as it would be injected now."""
        return begin_at(self.director, fault, self.moment_for(wanted))

    def inject(self, fault: AnyFault, shown: int) -> None:
        """Inject a fault without mistakes; what was to be done later is forgotten."""
        self._to_do.clear()
        self._do(Deed(self._world.moments, shown, inject=fault))

    def lift(self, fault: str, shown: int) -> None:
        """Lift this fault; what was to be done later is forgotten."""
        self._to_do.clear()
        self._do(Deed(self._world.moments, shown, lift=fault))

    def _do(self, deed: Deed) -> None:
        self.deeds.append(deed)
        world, director = self._world, self.director
        if deed.inject is not None:
            director.add(deed.inject)
            self.by_hand.injected.append(Injected(deed.inject, self.events))
            world.meters_points = world.meters_points or director.has_crash_points
        for fault in open_faults(director):
            if fault.id == deed.lift:
                self.by_hand.lifted.append(lift(director, fault, world.now + 1))
        world.look_at_director_soon()

    # --- Events.

    def _keep(self, event: JournalEvent) -> None:
        self.events += 1
        self._told.append(whole(event))

    def _tell_violation(self, found: InvariantViolated) -> None:
        facts = {"invariant": found.invariant, "at": found.node, "says": found.says}
        self._keep(JournalEvent(WALL_NS + self._world.now, "judge", VIOLATED, facts))
