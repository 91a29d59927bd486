"""Whether a scenario makes sense: names that exist, moments in order, faults that can run.

What could not be read is in `Broken`; nothing is said here that would only follow from it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from increstore.scenario.complaints import fault_place, listed, suggestion
from increstore.scenario.fault_checks import fault_mistakes
from increstore.scenario.fault_rules import Surroundings
from increstore.scenario.model import WorkloadSpec
from increstore.scenario.nodes import node_names
from increstore.scenario.values import RATE_WHOLE
from increstore.scenario.words import (
    DETAILS,
    DROP_MARK,
    DROPS,
    EVENTS,
    FAULT_MARK,
    is_drop,
    is_seen,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.scenario.model import Scenario


class Broken(NamedTuple):
    """What could not be read: names of sections, and numbers (1-based) of faults."""

    sections: frozenset[str] = frozenset()
    faults: frozenset[int] = frozenset()


def find_mistakes(scenario: Scenario, broken: Broken) -> list[str]:
    """Every mistake in what could be read, as `place: what`."""
    found: list[str] = []
    for section, check in _SECTION_CHECKS:
        if section not in broken.sections:
            found += check(scenario)
    found += _faults(scenario, broken)
    if "expect" not in broken.sections:
        found += _marks(scenario, all_faults_known=not broken.faults)
    return found


def _on(scenario: Scenario) -> Iterator[str]:
    yield from _repeated("on", scenario.on)
    if "simulation" not in scenario.on:
        return
    for key in ("collection", "damage"):
        if getattr(scenario.workload, key) is not None:
            yield (
                f"[workload] {key}: runs on memory and tcp only, but `on` has simulation; "
                'write on = ["memory", "tcp"]'
            )


def _workload(scenario: Scenario) -> Iterator[str]:
    workload = scenario.workload
    if workload.deletes + workload.resets > RATE_WHOLE:
        yield "[workload] deletes and resets: expected at most 100% together"
    for key in ("empty", "unchanged", "delete_only"):
        positions = getattr(workload, key)
        yield from _repeated(f"[workload] {key}", positions)
        for beyond in (x for x in positions if x > workload.incrementals):
            yield (
                f"[workload] {key}: the chain has no incremental {beyond} "
                f"(expected 1 to {workload.incrementals})"
            )
    for both in sorted(set(workload.empty) & set(workload.delete_only)):
        yield f"[workload] incremental {both} is in empty and in delete_only; expected one of them"
    if workload.collection is None and workload.damage is not None:
        yield from _nothing_to_damage(workload)
    if workload.collection is not None:
        generated = WorkloadSpec(collection=workload.collection, damage=workload.damage)
        surplus = [name for name, value in workload if value != getattr(generated, name)]
        if surplus:
            yield f"[workload] {listed(surplus)}: a given collection is not generated; leave it out"


BACKUPS_FOR = {"missing-table": 2, "missing-incremental": 3, "reordered": 3}
"""Backups that a chain must have to be damaged so."""


def _nothing_to_damage(workload: WorkloadSpec) -> Iterator[str]:
    least = BACKUPS_FOR.get(str(workload.damage), 1) - 1
    if workload.incrementals < least:
        yield (
            f'[workload] damage: "{workload.damage}" needs a chain of {least} incrementals or '
            f"more, got {workload.incrementals}"
        )
    is_of_a_file = str(workload.damage).endswith("-file")
    if is_of_a_file and not workload.rows and not workload.incrementals * workload.changes:
        yield (
            f'[workload] damage: "{workload.damage}" needs a chain with rows; set rows or changes '
            "to 1 or more"
        )


def _policy(scenario: Scenario) -> Iterator[str]:
    policy = scenario.policy
    if policy.backoff > policy.backoff_max:
        yield "[policy] backoff: expected at most backoff_max"


def _network(scenario: Scenario) -> Iterator[str]:
    network = scenario.network
    if network.reorder.high and network.kind == "stream":
        yield '[network] reorder: a stream keeps its order; leave it out, or use kind = "datagram"'


def _expect(scenario: Scenario) -> Iterator[str]:
    expect, workload = scenario.expect, scenario.workload
    if expect.reason and expect.outcome == "completed":
        yield "[expect] reason: a completed restore has none; leave it out"
    if workload.damage is not None and expect.outcome != "refused":
        yield f'[expect] outcome: a damaged collection is refused, got "{expect.outcome}"'
    if expect.outcome == "refused" and workload.damage is None and workload.collection is None:
        yield (
            '[expect] outcome: expected "refused" only with [workload] damage or collection; '
            "nothing else refuses a restore"
        )


_SECTION_CHECKS = (
    ("on", _on),
    ("workload", _workload),
    ("policy", _policy),
    ("network", _network),
    ("expect", _expect),
)


def _repeated(place: str, values: tuple[object, ...]) -> Iterator[str]:
    for value, times in Counter(values).items():
        if times > 1:
            yield f"{place}: {value} is there {times} times; expected once"


def _faults(scenario: Scenario, broken: Broken) -> Iterator[str]:
    around = Surroundings(
        nodes=None
        if {"cluster", "workload"} & broken.sections or scenario.workload.collection
        else node_names(scenario),
        last_incremental=None
        if "workload" in broken.sections or scenario.workload.collection
        else scenario.workload.incrementals,
        heal_at=None if "heal" in broken.sections else scenario.heal.at,
        modes=() if "on" in broken.sections else scenario.on,
    )
    numbers = _sound_numbers(scenario, broken)
    for number, fault in zip(numbers, scenario.faults, strict=True):
        place = fault_place(number, fault.kind)
        for mistake in fault_mistakes(fault, around):
            yield f"{place}: {mistake}"
    for fault_id, times in Counter(fault.id for fault in scenario.faults).items():
        if times > 1:
            yield f'{times} faults have the id "{fault_id}"; give each its own'


def _sound_numbers(scenario: Scenario, broken: Broken) -> list[int]:
    """The places in the file of the faults that could be read."""
    count = len(scenario.faults) + len(broken.faults)
    return [number for number in range(1, count + 1) if number not in broken.faults]


def _marks(scenario: Scenario, *, all_faults_known: bool) -> Iterator[str]:
    expect = scenario.expect
    names = _FaultNames(scenario, are_all=all_faults_known)
    for key in ("reached", "never"):
        marks: tuple[str, ...] = getattr(expect, key)
        yield from _repeated(f"[expect] {key}", marks)
        for mark in marks:
            wrong = _wrong_mark(mark, names)
            if wrong:
                yield f"[expect] {key}: {wrong}"
    for mark in expect.reached:
        why = mark.removeprefix(DROP_MARK)
        if why != mark and is_drop(why) and not is_seen(why):
            yield (
                f"[expect] reached: nothing is ever dropped as {why!r} (no node sends such a "
                "thing); leave it out, or expect it never"
            )
    never = frozenset(expect.never)
    for mark in (mark for mark in expect.reached if mark in never):
        yield f'[expect] "{mark}" is in reached and in never; expected one of them'


LIKELY_IDS_MAX = 200
"""Ids among which the one that was meant is looked for, which takes long."""
LOOKED_FOR_MAX = 50
"""How often; nobody is told of more mistakes than that."""


class _FaultNames:
    """The ids of a scenario's faults; `are_all`: there is none that could not be read."""

    def __init__(self, scenario: Scenario, *, are_all: bool) -> None:
        self._ids = [fault.id for fault in scenario.faults]
        self._known = frozenset(self._ids)
        self._are_all = are_all
        self._looked_for = 0

    def complaint(self, fault: str) -> str:
        """Why no fault has this id; empty when one has, or may have."""
        if fault in self._known or not self._are_all:
            return ""
        self._looked_for += 1
        if self._looked_for > LOOKED_FOR_MAX:
            return f"no fault has the id {fault!r}"
        return f"no fault has the id {fault!r} {suggestion(fault, self._ids[:LIKELY_IDS_MAX])}"


def _wrong_mark(mark: str, names: _FaultNames) -> str:
    """Why nothing gives this mark; empty when something may."""
    if mark.startswith(FAULT_MARK):
        return names.complaint(mark.removeprefix(FAULT_MARK))
    if mark.startswith(DROP_MARK):
        why = mark.removeprefix(DROP_MARK)
        return "" if is_drop(why) else f"nothing is dropped as {why!r} {suggestion(why, DROPS)}"
    if mark in EVENTS:
        return ""
    if mark in DETAILS:
        return f"{mark} is a detail that only runs with a journal file tell"
    return f"unknown mark {mark!r} {suggestion(mark, [*EVENTS, 'fault: ID', 'dropped: WHY'])}"
