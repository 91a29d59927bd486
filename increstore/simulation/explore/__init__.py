"""Everything that can happen in a small restore, tried: breadth first, over the production cores.

`Search` joins the numbers of `NodeTable` (each node at rest, each step that it can take) into
states, and looks at every one of them once. The laws are in `laws`; docs/EXPLORE.md says what is
covered, what is left out, and how large a world can be.
"""

from __future__ import annotations

from increstore.simulation.explore.laws import LAWS, Law
from increstore.simulation.explore.moves import Budgets
from increstore.simulation.explore.retell import Step, retell
from increstore.simulation.explore.search import Exploration, Limits, Search, Violation
from increstore.simulation.explore.small_world import Cast, Shape, SmallWorld

__all__ = [
    "LAWS",
    "Budgets",
    "Cast",
    "Exploration",
    "Law",
    "Limits",
    "Search",
    "Shape",
    "SmallWorld",
    "Step",
    "Violation",
    "explore",
    "retell",
]


def explore(world: SmallWorld, budgets: Budgets, limits: Limits | None = None) -> Exploration:
    """Search a small world until everything was seen, a law is broken, or a limit is reached."""
    return Search(world, budgets, limits).run()
