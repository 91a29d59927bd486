"""The journal of a simulated run: what every real run writes, stamped with virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.journal import Journal
from increstore.simulation.ambient import SECOND

if TYPE_CHECKING:
    from increstore.simulation.world import World

WALL_NS = 1_700_000_000 * SECOND
"""The wall clock when a world begins."""


class SimulationJournal(Journal):
    """Tells the scenario's director of the events it waits for; the same for the same seed."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.about = {
            "title": world.director.compiled.scenario.title, "seed": world.draws.seed,
        }  # fmt: skip

    @property
    def wants_barrier(self) -> bool:
        """Whether anybody asks for whom the restore waits: it takes time to say."""
        return self.wants_details or "barrier.waits" in self._world.director.wanted

    def tell(
        self,
        node: str,
        name: str,
        facts: dict[str, Any],
        details: dict[str, Any] | None = None,
        *,
        is_detail: bool = False,
    ) -> None:
        world = self._world
        if not is_detail and name in world.director.wanted:
            world.director.observe(world.now, node, name, facts)
            world.look_at_director_soon()
        super().tell(node, name, facts, details, is_detail=is_detail)

    def clock(self) -> int:
        return WALL_NS + self._world.now
