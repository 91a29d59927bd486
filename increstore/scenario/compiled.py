"""A scenario prepared for many runs: every selector resolved, every event name collected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from increstore.scenario import faults as f
from increstore.scenario.nodes import Selected, node_names, select
from increstore.scenario.words import EVENTS, NODE_FACTS, TEXT_FACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from increstore.scenario.model import Scenario
    from increstore.scenario.trigger import EventMatch, Fact

    Draw = Callable[[str, int], int]
    """Keyed chance: a label and a bound give 0..bound - 1; 0 is the harmless one."""


@dataclass(frozen=True, slots=True)
class CompiledFault:
    """One fault; `nodes`, `senders`, `receivers` and `groups` are its selectors, resolved.

    `begins` and `ends` are the events that trigger and end it.
    """

    number: int
    """Its place in the file."""
    spec: f.AnyFault
    nodes: Selected
    senders: Selected | None
    receivers: Selected | None
    groups: tuple[Selected, ...]
    begins: EventTest | None
    ends: EventTest | None

    @property
    def is_at_points(self) -> bool:
        """Whether nodes must ask for it at their crash points."""
        return isinstance(self.spec, f.CrashFault) and bool(self.spec.point)

    def drawn(self, selected: Selected, purpose: str, draw: Draw) -> tuple[str, ...]:
        """The nodes meant in one run: those named, and one of each choice."""
        if not selected.choices:
            return selected.nodes
        chosen = [
            choice[draw(f"fault {self.spec.id} {purpose} {number}", len(choice))]
            for number, choice in enumerate(selected.choices, start=1)
        ]
        return tuple(dict.fromkeys((*selected.nodes, *chosen)))


class EventTest:
    """Whether an event is one that an `EventMatch` means; counts towards its `nth` elsewhere."""

    __slots__ = ("_contained", "_equal", "_named", "_nodes", "event", "nth")

    def __init__(self, match: EventMatch, nodes: Sequence[str]) -> None:
        self.event = match.event
        self.nth = match.nth
        self._nodes = None if match.node is None else _names(match.node, nodes)
        facts = dict(match.facts)
        self._named = tuple(
            (key, _names((str(value),), nodes)) for key, value in facts.items() if key in NODE_FACTS
        )
        self._contained = tuple(
            (key, str(value)) for key, value in facts.items() if key in TEXT_FACTS
        )
        self._equal: tuple[tuple[str, Fact], ...] = tuple(
            (key, value)
            for key, value in facts.items()
            if key not in NODE_FACTS and key not in TEXT_FACTS
        )

    def accepts(self, node: str, facts: Mapping[str, object]) -> bool:
        if self._nodes is not None and node not in self._nodes:
            return False
        return (
            all(facts.get(key) == value for key, value in self._equal)
            and all(facts.get(key) in names for key, names in self._named)
            and all(text in str(facts.get(key, "")) for key, text in self._contained)
        )


@dataclass(frozen=True)
class CompiledScenario:
    """Shared by all runs of one scenario; nothing in it changes."""

    scenario: Scenario
    nodes: tuple[str, ...]
    faults: tuple[CompiledFault, ...]

    @cached_property
    def wanted(self) -> frozenset[str]:
        """Names of the events that a director must be told of."""
        tests = (test for fault in self.faults for test in (fault.begins, fault.ends) if test)
        expect = self.scenario.expect
        marks = (mark for mark in (*expect.reached, *expect.never) if mark in EVENTS)
        return frozenset(test.event for test in tests) | frozenset(marks)

    @cached_property
    def heal_at(self) -> int:
        return self.scenario.heal.at

    @cached_property
    def has_crash_points(self) -> bool:
        """Whether nodes must ask at their crash points at all."""
        return any(fault.is_at_points for fault in self.faults)


def compile_scenario(scenario: Scenario, nodes: Sequence[str] | None = None) -> CompiledScenario:
    """Prepare the faults of a scenario; `nodes` are needed when its chain is a real collection."""
    names = tuple(nodes) if nodes is not None else node_names(scenario)
    faults = (compile_fault(number, spec, names) for number, spec in enumerate(scenario.faults, 1))
    return CompiledScenario(scenario, names, tuple(faults))


def compile_fault(number: int, spec: f.AnyFault, nodes: Sequence[str]) -> CompiledFault:
    """Resolve the selectors of one fault; `number` is its place in the file."""
    sender, receiver = getattr(spec, "sender", None), getattr(spec, "receiver", None)
    own = spec.nodes if isinstance(spec, f.Swizzle) else getattr(spec, "node", ())
    groups = spec.groups if isinstance(spec, f.Partition) else ()
    until = getattr(spec, "until", None)
    return CompiledFault(
        number=number,
        spec=spec,
        nodes=select(own, nodes),
        senders=None if sender is None else select(sender, nodes),
        receivers=None if receiver is None else select(receiver, nodes),
        groups=tuple(select(group, nodes) for group in groups),
        begins=None if spec.after is None else EventTest(spec.after, nodes),
        ends=None if until is None else EventTest(until, nodes),
    )


def _names(selector: Sequence[str], nodes: Sequence[str]) -> frozenset[str]:
    return frozenset(select(selector, nodes).candidates)
