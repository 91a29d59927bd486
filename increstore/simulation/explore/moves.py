"""Everything that can happen next in one state of a small world.

A state is three tuples of numbers: the nodes at rest, the packets under way in any order, and what
is left of each budget of faults. What the bounds leave out, and why it is still the truth, is told
in docs/EXPLORE.md.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from increstore.protocol.ledger import RestoreState
from increstore.protocol.records import (
    IncrementalCompleted,
    RestoreCompleted,
    TargetFinalized,
    TargetSealed,
)
from increstore.simulation.explore.laws import LawBroken, expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.protocol.messages import CompletionNotification
    from increstore.protocol.ready import Ready
    from increstore.simulation.explore.kept import Disk, Facts
    from increstore.simulation.explore.node_table import NodeTable, Outcome, Profile

State: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

ENDED = (RestoreState.COMPLETED, RestoreState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Budgets:
    """How many faults of each kind one run may meet."""

    crashes: int = 1
    """Of any node, at any moment; it starts again at once."""
    losses: int = 1
    """Messages that never arrive."""
    duplicates: int = 0
    """Messages that arrive and are still under way."""
    failures: int = 0
    """Reads and writes that fail, and may work when tried again."""
    hasty: int = 0
    """Wake-ups that come although something is still under way."""
    operator: int = 0
    """Times that a person pauses or cancels the restore."""

    def left(self) -> tuple[int, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))


CRASHES, LOSSES, DUPLICATES, FAILURES, HASTY, OPERATOR = range(6)
_PLACES = {"failures": FAILURES, "operator": OPERATOR}


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that can happen: what it is, and the state it leads to."""

    what: tuple[Any, ...]
    """For the retelling: a word, then numbers of nodes, packets and outcomes."""
    is_fault: bool
    state: State


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that broke a law: what was tried, at which node, and what the core answered."""

    what: tuple[Any, ...]
    place: int
    ready: Ready | None


class Moves:
    """The moves of every state, with the laws that need more than one node to be judged."""

    def __init__(self, table: NodeTable, budgets: Budgets) -> None:
        self._table = table
        self._budgets = budgets
        self._tried: tuple[tuple[Any, ...], int] = (("starts",), 0)
        self._places = {name: place for place, name in enumerate(table.names)}
        self._targets = [
            self._places[target]
            for tables in table.world.topology.tables
            for target in tables.targets
        ]

    def first(self) -> State:
        return self._table.first(), (), self._budgets.left()

    def has_ended(self, state: State) -> bool:
        return self._table.profile(state[0][0]).state in ENDED

    def of(self, state: State) -> Iterator[Move]:
        """Every move; faults as far as there is budget for them.

        Raises: LawBroken when one of them breaks a law.
        """
        nodes, packets, left = state
        profiles = self._profiles(nodes)
        starting = [place for place, profile in enumerate(profiles) if profile.is_starting]
        if starting:
            yield from self._starts(state, starting)
            return
        yield from self._deliveries(state)
        for place, profile in enumerate(profiles):
            if profile.deeds:
                yield from self._deeds(state, place)
        is_quiet = not packets and not any(profile.free_deeds for profile in profiles)
        if is_quiet or left[HASTY]:
            yield from self._wakes(state, is_hasty=not is_quiet)
        if left[CRASHES]:
            for place in range(len(nodes)):
                yield from self._crashes(state, place)

    def _profiles(self, nodes: tuple[int, ...]) -> list[Profile]:
        profiles = []
        for place, number in enumerate(nodes):
            self._tried = (("would do what it was asked to",), place)
            profiles.append(self._table.profile(number))
        return profiles

    def _starts(self, state: State, places: list[int]) -> Iterator[Move]:
        """Nobody can tell when a node started: it does so before anything else happens."""
        for place in places:
            self._tried = (("starts",), place)
            yield from self._step(state, self._table.wakes(state[0][place]))

    # --- Messages.

    def _deliveries(self, state: State) -> Iterator[Move]:
        nodes, packets, left = state
        last = -1
        for number, packet in enumerate(packets):
            if packet == last:
                continue  # Packets are in order: the same again is the same move.
            last = packet
            place = self._places[self._table.packets[packet].receiver]
            rest = packets[:number] + packets[number + 1 :]
            self._tried = (("receives", packet), place)
            outcome = self._table.receives(nodes[place], packet)
            yield from self._step((nodes, rest, left), outcome)
            if left[LOSSES]:
                lost = (nodes, rest, _spent(left, LOSSES))
                yield Move(("is lost", packet), True, lost)
            if left[DUPLICATES]:
                kept = (nodes, packets, _spent(left, DUPLICATES))
                self._tried = (("receives one of two", packet), place)
                yield from self._step(kept, outcome, is_fault=True)

    # --- What a node does by itself.

    def _deeds(self, state: State, place: int) -> Iterator[Move]:
        nodes, packets, left = state
        number = nodes[place]
        for deed_place, deed in enumerate(self._table.profile(number).deeds):
            if deed.costs:
                budget = _PLACES[deed.costs]
                if not left[budget]:
                    continue
                state = (nodes, packets, _spent(left, budget))
            else:
                state = (nodes, packets, left)
            self._tried = (("does", number, deed_place), place)
            outcome = self._table.does(number, deed_place)
            yield from self._step(state, outcome, is_fault=bool(deed.costs))

    def _wakes(self, state: State, is_hasty: bool) -> Iterator[Move]:
        nodes, packets, left = state
        if is_hasty:
            state = (nodes, packets, _spent(left, HASTY))
        what = ("wakes early",) if is_hasty else ("wakes",)
        for place, number in enumerate(nodes):
            if self._table.profile(number).can_wake:
                self._tried = (what, place)
                outcome = self._table.wakes(number)
                yield from self._step(state, outcome, is_fault=is_hasty)

    def attempt(self, broken: LawBroken) -> Attempt:
        """The step at hand when a law was broken."""
        what, place = self._tried
        return Attempt(what, place, broken.ready)

    def _step(self, state: State, outcome: Outcome, *, is_fault: bool = False) -> Iterator[Move]:
        """The whole step that is tried now, and every way to be cut off in the middle of it."""
        nodes, packets, left = state
        what, place = self._tried
        after = _replaced(nodes, place, outcome.node)
        try:
            self._judge(nodes, after, outcome)
        except LawBroken as broken:
            broken.ready = outcome.ready
            raise
        told = (what, place, outcome)
        yield Move(told, is_fault, (after, _joined(packets, outcome.packets), left))
        if outcome.cuts and left[CRASHES]:
            left = _spent(left, CRASHES)
            for cut in outcome.cuts:
                dead = _replaced(nodes, place, cut.node)
                yield Move((*told, cut), True, (dead, _joined(packets, cut.packets), left))

    def _crashes(self, state: State, place: int) -> Iterator[Move]:
        """At rest; what was under way to the node arrives in its next life, or is gone with it."""
        nodes, packets, left = state
        left = _spent(left, CRASHES)
        name, packet_of = self._table.names[place], self._table.packets
        others = tuple(packet for packet in packets if packet_of[packet].receiver != name)
        for number, remains in enumerate(self._table.profile(nodes[place]).remains):
            dead = _replaced(nodes, place, remains)
            what = ("crashes", place, nodes[place], number)
            yield Move(what, True, (dead, packets, left))
            if len(others) < len(packets):
                yield Move((*what, "mail"), True, (dead, others, left))

    # --- Laws about more than one node.

    def _judge(self, before: tuple[int, ...], after: tuple[int, ...], outcome: Outcome) -> None:
        for claim in outcome.claims:
            self._check_claim(after, claim)
        deed = outcome.deed
        if deed is not None and deed.applied:
            incremental = deed.applied[0].scan.incremental
            facts: Facts = self._table.nodes[before[0]].kept.facts
            told = f"changes of incremental {incremental} are applied too early"
            is_due = facts.all_succeeded_before(incremental, self._table.world)
            expect(is_due, "O2", told)
        if deed is not None and deed.is_published:
            self._check_published(before)
        for record in outcome.ready.records:
            self._check_record(before, record)

    def _check_claim(self, nodes: tuple[int, ...], claim: CompletionNotification) -> None:
        """C1: of every batch that the backup has for this scan, its target has made it durable."""
        scan, world = claim.scan, self._table.world
        for target in world.topology.table(scan.source.rpartition("/")[0]).targets:
            disk = self._disk(nodes, self._places[target])
            owed = world.owed(scan.source, scan.incremental, target)
            durable = disk.batches(scan)
            right = sum(one == other for one, other in zip(durable, owed, strict=False))
            told = (
                f"{scan.source} reports success for incremental {scan.incremental}; {target} has "
                f"{right} of its {len(owed)} batches"
            )
            expect(disk.has_sealed(scan.incremental) or durable == owed, "C1", told)

    def _check_record(self, nodes: tuple[int, ...], record: object) -> None:
        """C5: what the coordinator records of targets is durable there."""
        match record:
            case TargetSealed(incremental=incremental, target=target):
                disk = self._disk(nodes, self._places[target])
                expect(disk.has_sealed(incremental), "C5", f"{target} has not sealed {incremental}")
            case TargetFinalized(target=target):
                disk = self._disk(nodes, self._places[target])
                expect(disk.finalized is not None, "C5", f"{target} has no final rows")
            case IncrementalCompleted(incremental=incremental):
                for place in self._targets:
                    told = f"{self._table.names[place]} has not sealed {incremental}"
                    expect(self._disk(nodes, place).has_sealed(incremental), "C5", told)
            case RestoreCompleted():
                self._check_published(nodes)

    def _check_published(self, nodes: tuple[int, ...]) -> None:
        """T6: what readers see is every batch of the chain, once."""
        world = self._table.world
        for place in self._targets:
            name = self._table.names[place]
            table = world.topology.table(name.rpartition("/")[0])
            final = self._disk(nodes, place).finalized
            expected = world.final(table, (name,))
            expect(final == expected, "T6", f"{name} shows {final}; the chain has {expected}")

    def _disk(self, nodes: tuple[int, ...], place: int) -> Disk:
        disk: Disk = self._table.nodes[nodes[place]].kept
        return disk


def _replaced(nodes: tuple[int, ...], place: int, number: int) -> tuple[int, ...]:
    return (*nodes[:place], number, *nodes[place + 1 :])


def _joined(packets: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(packets + more)) if more else packets


def _spent(left: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*left[:place], left[place] - 1, *left[place + 1 :])
