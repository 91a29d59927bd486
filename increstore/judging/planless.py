"""What can be judged of a journal that does not name its plan: the history, as far as it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.topology import TableTopology, Topology, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.judging.journal_lines import JournalLine

HISTORY_LAWS = ("O4", "E5", "E6", "C4", "K1", "K2", "S6", "L5")
"""They need nothing but the records' order and the shards that these name."""


def infer_topology(restore: str, lines: Sequence[JournalLine]) -> Topology:
    """Whoever has reported or sealed is taken for all there are."""
    shards: dict[str, tuple[dict[str, None], dict[str, None], dict[int, None]]] = {}
    last = 0
    for line in lines:
        incremental = line.facts.get("incremental", 0)
        last = max(last, incremental)
        shard = line.facts.get("source") or line.facts.get("target")
        if isinstance(shard, str):
            sources, targets, changed = shards.setdefault(table_of(shard), ({}, {}, {}))
            (sources if "source" in line.facts else targets)[shard] = None
            changed[incremental] = None
    return Topology(
        restore,
        last,
        tuple(
            TableTopology(table, tuple(sources), tuple(targets), tuple(sorted(changed)), None, None)
            for table, (sources, targets, changed) in sorted(shards.items())
        ),
    )
