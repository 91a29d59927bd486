"""A node at rest, and what a role has to say about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from increstore.protocol.ready import ApplyBatch, Effect, Event, Ready
    from increstore.simulation.explore.small_world import SmallWorld

WALL = 1_700_000_000 * 10**9
"""The wall clock when every node's own clock shows 0."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node between two steps. `core` is pickled: nobody can change it; None when it starts."""

    name: str
    core: bytes | None
    now: int
    kept: Any
    pending: tuple[Effect, ...] = ()
    """Asked for and not done yet, in the order asked."""
    wake_at: int | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """One way in which work may end: what is kept then, what still waits, what the core is told."""

    what: str
    kept: Any
    pending: tuple[Effect, ...]
    event: Event
    costs: str = ""
    """The budget it is taken from; "" when it is no fault."""
    ends_life: bool = False
    applied: tuple[ApplyBatch, ...] = ()
    is_published: bool = False


class Role(ABC):
    """One node's part in the exploration."""

    def __init__(self, world: SmallWorld, name: str) -> None:
        self.world = world
        self.name = name

    @abstractmethod
    def first(self) -> Any:
        """What is kept before the first life."""

    @abstractmethod
    def begin(self, node: Node) -> Any:
        """A new core over what is kept."""

    def append(self, kept: Any, records: Sequence[Any]) -> Any:
        """`kept` once the records are durable."""
        assert not records, f"{self.name} keeps no records"
        return kept

    @abstractmethod
    def deeds(self, node: Node, core: Any) -> Iterator[Deed]:
        """Everything that may become of the pending work."""

    def remains(self, node: Node) -> list[Any]:
        """What a crash may leave."""
        return [node.kept]

    @abstractmethod
    def check(self, before: Any, core: Any, event: Event, ready: Ready, kept: Any) -> None:
        """The laws of one step; `before` and `kept` are what was durable before and after it."""
