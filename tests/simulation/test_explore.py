"""Small restores, searched to the end; mistakes planted in the cores, found by the fewest steps."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from increstore.judging.catalogue import INVARIANTS
from increstore.protocol.messages import ScanId, Status
from increstore.protocol.ready import ApplyBatch
from increstore.protocol.records import (
    GenerationStarted,
    IncrementalStarted,
    RestoreCancelled,
    ScanReported,
)
from increstore.simulation.explore import (
    LAWS,
    Budgets,
    Limits,
    Search,
    Shape,
    SmallWorld,
    explore,
    retell,
)
from increstore.simulation.explore.kept import Disk, History
from increstore.simulation.explore.laws import LawBroken
from increstore.simulation.explore.moves import Moves
from increstore.simulation.explore.node_table import NodeTable
from simulation.explore_plants import PLANTS

SCAN = ScanId("restore-1", 0, "orders/s0", 1)

WORLDS = {
    "two sources, a crash": ({"sources": 2, "incrementals": 0}, {"crashes": 1, "losses": 1}),
    "two targets, a loss": ({"sources": 2, "targets": 2}, {"crashes": 0, "losses": 1}),
    "two batches, two pages": (
        {"sources": 1, "incrementals": 0, "pages": 2},
        {"crashes": 1, "losses": 0},
    ),
    "two tables": ({"sources": 1, "tables": 2, "incrementals": 0}, {"crashes": 1, "losses": 0}),
    "failures, asked again too soon": (
        {"sources": 1, "incrementals": 0},
        {"crashes": 0, "losses": 0, "failures": 2, "hasty": 1, "duplicates": 1},
    ),
    "an operator": (
        {"sources": 1, "incrementals": 1},
        {"crashes": 1, "losses": 0, "operator": 1},
    ),
    "a cap of one": (
        {"sources": 2, "incrementals": 1, "in_flight": 1},
        {"crashes": 1, "losses": 0},
    ),
}


def a_world(**shape) -> SmallWorld:
    return SmallWorld(Shape(**{"sources": 1, "incrementals": 0, **shape}))


def a_search(world, **options) -> Search:
    faults = {name: options.pop(name) for name in list(options) if hasattr(Budgets(), name)}
    return Search(world, Budgets(**{"crashes": 0, "losses": 0, **faults}), **options)


# --- The production cores.


@pytest.mark.parametrize("name", WORLDS)
def test_every_state_of_a_small_restore_keeps_every_law_and_can_still_end(name):
    shape, budgets = WORLDS[name]

    seen = explore(SmallWorld(Shape(**shape)), Budgets(**budgets))

    assert seen.violation is None
    assert seen.is_exhausted
    assert seen.states > 700
    assert seen.ended > 0


def test_samples_of_progress_change_nothing_that_matters():
    seen = a_search(a_world(), crashes=1, operator=1, samples=True).run()

    assert seen.is_exhausted
    assert seen.states > 700


def test_batches_that_differ_everywhere_end_as_well():
    seen = explore(a_world(sources=2, targets=2, alike=False), Budgets(crashes=0, losses=0))

    assert seen.is_exhausted
    assert seen.states == seen.states_in_full > 400


def test_two_searches_of_the_same_world_see_the_same():
    world, budgets = a_world(sources=2), Budgets(crashes=1, losses=0)

    assert explore(world, budgets) == explore(world, budgets)


@pytest.mark.parametrize(
    ("shape", "faults"),
    [
        ({"sources": 2, "targets": 2}, {}),
        ({"sources": 3}, {"losses": 1}),
        ({"sources": 2}, {"failures": 1}),
        ({"sources": 2}, {"crashes": 1}),
    ],
)
def test_like_shards_are_taken_for_one_another_and_no_state_is_lost_by_it(shape, faults):
    together = a_search(a_world(**shape), **faults).run()
    apart = a_search(a_world(**shape), **faults, symmetry=False).run()

    assert together.states_in_full == apart.states == apart.states_in_full
    assert together.states < apart.states * 0.6


@pytest.mark.parametrize(
    ("shape", "faults"),
    [
        ({"sources": 2}, {"crashes": 1}),
        ({"incrementals": 1, "batches": 2}, {"losses": 1, "hasty": 1}),
        ({"pages": 2}, {"failures": 1}),
        ({}, {"failures": 2, "hasty": 1}),
        ({}, {"crashes": 1, "operator": 1}),
    ],
)
def test_nodes_with_equal_keys_do_the_same_whatever_they_are_told(shape, faults):
    """The keys leave out times and words: were one of them needed, two such nodes would differ."""
    table = DoubtingTable(a_world(**shape), samples=False, renamings=[{}])

    meet_every_state(Moves(table, Budgets(**{"crashes": 0, "losses": 0, **faults})))

    assert len(table.others) > 10
    assert table.disagreements() == []


class DoubtingTable(NodeTable):
    """Keeps some of the other nodes that have a key, to see whether they do what the first does."""

    def __init__(self, *given, **named) -> None:
        self.others: dict = {}
        super().__init__(*given, **named)

    def number(self, node):
        number = super().number(node)
        kept = self.others.setdefault(number, [])
        if len(kept) < 3 and node not in (self.nodes[number], *kept):
            kept.append(node)
        return number

    def disagreements(self) -> list:
        return [
            (self.nodes[number].name, event)
            for (number, kind, place), outcome in list(self._outcomes.items())
            for other in self.others.get(number, ())
            for event in [self.event_of(kind, place, outcome)]
            if not self.agrees(other, kind, place, outcome)
        ]

    def event_of(self, kind, place, outcome):
        return self.packets[place].message if kind == 1 else (outcome.deed or "wakes")

    def agrees(self, other, kind, place, outcome) -> bool:
        deed = outcome.deed
        if deed is not None:
            role = self.roles[other.name]
            alike = [d for d in self._profiled(other).deeds if d.event == deed.event]
            assert alike, f"{role.name} cannot do what its likes do: {deed}"
            outcomes = [self._step(other, kind, place, d) for d in alike]
        else:
            outcomes = [self._step(other, kind, place, None)]
        return any(
            (found.node, found.packets, found.cuts) == (outcome.node, outcome.packets, outcome.cuts)
            for found in outcomes
        )


def meet_every_state(moves) -> None:
    seen, waiting = set(), [moves.first()]
    while waiting:
        state = waiting.pop()
        if state not in seen:
            seen.add(state)
            waiting += [move.state for move in moves.of(state)]


# --- Limits.


def test_a_search_stops_where_it_is_told_to_and_says_so():
    world, budgets = a_world(), Budgets()

    near = explore(world, budgets, Limits(depth_max=5))
    few = explore(world, budgets, Limits(states_max=100))

    assert (near.stopped_by, near.depth, near.is_exhausted) == ("depth", 5, False)
    assert (few.stopped_by, few.is_exhausted) == ("states", False)
    assert 100 <= few.states < explore(world, budgets).states


def test_its_caller_may_have_had_enough():
    seen = a_search(a_world(), is_enough=lambda states, depth: depth == 7).run()

    assert (seen.stopped_by, seen.depth) == ("seconds", 7)


# --- Mistakes.


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_mistake_is_found(plant):
    search = Search(plant.world(), plant.faults())

    seen = search.run()

    assert seen.violation is not None
    assert seen.violation.law.id == plant.law
    assert retell(seen.violation, search.table)


def test_the_way_to_a_mistake_is_the_shortest_and_is_told_step_by_step():
    plant = next(plant for plant in PLANTS if plant.name.startswith("ReportsExhausted"))
    search = Search(plant.world(), plant.faults())

    steps = retell(search.run().violation, search.table)

    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    assert [step.node for step in steps] == [
        "coordinator", "orders/s0", "orders/t0", "orders/s0", "orders/s0",
    ]  # fmt: skip
    assert steps[3].event.startswith("receives StartScan(orders/s0, incremental 0, attempt 1")
    assert steps[4].line(11).startswith("   5  orders/s0    reads page 0  ->  sends ApplyChanges")
    assert "sends CompletionNotification" in steps[4].did[1]


def test_the_historic_mistake_is_a_restore_that_can_never_end():
    """A report that is lost and not asked for again: nobody fails, and nothing ever happens."""
    plant = next(plant for plant in PLANTS if plant.name.startswith("AnswersNobodyTwice"))
    search = Search(plant.world(), plant.faults())

    violation = search.run().violation

    assert violation.law.title == "X3 the-end-stays-in-reach"
    assert "incremental 0 waits for orders/s0" in violation.says
    assert retell(violation, search.table)[-1].event.startswith("loses CompletionNotification")


# --- Laws of what is durable.


def a_batch(order=1, attempt=1) -> ApplyBatch:
    return ApplyBatch(replace(SCAN, attempt=attempt), order, 1, order, b"")


def a_report(attempt=1, status=Status.SUCCESS, incremental=0) -> ScanReported:
    scan = replace(SCAN, attempt=attempt, incremental=incremental)
    return ScanReported(scan, status, 1, (), "", 0)


def after(*records) -> History:
    return History().append(records, a_world(incrementals=2))


DURABLE = {
    "E1": lambda: Disk().append(a_batch(1)).append(a_batch(1)),
    "E3": lambda: Disk().append(a_batch(1, attempt=2)).append(a_batch(1)),
    "O5": lambda: Disk().append(a_batch(2)),
    "T5": lambda: Disk().seal(0, ()).append(a_batch(1)),
    "S4": lambda: Disk(generation=2).remember(2),
    "K2": lambda: after(GenerationStarted(1, 0), GenerationStarted(1, 0)),
    "O4": lambda: after(IncrementalStarted(0, 0), a_report(), IncrementalStarted(2, 0)),
    "O1": lambda: after(IncrementalStarted(0, 0), IncrementalStarted(1, 0)),
    "C4": lambda: after(IncrementalStarted(0, 0), a_report(), a_report()),
    "S2": lambda: after(IncrementalStarted(0, 0), a_report(attempt=2)),
    "S6": lambda: after(RestoreCancelled(0), GenerationStarted(1, 0)),
}


@pytest.mark.parametrize("law", DURABLE)
def test_what_may_never_be_durable_is_refused(law):
    with pytest.raises(LawBroken) as broken:
        DURABLE[law]()

    assert broken.value.law.id == law


def test_every_law_is_broken_by_something_here():
    """A law that nothing can break proves nothing."""
    assert sorted({plant.law for plant in PLANTS} | set(DURABLE)) == sorted(law.id for law in LAWS)


def test_the_page_of_the_search_lists_every_law():
    page = (Path(__file__).resolve().parents[2] / "docs" / "EXPLORE.md").read_text("utf-8")
    rows = re.findall(r"^\| (\w\d+) \| ([\w-]+) \| (.+) \|$", page, re.MULTILINE)

    assert rows == [(law.id, law.name, law.sentence) for law in LAWS]


def test_a_law_that_the_judges_have_too_is_called_the_same_by_both():
    names = {invariant.id: invariant.name for invariant in INVARIANTS}
    alone = [law.id for law in LAWS if law.id not in names]

    assert alone == ["X1", "X2", "X3"]
    assert [law.title for law in LAWS if names.get(law.id, law.name) != law.name] == []
