"""Crash everywhere: at each crash point of a run, one after the other, then at sampled pairs.

A crash point is a place in a node's step where the power may go out: before its records are
written, before they are synced, before anything is said, after each message (see
`simulation.nodes`). The points are numbered in the order in which a run passes them. A pair is a
second crash at a later point of a run that has already crashed once, recovery included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.proving.tasks import Task
from increstore.simulation.draws import Draws

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIRS_MAX = 200


@dataclass(frozen=True, slots=True)
class CrashPlan:
    """Every crash that one seed of a scenario is to survive: `points` alone, then `pairs`."""

    scenario: str
    seed: int
    points: int
    pairs: tuple[tuple[int, int], ...]

    def tasks(self) -> Iterator[Task]:
        for point in range(1, self.points + 1):
            yield Task(self.scenario, "simulation", self.seed, (point,))
        for pair in self.pairs:
            yield Task(self.scenario, "simulation", self.seed, pair)

    @property
    def runs(self) -> int:
        return self.points + len(self.pairs)


def plan_crashes(scenario: str, seed: int, points: int, pairs_max: int = PAIRS_MAX) -> CrashPlan:
    """`points` is what a run without a crash has passed; pairs are drawn, each once."""
    if points < 2:
        return CrashPlan(scenario, seed, points, ())
    draw = Draws(seed).draw
    pairs: dict[tuple[int, int], None] = {}
    for number in range(min(pairs_max, points)):
        first = 1 + draw(f"pair {number} first", points - 1)
        second = first + 1 + draw(f"pair {number} second", points - first)
        pairs[first, second] = None
    return CrashPlan(scenario, seed, points, tuple(pairs))
