"""A restore small enough that everything that can happen to it can be tried.

Batches have no rows here: a batch is its order, its row count and a digest of its own, and that is
all that a core ever sees of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

from increstore.protocol.coordinator import Coordinator
from increstore.protocol.policy import CoordinatorConfig
from increstore.protocol.ready import Batch, PageRead
from increstore.protocol.source_shard import SourceConfig, SourceShard
from increstore.protocol.target_shard import TargetShard
from increstore.protocol.topology import (
    COORDINATOR,
    TableTopology,
    Topology,
    number_of,
    source_name,
    target_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.protocol.messages import ScanId

RESTORE = "restore-1"
FINGERPRINT = "plan-1"
DIGESTS = 1 << 64
TABLES = ("orders", "people", "items")


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the restore is. Shards and pages are counted for each table."""

    sources: int = 2
    targets: int = 1
    incrementals: int = 2
    """After the full backup, which is restored first, as position 0."""
    tables: int = 1
    pages: int = 1
    """Of each source shard's part of a backup."""
    batches: int = 1
    """Of each page, for each target."""
    window: int = 2
    """Batches of one stream under way at once."""
    in_flight: int = -1
    """Scans asked for at once; -1 for no bound."""
    alike: bool = True
    """Whether shards of a table hold the same, so that they may stand for one another."""

    def __post_init__(self) -> None:
        assert 1 <= self.tables <= len(TABLES)
        assert min(self.sources, self.targets, self.pages, self.batches, self.window) >= 1
        assert self.incrementals >= 0


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays the roles: the cores that run in production, or others made like them."""

    coordinator: Callable[..., Any] = Coordinator
    source: Callable[..., Any] = SourceShard
    target: Callable[..., Any] = TargetShard


@dataclass(frozen=True)
class SmallWorld:
    """The topology of a shape, the backup behind it, and who plays in it."""

    shape: Shape
    cast: Cast = field(default_factory=Cast)

    def __post_init__(self) -> None:
        tables = tuple(self._table(number) for number in range(self.shape.tables))
        topology = Topology(RESTORE, self.shape.incrementals, tables)
        names = [name for table in tables for name in (*table.sources, *table.targets)]
        object.__setattr__(self, "topology", topology)
        object.__setattr__(self, "names", (COORDINATOR, *names))

    topology: Topology = field(init=False)
    names: tuple[str, ...] = field(init=False)
    """Every node, the coordinator first."""

    # --- Cores.

    def coordinator(self, history: tuple[Any, ...], now: int, wall: int) -> Any:
        config = CoordinatorConfig(scans_in_flight=self.shape.in_flight)
        return self.cast.coordinator(self.topology, config, history, now, wall, FINGERPRINT)

    def source(self, name: str, table: TableTopology) -> Any:
        ahead = min(2, self.shape.pages)
        config = SourceConfig(pages_ahead=ahead, window_batches=self.shape.window)
        return self.cast.source(name, table.targets, config)

    def target(self, name: str, table: TableTopology, state: Any) -> Any:
        return self.cast.target(name, table, RESTORE, state)

    # --- The backup.

    def page(self, scan: ScanId, number: int) -> PageRead:
        """What a driver answers when this page is read; past the last one there is nothing."""
        table = self.topology.table(scan.source.rpartition("/")[0])
        if number >= self.shape.pages:
            return PageRead(scan, number, 0, (), last=True)
        batches = tuple(
            batch
            for target in table.targets
            for batch in self._batches(scan.source, scan.incremental, target, number)
        )
        rows = sum(batch.rows for batch in batches)
        return PageRead(scan, number, rows, batches, number + 1 == self.shape.pages)

    def owed(self, source: str, incremental: int, target: str) -> tuple[tuple[int, int], ...]:
        """The whole stream of one scan towards one target, as (rows, digest) in order."""
        return tuple(
            (batch.rows, batch.digest)
            for page in range(self.shape.pages)
            for batch in self._batches(source, incremental, target, page)
        )

    def final(self, table: TableTopology, targets: tuple[str, ...]) -> tuple[int, int]:
        """(rows, digest) when every batch of the chain counts once at these targets."""
        owed = [
            batch
            for source, target in product(table.sources, targets)
            for incremental in table.incrementals
            for batch in self.owed(source, incremental, target)
        ]
        return sum(rows for rows, _ in owed), sum(digest for _, digest in owed) % DIGESTS

    # --- Symmetry.

    def renamings(self) -> list[dict[str, str]]:
        """Every way to exchange shards that cannot be told apart; the first changes nothing.

        With a cap below the number of sources, who is asked first depends on the name.
        """
        topology = self.topology
        is_capped = 0 < self.shape.in_flight < self.shape.sources * self.shape.tables
        if is_capped or not self.shape.alike:
            return [{}]
        groups = [group for table in topology.tables for group in (table.sources, table.targets)]
        choices = product(*(permutations(group) for group in groups))
        return [
            {
                old: new
                for group, chosen in zip(groups, choice, strict=True)
                for old, new in zip(group, chosen, strict=True)
            }
            for choice in choices
        ]

    # --- Helpers.

    def _table(self, number: int) -> TableTopology:
        shape, name = self.shape, TABLES[number]
        draft = TableTopology(
            name,
            tuple(source_name(name, n) for n in range(shape.sources)),
            tuple(target_name(name, n) for n in range(shape.targets)),
            tuple(range(shape.incrementals + 1)),
            None,
            None,
        )
        rows, digest = self.final(draft, draft.targets)
        return TableTopology(name, draft.sources, draft.targets, draft.incrementals, rows, digest)

    def _batches(self, source: str, incremental: int, target: str, page: int) -> list[Batch]:
        """Each with a digest that no other batch has; alike ones differ by their stream alone."""
        per_page = self.shape.batches
        first = (incremental * self.shape.pages + page) * per_page
        owner = 0 if self.shape.alike else number_of(source) * 16 + number_of(target)
        return [
            Batch(target, 1 + number, 1 + first + number + owner * 1000, b"")
            for number in range(per_page)
        ]
