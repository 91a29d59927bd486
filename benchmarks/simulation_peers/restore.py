"""One restore: all its nodes, made for one run of a simulator."""

from __future__ import annotations

from collections.abc import Callable

from coordinator import Coordinator
from model import Counts, Node, Shape
from shards import Source, Target


def nodes_of(
    shape: Shape, counts: Counts, delay: Callable[[str], float]
) -> tuple[Coordinator, list[Node]]:
    """The coordinator, and all nodes with it."""
    coordinator = Coordinator(shape, counts, delay)
    sources = [Source(name, shape, counts, delay) for name in shape.source_names]
    targets = [Target(name, shape, counts, delay) for name in shape.target_names]
    return coordinator, [coordinator, *sources, *targets]
