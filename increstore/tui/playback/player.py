"""Plays what is known ahead (a simulation, a file) at a speed, with pauses, steps and seeks.

Rules of this file:
- What comes next comes when the paced clock has reached it; flat out, whenever there is time left
  in the budget. None of this changes what comes, or in which order.
- When whoever draws cannot keep up, the clock waits: nothing is left out. When nothing happens
  for long, the clock goes on to just before the next thing.
- A step or a seek goes on over as many ticks as it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from increstore.tui.playback.stepping import STEPS
from increstore.view.history import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.journal import JournalEvent
    from increstore.tui.playback import seam
    from increstore.tui.playback.pace import Pace

IDLE_NS_MAX, IDLE_NS_LEFT = 3_000_000_000, 500_000_000
"""Nobody is made to wait longer than this, in our time, while nothing happens: then only so much
of it is left."""
SEEK_BUDGET_NS = 30_000_000
"""What one tick may take while a moment is sought: half of the dashboard's time."""


class Reel(Protocol):
    """What is played. Times are nanoseconds since 1970."""

    @property
    def next_at(self) -> int | None:
        """When what comes next happens; None: nothing comes (for now)."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing will ever come any more."""
        ...

    @property
    def is_rewinding(self) -> bool:
        """Whether it is on its way to where it was put, and gives no events until it is there."""
        ...

    def advance(self) -> JournalEvent | None:
        """Go on by a little; the event that this gave, if it gave one."""
        ...


class Player:
    """Moves one reel; the events that it gave are in `history`."""

    def __init__(self, reel: Reel, pace: Pace, *, is_paused: bool) -> None:
        self.reel = reel
        self.history = History()
        self.pace = pace
        self.is_paused = is_paused
        self._until: Callable[[JournalEvent], bool] | None = None
        """The step under way ends with such an event."""
        self._target: tuple[Literal["index", "at"], int] | None = None
        """The moment that is sought."""

    @property
    def state(self) -> seam.State:
        if self.reel.is_rewinding or self._target is not None:
            return "seeking"
        if self.reel.is_over and self.reel.next_at is None:
            return "ended"
        return "paused" if self.is_paused and self._until is None else "running"

    def drain(self, limit: int, budget_ns: int, clock: Callable[[], int]) -> list[JournalEvent]:
        """What is due now."""
        if self.state == "seeking":
            budget_ns = max(budget_ns, SEEK_BUDGET_NS)
        deadline = clock() + budget_ns
        taken: list[JournalEvent] = []
        self._look_at_the_clock()
        while len(taken) < limit and self._is_due(self.reel.next_at):
            event = self.reel.advance()
            if event is not None:
                self.history.append(event)
                taken.append(event)
                self._look_for_the_end_of_a_step(event)
            if clock() >= deadline:
                break
        self._settle()
        return taken

    def put(self, reel: Reel, history: History) -> None:
        """Go on with another reel after another past."""
        self.reel, self.history = reel, history
        self._until = self._target = None

    # --- What a person asks.

    def pause(self) -> str:
        self.is_paused = True
        self._until = self._target = None
        return ""

    def resume(self) -> str:
        self.is_paused = False
        self._until = None
        self.pace.rest()
        return "this is the end; go back, or leave" if self.state == "ended" else ""

    def step(self, what: str) -> str:
        if self.state == "ended":
            return "this is the end; nothing comes any more"
        self.is_paused = True
        self._target = None
        self._until = STEPS[what]
        return ""

    def set_speed(self, factor: float) -> str:
        if not factor > 0:
            return f"a speed must be above 0, got {factor:g}; to stand still, pause"
        self.pace.speed = factor
        self.pace.rest()
        return ""

    def seek(self, index: int | None, at: int | None) -> int | None:
        """Play on until there; a moment that was played already is returned, for only who has
        the reel can go back."""
        if index is None:
            assert at is not None, "a seek names an index or a time"
            index = self.history.count_at(at) if self.history.live.now > at else None
        if index is None or index > len(self.history):
            self.seek_ahead(index, at)
            return None
        return index if index < len(self.history) else None

    def seek_ahead(self, index: int | None, at: int | None) -> None:
        """Play on, as quickly as possible, until there."""
        self._until = None
        if index is not None and index > len(self.history):
            self._target = ("index", index)
        elif at is not None:
            self._target = ("at", at)

    # --- The tick.

    def _look_at_the_clock(self) -> None:
        if self.state == "running" and self._until is None:
            self.pace.look()
        else:
            self.pace.rest()

    def _is_due(self, moment: int | None) -> bool:
        if moment is None:
            return False
        if self.reel.is_rewinding or self._until is not None:
            return True
        if self._target is not None:
            what, where = self._target
            return what == "index" or moment <= where
        return not self.is_paused and (self.pace.is_flat_out or moment <= self.pace.position)

    def _look_for_the_end_of_a_step(self, event: JournalEvent) -> None:
        is_there = self._target == ("index", len(self.history))
        if is_there or (self._until is not None and self._until(event)):
            self._until = self._target = None
            self.pace.put(event.at)

    def _settle(self) -> None:
        """Nothing more is due, or there is no time left: where does that leave the clock?"""
        next_at, reel = self.reel.next_at, self.reel
        if reel.is_rewinding:
            return
        if next_at is None:
            if reel.is_over:
                self._until = None
            if self._target is not None:
                self._target = None
                self.pace.put(self.history.live.now)
            return
        if self._target is not None and self._target[0] == "at" and next_at > self._target[1]:
            self.pace.put(self._target[1])
            self._target = None
        elif self.state == "running" and not self.pace.is_flat_out:
            self._stay_near(next_at)

    def _stay_near(self, next_at: int) -> None:
        pace = self.pace
        if next_at < pace.position:
            pace.put(next_at)  # We are slower than the clock: it waits for us.
        elif next_at - pace.position > IDLE_NS_MAX * pace.speed:
            pace.put(next_at - round(IDLE_NS_LEFT * pace.speed))
