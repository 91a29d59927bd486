"""What a person does to a run while it goes on.

Rules of this file:
- A fault that begins now begins a moment from now, at a time of its own: a file can then say so,
  and a run of that file meets it at the same place.
- What is done is remembered as it was done: its time, and how many events had been told before;
  `as_played` writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from increstore.scenario.fault_checks import fault_mistakes
from increstore.scenario.fault_rules import Surroundings
from increstore.scenario.values import exactly, show_duration

if TYPE_CHECKING:
    from increstore.scenario.director import Director
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.live import LiveFault

HAND = "hand"
"""Faults injected by hand are called `hand 1`, `hand 2` .. unless they have an id."""


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault as it was injected, with its time and its id; `events` had been told before."""

    fault: AnyFault
    events: int


@dataclass(frozen=True, slots=True)
class Lifted:
    """A fault that was ended by hand `at` nanoseconds since the run began."""

    fault: str
    at: int


@dataclass(slots=True)
class ByHand:
    """All that was done by hand in one run, in order."""

    injected: list[Injected] = field(default_factory=list)
    lifted: list[Lifted] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.injected or self.lifted)


# --- Doing.


def begin_at(director: Director, fault: AnyFault, now: int) -> AnyFault:
    """The fault with an id of its own and, when it says nothing of it, beginning at `now`."""
    changes: dict[str, Any] = {}
    taken = {other.id for other in director.faults}
    if not fault.id:
        numbers = range(1, len(taken) + 2)
        changes["id"] = next(x for n in numbers if (x := f"{HAND} {n}") not in taken)
    if fault.at is None and fault.after is None:
        changes["at"] = exactly(now)
    return fault.model_copy(update=changes) if changes else fault


def mistakes_in(
    director: Director, fault: AnyFault, now: int, mode: str, last_incremental: int | None
) -> tuple[str, ...]:
    """Why this fault cannot be injected `now`; nothing when it can."""
    around = Surroundings(director.compiled.nodes, last_incremental, director.heal_at, (mode,))
    found = list(fault_mistakes(fault, around))
    if fault.at is not None and fault.at.low < now:
        found.append(
            f"at: {show_duration(fault.at.low)} is over, it is {now / 1e9:.3f} s; "
            "name a later time, or leave it out for now"
        )
    if any(other.id == fault.id for other in director.faults):
        found.append(f'id: another fault is called "{fault.id}" already')
    return tuple(found)


def open_faults(director: Director) -> tuple[LiveFault, ...]:
    """Those that do something now, or still may."""
    return tuple(fault for fault in director.faults if fault.is_open)


def lift(director: Director, fault: LiveFault, at: int) -> Lifted:
    """End a fault at a time that is due before anything else happens."""
    director.later(at, fault.lift)
    return Lifted(fault.id, at)
