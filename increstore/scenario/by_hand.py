"""What a person does to a run while it goes on, and the scenario file that does the same again.

Rules of this file:
- A fault that begins now begins a moment from now, at a time of its own: a file can then say so,
  and a run of that file meets it at the same place.
- What is done is written down as it was done: its time, and how many events had been told before.
- A fault that a person has ended is written with the duration that it had; one that was ended
  before it began is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from increstore.scenario import faults as f
from increstore.scenario.fault_checks import fault_mistakes
from increstore.scenario.fault_rules import Surroundings
from increstore.scenario.node_faults import CrashNow
from increstore.scenario.trigger import LastingFault
from increstore.scenario.values import exactly, show_duration
from increstore.scenario.words import FAULT_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from increstore.scenario.compiled import EventTest
    from increstore.scenario.director import Director
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.live import LiveFault
    from increstore.scenario.model import Scenario
    from increstore.scenario.trigger import EventMatch

ENDS = ("completed", "failed", "paused", "cancelled")
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


# --- Writing it down.


def as_played(
    settled: Scenario,
    director: Director,
    by_hand: ByHand,
    *,
    seed: int,
    mode: str,
    told: Callable[[EventTest, int], int],
) -> Scenario:
    """The scenario that does the same again from this seed.

    `told(test, events)`: how many of the first `events` events the test accepts. What chance has
    settled is written as it was settled.
    """
    live = {fault.id: fault for fault in director.faults}
    before = {one.fault.id: one.events for one in by_hand.injected}
    ended = {one.fault: one.at for one in by_hand.lifted}
    kept = []
    for fault in (*settled.faults, *(one.fault for one in by_hand.injected)):
        if fault.id in ended and not live[fault.id].has_begun:
            continue
        began_at = live[fault.id].began_at
        if fault.id in ended and began_at is not None:
            fault = _ended_at(fault, live[fault.id], ended[fault.id] - began_at)
        if fault.after is not None and fault.id in before:
            begins = live[fault.id].compiled.begins
            assert begins is not None
            fault = _counted_from_the_start(fault, fault.after, told(begins, before[fault.id]))
        kept.append(fault)
    return settled.model_copy(
        update={
            "title": f"{settled.title}, as played by hand" if by_hand else settled.title,
            "why": _why(settled, by_hand),
            "on": (mode,),
            "seeds": exactly(seed),
            "faults": tuple(kept),
        }
    )


def expecting(scenario: Scenario, state: str, reached: Mapping[str, int]) -> Scenario:
    """The same, expecting what came of it; `state` "running": nobody knows yet.

    Marks are not asked for that were not met, or that are of faults that were left out.
    """
    ids = [fault.id for fault in scenario.faults]
    expect, has_ended = scenario.expect, state in ENDS

    def is_known(mark: str) -> bool:
        return not mark.startswith(FAULT_MARK) or mark.removeprefix(FAULT_MARK) in ids

    changes: dict[str, Any] = {
        "reached": tuple(
            mark for mark in expect.reached if is_known(mark) and (mark in reached or not has_ended)
        ),
        "never": tuple(mark for mark in expect.never if is_known(mark) and mark not in reached),
    }
    if has_ended and state != expect.outcome:
        changes |= {"outcome": state, "reason": ""}
    return scenario.model_copy(update={"expect": expect.model_copy(update=changes)})


def _why(settled: Scenario, by_hand: ByHand) -> str:
    done = [f"{one.fault.kind} injected" for one in by_hand.injected]
    done += [f"{one.fault} healed" for one in by_hand.lifted]
    if not done:
        return settled.why
    return f"Saved from the dashboard ({', '.join(done)}). It began as: {settled.why}"


def _ended_at(fault: AnyFault, live: LiveFault, lasted: int) -> AnyFault:
    """With the duration that it had; what cannot have one is over as it happens."""
    if not isinstance(fault, LastingFault) or _has_no_duration(fault):
        return fault
    changes: dict[str, Any] = {"duration": exactly(lasted), "until": None, "permanent": False}
    if isinstance(live, CrashNow) and isinstance(fault, f.CrashFault):
        if fault.restart_after is not None:
            changes = {"restart_after": exactly(lasted)}
        if fault.times is not None:
            changes["times"] = live.rounds
    strikes_once = not (fault.duration or fault.until or fault.permanent)
    if isinstance(fault, f.MessageFault) and fault.times is None and strikes_once:
        changes["times"] = 1  # With a duration it would be without a bound.
    return fault.model_copy(update=changes)


def _has_no_duration(fault: AnyFault) -> bool:
    match fault:
        case f.CrashFault():
            return fault.restart_after is not None and bool(fault.point)
        case f.Reset():
            return fault.message is None
        case f.DiskFaultSpec():
            return fault.action in f.DISK_AT_REST
        case _:
            return False


def _counted_from_the_start(fault: AnyFault, after: EventMatch, earlier: int) -> AnyFault:
    """Waits for the same event, counted from the beginning of the run."""
    if not earlier:
        return fault
    return fault.model_copy(update={"after": after.model_copy(update={"nth": after.nth + earlier})})
