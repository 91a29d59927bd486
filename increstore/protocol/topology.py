"""Who takes part in a restore: tables, their source and target shards, and the chain's length.

A node's name is `<table>/s<i>` for a source shard, `<table>/t<i>` for a target shard, and
`coordinator` for the coordinator. Table names may hold slashes; the last part never does.
"""

from __future__ import annotations

from dataclasses import dataclass

COORDINATOR = "coordinator"


def source_name(table: str, number: int) -> str:
    """The name of source shard `number` (from 0) of a table."""
    return f"{table}/s{number}"


def target_name(table: str, number: int) -> str:
    """The name of target shard `number` (from 0) of a table."""
    return f"{table}/t{number}"


def is_source(node: str) -> bool:
    """Whether this is the name of a source shard."""
    return node.rpartition("/")[2].startswith("s")


def is_target(node: str) -> bool:
    """Whether this is the name of a target shard."""
    return node.rpartition("/")[2].startswith("t")


def table_of(shard: str) -> str:
    """The table a source or target shard works for."""
    return shard.rpartition("/")[0]


def number_of(shard: str) -> int:
    """Which of its table's source (or target) shards it is, from 0."""
    return int(shard.rpartition("/")[2][1:])


@dataclass(frozen=True, slots=True)
class TableTopology:
    """One table's shards, the incrementals that change it, and the state they must end in.

    `incrementals` are chain positions in ascending order (0 is the full backup); the others leave
    the table as it was, have no scan and no seal. `rows` and `digest` are the expected final row
    count and state digest, or None when the collection does not know them.
    """

    table: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    incrementals: tuple[int, ...]
    rows: int | None
    digest: int | None


@dataclass(frozen=True, slots=True)
class Topology:
    """The whole restore: chain positions run from 0 to `last_incremental`, both included."""

    restore: str
    last_incremental: int
    tables: tuple[TableTopology, ...]

    def tables_changed_in(self, incremental: int) -> tuple[TableTopology, ...]:
        return tuple(table for table in self.tables if incremental in table.incrementals)

    def table(self, name: str) -> TableTopology:
        """Raises: KeyError when the restore has no such table."""
        for table in self.tables:
            if table.table == name:
                return table
        raise KeyError(name)
