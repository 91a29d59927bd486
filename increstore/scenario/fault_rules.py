"""What every fault must keep to: where it runs, when it begins and ends, whom it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from increstore.scenario import faults as f
from increstore.scenario.complaints import listed, suggestion
from increstore.scenario.nodes import GROUPS, ONE_OF, unknown_words
from increstore.scenario.trigger import LastingFault
from increstore.scenario.words import DETAILS, EVENTS, NODE_FACTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from increstore.scenario.faults import AnyFault
    from increstore.scenario.trigger import EventMatch

NODES_LISTED_MAX = 12


class Surroundings(NamedTuple):
    """What a fault is judged against; None (or nothing) where that could not be read."""

    nodes: tuple[str, ...] | None
    last_incremental: int | None
    heal_at: int | None
    modes: tuple[str, ...]


def mode_mistakes(fault: AnyFault, modes: Sequence[str]) -> Iterator[str]:
    """Where the fault cannot run, though the scenario is to."""
    for variant in f.variants(fault):
        missing = [mode for mode in modes if mode not in f.MODES[variant]]
        if missing:
            runs_on = listed(f.MODES[variant])
            yield f"{variant} runs on {runs_on} only, but `on` has {' and '.join(missing)}"


def is_instant(fault: AnyFault) -> bool:
    """Whether it strikes at a moment, so that it cannot be there from the start."""
    match fault:
        case f.CrashFault():
            return not fault.point
        case f.Reset():
            return fault.message is None
        case f.DiskFaultSpec():
            return fault.action in ("bitflip", "misdirect")
        case _:
            return not isinstance(fault, LastingFault)


def trigger_mistakes(fault: AnyFault, around: Surroundings) -> Iterator[str]:
    """Mistakes in when it begins."""
    if fault.at is not None and fault.after is not None:
        yield "has `at` and `after`; expected one of them"
    if fault.at is None and fault.after is None and is_instant(fault):
        yield 'never strikes: say when, with at = "3s" or after = {event = "incremental.started"}'
    if fault.delay is not None and fault.after is None:
        yield "delay counts from an event; give `after` too, or write it as `at`"
    if fault.after is not None:
        yield from event_mistakes("after", fault.after, around)
    outlives_heal = isinstance(fault, f.OperatorFault | f.SecondRestoreFault) or (
        isinstance(fault, LastingFault) and fault.permanent
    )
    begins, heals = fault.at, around.heal_at
    if begins is not None and heals is not None and begins.high >= heals and not outlives_heal:
        yield "begins when everything has healed already; begin earlier, or heal later"


def end_mistakes(fault: AnyFault, around: Surroundings) -> Iterator[str]:
    """Mistakes in when it ends."""
    if not isinstance(fault, LastingFault):
        return
    ends = [key for key in ("duration", "until", "permanent") if getattr(fault, key)]
    if len(ends) > 1:
        yield f"has {' and '.join(ends)}; expected one end"
    if fault.until is not None:
        yield from event_mistakes("until", fault.until, around)


def event_mistakes(place: str, match: EventMatch, around: Surroundings) -> Iterator[str]:
    """Mistakes in `after` or `until`."""
    facts = EVENTS.get(match.event)
    if match.event in DETAILS:
        yield f"{place}: {match.event} is a detail that only runs with a journal file tell"
        return
    if facts is None:
        yield f"{place}: unknown event {match.event!r} {suggestion(match.event, list(EVENTS))}"
        return
    if match.node is not None:
        yield from selector_mistakes(f"{place}: node", match.node, around, may_draw=False)
    for name, value in match.facts:
        if name not in facts:
            yield (
                f"{place}: {match.event} has no fact {name!r} "
                f"(expected event, node, nth{''.join(f', {fact}' for fact in facts)})"
            )
        elif name in NODE_FACTS:
            yield from selector_mistakes(f"{place}: {name}", (str(value),), around, may_draw=False)
        elif name == "incremental":
            yield from incremental_mistakes(place, value, around)


def incremental_mistakes(place: str, value: object, around: Surroundings) -> Iterator[str]:
    """An incremental that the chain does not have; `place` may be empty."""
    last = around.last_incremental
    if value is None or last is None:
        return
    if not isinstance(value, int) or not 0 <= value <= last:
        where = f"{place}: " if place else ""
        yield f"{where}the chain has no incremental {value!r} (expected 0 to {last})"


def selector_mistakes(
    place: str, selector: Sequence[str], around: Surroundings, *, may_draw: bool = True
) -> Iterator[str]:
    """Words that name no node of this cluster."""
    if not may_draw:
        drawn = [word for word in selector if word.startswith(ONE_OF)]
        for word in drawn:
            yield f"{place}: {word!r} draws a node; an event is waited for at named ones"
        selector = [word for word in selector if word not in drawn]
    if around.nodes is None:
        return
    for word in unknown_words(selector, around.nodes):
        yield f"{place}: no node {word!r} (expected {_known(around.nodes)})"


def _known(nodes: Sequence[str]) -> str:
    shown = [*GROUPS, *(node for node in nodes[:NODES_LISTED_MAX] if node not in GROUPS)]
    more = ", .." if len(nodes) > NODES_LISTED_MAX else ""
    return f"{', '.join(shown)}{more}, a last part such as s0, or a pattern such as */s*"
