"""Which nodes a scenario has, and which of them a selector names.

| selector | names |
|---|---|
| `coordinator` | the coordinator |
| `sources`, `targets` | every source (target) shard of every table |
| `shards`, `all` | both; and the coordinator |
| `orders/s0` | that shard |
| `s0` | the first source shard of every table |
| `*/s*` | every node whose name matches |
| `one of sources` | one of them, drawn once for a run |

A list of selectors names what any of them names.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from increstore.protocol.topology import (
    COORDINATOR,
    is_source,
    is_target,
    source_name,
    target_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.scenario.model import Scenario

ONE_OF = "one of "
GROUPS = ("coordinator", "sources", "targets", "shards", "all")
_FIRST_TABLES = ("orders", "people", "shop/lines")


class Selected(NamedTuple):
    """What a selector names: these nodes, and one drawn from each of the choices."""

    nodes: tuple[str, ...]
    choices: tuple[tuple[str, ...], ...]

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every node that may be meant."""
        return (*self.nodes, *(node for choice in self.choices for node in choice))


def table_names(tables: int) -> tuple[str, ...]:
    """The names of so many generated tables; one is nested on purpose."""
    later = (f"table{number}" for number in range(len(_FIRST_TABLES) + 1, tables + 1))
    return (*_FIRST_TABLES[:tables], *later)


def node_names(scenario: Scenario) -> tuple[str, ...]:
    """Every node: the coordinator, then table by table its sources and targets.

    For a scenario with a `collection` only the coordinator is known: its tables are in no file
    that is read here; whoever read the collection passes the names on.
    """
    if scenario.workload.collection is not None:
        return (COORDINATOR,)
    return shard_names(table_names(scenario.workload.tables), scenario)


def shard_names(tables: Sequence[str], scenario: Scenario) -> tuple[str, ...]:
    """The nodes of a restore of these tables over the scenario's cluster."""
    cluster = scenario.cluster
    names = [COORDINATOR]
    for table in tables:
        names += [source_name(table, number) for number in range(cluster.sources)]
        names += [target_name(table, number) for number in range(cluster.targets)]
    return tuple(names)


def select(selector: Sequence[str], nodes: Sequence[str]) -> Selected:
    """What `selector` names among `nodes`, in their order; an unknown word names nothing."""
    fixed: list[str] = []
    choices = []
    for word in selector:
        if word.startswith(ONE_OF):
            choices.append(_named(word.removeprefix(ONE_OF), nodes))
        else:
            fixed += _named(word, nodes)
    return Selected(tuple(dict.fromkeys(fixed)), tuple(choice for choice in choices if choice))


def unknown_words(selector: Sequence[str], nodes: Sequence[str]) -> list[str]:
    """The words of `selector` that name no node at all."""
    return [word for word in selector if not _named(word.removeprefix(ONE_OF), nodes)]


def _named(word: str, nodes: Sequence[str]) -> tuple[str, ...]:
    match word:
        case "all":
            return tuple(nodes)
        case "shards":
            return tuple(node for node in nodes if node != COORDINATOR)
        case "sources":
            return tuple(node for node in nodes if is_source(node))
        case "targets":
            return tuple(node for node in nodes if is_target(node))
        case _:
            return tuple(
                node
                for node in nodes
                if node == word or node.rpartition("/")[2] == word or fnmatchcase(node, word)
            )
