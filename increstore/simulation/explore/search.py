"""Breadth first through every state of a small world, each once: the first violation found is one
with the fewest steps.

Rules of this file:
- A state that was met is remembered by 16 bytes; itself it is let go once its moves are known.
- States that differ only in which of several like shards did what are one.
- When all states are known, the moves that are no faults are walked backwards from the ended
  ones: what is not met on this walk can never end again (X3).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from xxhash import xxh3_128_digest

from increstore.simulation.explore.laws import LAW_BY_ID, Law, LawBroken
from increstore.simulation.explore.moves import Attempt, Budgets, Move, Moves, State
from increstore.simulation.explore.node_table import NodeTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.simulation.explore.small_world import SmallWorld

_NOBODY = 0xFFFFFFFF
_STATES_BETWEEN_LOOKS = 2_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a search stops before it has seen everything; None is no limit."""

    depth_max: int | None = None
    states_max: int | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken law, and the shortest way there."""

    law: Law
    says: str
    trace: tuple[Move, ...]
    attempt: Attempt | None
    """The step that broke the law; None when it is the state at the end of the trace."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """What a search has seen."""

    states: int
    """With like shards taken for one another."""
    states_in_full: int
    """The same states, each as often as like shards may stand for one another in it."""
    transitions: int
    depth: int
    """Steps from the beginning to the state that is farthest away."""
    ended: int
    """States in which the restore has ended."""
    node_states: int
    core_steps: int
    """Steps that production cores took; every other transition is known from one of them."""
    stopped_by: str
    """The limit that ended the search; "" when everything was seen."""
    violation: Violation | None

    @property
    def is_exhausted(self) -> bool:
        return not self.stopped_by and self.violation is None


class Search:
    """One search. `is_enough(states, depth)` is asked now and then and may end it."""

    def __init__(
        self,
        world: SmallWorld,
        budgets: Budgets,
        limits: Limits | None = None,
        *,
        samples: bool = False,
        symmetry: bool = True,
        is_enough: Callable[[int, int], bool] | None = None,
    ) -> None:
        renamings = world.renamings() if symmetry else [{}]
        self.table = NodeTable(world, samples, renamings)
        self.moves = Moves(self.table, budgets)
        self._limits = limits or Limits()
        self._is_enough = is_enough or (lambda states, depth: False)
        self._views = _views(world.names, renamings, self.table.images)
        self._seen: dict[bytes, int] = {}
        self._recent: dict[State, int] = {}
        """Those met from the level at hand, so that most need not be looked at from all sides."""
        self._parents = array("I")
        self._choices = array("I")
        """By state: which of its parent's moves led to it."""
        self._edges = _Backwards()
        self._ended: list[int] = []
        self._transitions = self._in_full = self._depth = 0
        self._stopped_by = ""

    def run(self) -> Exploration:
        """Search until everything was seen, a law is broken, or a limit is reached."""
        violation = self._spread()
        if violation is None and not self._stopped_by:
            violation = self._unable_to_end()
        return Exploration(
            len(self._seen), self._in_full, self._transitions, self._depth, len(self._ended),
            len(self.table.nodes), self.table.steps, self._stopped_by, violation,
        )  # fmt: skip

    # --- Forwards.

    def _spread(self) -> Violation | None:
        level: list[tuple[int, State]] = []
        self._meet(self.moves.first(), _NOBODY, 0, level)
        while level and not self._stopped_by:
            if self._depth == self._limits.depth_max:
                self._stopped_by = "depth"
                return None
            following: list[tuple[int, State]] = []
            for number, (index, state) in enumerate(level):
                violation = self._expand(index, state, following)
                if violation is not None:
                    return violation
                if number % _STATES_BETWEEN_LOOKS == 0 and self._look():
                    return None
            level = following
            self._recent.clear()
            self._depth += bool(level)
        return None

    def _look(self) -> bool:
        """Whether to stop here."""
        states_max = self._limits.states_max
        if states_max is not None and len(self._seen) >= states_max:
            self._stopped_by = "states"
        elif self._is_enough(len(self._seen), self._depth):
            self._stopped_by = "seconds"
        return bool(self._stopped_by)

    def _expand(
        self, index: int, state: State, following: list[tuple[int, State]]
    ) -> Violation | None:
        """Meet every state that follows."""
        can_go_on = False
        try:
            for choice, move in enumerate(self.moves.of(state)):
                self._transitions += 1
                met = self._meet(move.state, index, choice, following)
                if not move.is_fault:
                    can_go_on = True
                    self._edges.add(index, met)
        except LawBroken as broken:
            attempt = self.moves.attempt(broken)  # Before the trace is walked again.
            return Violation(broken.law, broken.says, self._trace(index), attempt)
        if self.moves.has_ended(state):
            self._ended.append(index)
        elif not can_go_on:
            told = f"nothing can happen any more: {self._explain(state)}"
            return Violation(LAW_BY_ID["L7"], told, self._trace(index), None)
        return None

    def _meet(
        self, state: State, parent: int, choice: int, following: list[tuple[int, State]]
    ) -> int:
        """The number of a state, which is put into `following` when it is a new one."""
        index = self._recent.get(state)
        if index is not None:
            return index  # The same to the letter, met a moment ago: most are.
        views = self._seen_from_all_sides(state)
        digest = xxh3_128_digest(array("I", min(views)).tobytes())
        index = self._seen.get(digest)
        if index is None:
            index = self._seen[digest] = len(self._parents)
            self._parents.append(parent)
            self._choices.append(choice)
            self._edges.add_state()
            self._in_full += len(set(map(tuple, views)))
            following.append((index, state))
        self._recent[state] = index
        return index

    def _seen_from_all_sides(self, state: State) -> list[list[int]]:
        """A state as numbers, once for each way to exchange like shards."""
        nodes, packets, left = state
        return [
            [*map(image, order(nodes)), *left, *sorted(map(image, packets))]
            for order, image in self._views
        ]

    # --- Backwards.

    def _unable_to_end(self) -> Violation | None:
        """X3: the first state from which no way without faults leads to an end."""
        lost = self._edges.first_without_way_to(self._ended)
        if lost is None:
            return None
        trace = self._trace(lost)
        state = trace[-1].state if trace else self.moves.first()
        told = f"from here it can never end: {self._explain(state)}"
        return Violation(LAW_BY_ID["X3"], told, trace, None)

    def _trace(self, index: int) -> tuple[Move, ...]:
        """The moves that led to a state, taken again from the beginning."""
        choices = []
        while self._parents[index] != _NOBODY:
            choices.append(self._choices[index])
            index = self._parents[index]
        state, trace = self.moves.first(), []
        for choice in reversed(choices):
            move = next(islice(self.moves.of(state), choice, None))
            trace.append(move)
            state = move.state
        return tuple(trace)

    def _explain(self, state: State) -> str:
        return self.table.explain(state[0][0])


