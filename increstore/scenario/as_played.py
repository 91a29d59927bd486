"""A run and what a person did to it, as the scenario that does the same again.

Rules of this file:
- A fault that a person has ended is written with the duration that it had; one that was ended
  before it began is left out.
- A permanent fault may have been ended after everything else had healed: then the heal of the file
  is put off until there, and what it ended gets the duration that it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.scenario import faults as f
from increstore.scenario.node_faults import CrashNow
from increstore.scenario.trigger import LastingFault
from increstore.scenario.values import exactly
from increstore.scenario.words import FAULT_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from increstore.scenario.by_hand import ByHand
    from increstore.scenario.compiled import EventTest
    from increstore.scenario.director import Director
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.live import LiveFault
    from increstore.scenario.model import Scenario
    from increstore.scenario.trigger import EventMatch

ENDS = ("completed", "failed", "paused", "cancelled")


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
    heal_at = max((settled.heal.at, *(at + 1 for at in ended.values())))
    if heal_at > settled.heal.at:
        # What the heal has ended is written as if a person had done it.
        ended = dict.fromkeys(_healed(live.values(), settled.heal.at), settled.heal.at) | ended
    kept = []
    for fault in (*settled.faults, *(one.fault for one in by_hand.injected)):
        began_at = live[fault.id].began_at
        if fault.id in ended and began_at is None:
            continue
        if fault.id in ended and began_at is not None:
            fault = _ended_at(fault, live[fault.id], ended[fault.id] - began_at)
        if fault.after is not None and fault.id in before:
            begins = live[fault.id].compiled.begins
            assert begins is not None
            fault = _counted_from_the_start(fault, fault.after, told(begins, before[fault.id]))
        kept.append(fault)
    return settled.model_copy(
        update={
            "heal": settled.heal.model_copy(update={"at": heal_at}),
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


def _healed(faults: Iterable[LiveFault], heal_at: int) -> list[str]:
    """The faults that the heal has ended, or kept from beginning."""
    return [
        fault.id
        for fault in faults
        if not fault.is_permanent
        and not fault.begins_after_heal
        and (_has_no_end(fault.spec) or getattr(fault, "ends_at", None) == heal_at)
    ]


def _has_no_end(fault: AnyFault) -> bool:
    return not (getattr(fault, "duration", None) or getattr(fault, "until", None))


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