def _views(
    names: tuple[str, ...], renamings: list[dict[str, str]], images: list[list[int]]
) -> list[tuple[Callable[..., tuple[int, ...]], Callable[[int], int]]]:
    """By renaming: who comes to each place, and the image of each number."""
    views: list[tuple[Callable[..., tuple[int, ...]], Callable[[int], int]]] = []
    for renaming, image in zip(renamings, images, strict=True):
        olds = {renaming.get(name, name): place for place, name in enumerate(names)}
        views.append((itemgetter(*(olds[name] for name in names)), image.__getitem__))
    return views


class _Backwards:
    """Every move that is no fault, to be walked from its end: three numbers for each."""

    def __init__(self) -> None:
        self._newest = array("I")
        """By state: the newest move that leads to it."""
        self._sources = array("I")
        self._older = array("I")
        """By move: the one before it that leads to the same state."""

    def add_state(self) -> None:
        self._newest.append(_NOBODY)

    def add(self, source: int, end: int) -> None:
        self._older.append(self._newest[end])
        self._newest[end] = len(self._sources)
        self._sources.append(source)

    def first_without_way_to(self, ends: list[int]) -> int | None:
        """The lowest state from which no way leads to any of `ends`."""
        reached = bytearray(len(self._newest))
        for end in ends:
            reached[end] = 1
        waiting = list(ends)
        while waiting:
            move = self._newest[waiting.pop()]
            while move != _NOBODY:
                source = self._sources[move]
                if not reached[source]:
                    reached[source] = 1
                    waiting.append(source)
                move = self._older[move]
        lost = reached.find(0)
        return None if lost < 0 else lost
