"""A generated chain as the shards of a simulated restore meet it: pages of batches, and bounds.

Rules of this file:
- It is cut as a real collection would be (`chain.plan`): pages of so many changes, a page belongs
  to the source shard in whose share of the changes its middle lies, target bounds are quantiles of
  the largest backup. Two things differ: a target shard that owns no key still takes part, and so
  does an incremental without a change, since nothing to do is where protocols forget to answer.
- Nothing here changes after `build`, which is why every run of one description may share it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import msgpack
import xxhash

from increstore.protocol.ready import Batch
from increstore.protocol.topology import TableTopology, Topology, source_name, target_name
from increstore.simulation.digest import state_digest
from increstore.simulation.history import CACHED_MAX, generate
from increstore.simulation.model import Change, Key, Model, TableHistory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from increstore.protocol.messages import Payload
    from increstore.scenario.model import WorkloadSpec

RESTORE = "restore-1"
_digest: Final = xxhash.xxh3_64_intdigest

Page = tuple[Batch, ...]
"""What one page holds for each target shard, in key order."""


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """One generated chain for so many source and target shards a table."""

    spec: WorkloadSpec
    topology: Topology
    model: Model
    _pages: dict[tuple[str, int], tuple[Page, ...]]
    _decoded: dict[bytes, tuple[Change, ...]]

    def pages(self, source: str, incremental: int) -> tuple[Page, ...]:
        """What this source shard scans, in key order; nothing when its part has no changes.

        Raises: KeyError for an unknown shard, or an incremental that leaves its table as it was.
        """
        return self._pages[source, incremental]

    @property
    def page_bytes_max(self) -> int:
        """The payload of the largest page."""
        return max(
            (
                sum(len(batch.payload) for batch in page)
                for pages in self._pages.values()
                for page in pages
            ),
            default=0,
        )

    def decode(self, payload: Payload) -> tuple[Change, ...]:
        """The changes of one batch, by key; shared, so to be read only.

        Raises: ValueError when these bytes are no batch of this chain.
        """
        try:
            return self._decoded[bytes(payload)]
        except KeyError:
            raise ValueError(
                f"a payload of {len(payload)} bytes (XXH3 {payload_digest(payload):016x}): "
                "expected one of this chain's batches; it was damaged where no checksum looked"
            ) from None


@lru_cache(CACHED_MAX)
def build(spec: WorkloadSpec, sources: int, targets: int) -> Workload:
    """The workload of this description, made once for all runs. `sources`, `targets`: a table."""
    assert spec.collection is None, "a real collection is not simulated"
    histories = generate(spec)
    model = Model(histories)
    cutter = _Cutter(spec.page_rows, sources, targets)
    for history in histories:
        cutter.cut(history)
    topology = Topology(
        RESTORE,
        spec.incrementals,
        tuple(_topology(history, model, sources, targets) for history in histories),
    )
    return Workload(spec, topology, model, cutter.pages, cutter.decoded)


def _topology(history: TableHistory, model: Model, sources: int, targets: int) -> TableTopology:
    table = history.table
    final = model.rows_after(model.last_incremental)[table]
    return TableTopology(
        table=table,
        sources=tuple(source_name(table, number) for number in range(sources)),
        targets=tuple(target_name(table, number) for number in range(targets)),
        incrementals=tuple(n for n, part in enumerate(history.changes) if part is not None),
        rows=len(final),
        digest=state_digest(final),
    )


class _Cutter:
    """Cuts histories, one after the other, and collects the parts."""

    def __init__(self, page_rows: int, sources: int, targets: int) -> None:
        self._page_rows = page_rows
        self._sources = sources
        self._targets = targets
        self.bounds: dict[str, tuple[Key, ...]] = {}
        self.pages: dict[tuple[str, int], tuple[Page, ...]] = {}
        self.decoded: dict[bytes, tuple[Change, ...]] = {}

    def cut(self, history: TableHistory) -> None:
        self.bounds[history.table] = self._quantiles(history)
        for incremental, changes in enumerate(history.changes):
            if changes is not None:
                self._give_pages(history.table, incremental, changes)

    def _quantiles(self, history: TableHistory) -> tuple[Key, ...]:
        """The first keys of every target shard but the first; fewer when there are few keys."""
        largest = max((part for part in history.changes if part is not None), key=len)
        bounds: list[Key] = []
        for number in range(1, self._targets):
            place = number * len(largest) // self._targets
            if largest and (not bounds or largest[place].key > bounds[-1]):
                bounds.append(largest[place].key)
        return tuple(bounds)

    def _give_pages(self, table: str, incremental: int, changes: Sequence[Change]) -> None:
        parts: list[list[Page]] = [[] for _ in range(self._sources)]
        for start in range(0, len(changes), self._page_rows):
            page = changes[start : start + self._page_rows]
            middle = (2 * start + len(page)) * self._sources // (2 * len(changes))
            parts[min(middle, self._sources - 1)].append(tuple(self._batches(table, page)))
        for number, part in enumerate(parts):
            self.pages[source_name(table, number), incremental] = tuple(part)

    def _batches(self, table: str, page: Sequence[Change]) -> Iterator[Batch]:
        owners = (bisect_right(self.bounds[table], change.key) for change in page)
        by_owner = groupby(zip(owners, page, strict=True), key=itemgetter(0))
        for owner, pairs in by_owner:
            changes = tuple(change for _, change in pairs)
            payload = msgpack.packb(changes)
            self.decoded[payload] = changes
            yield Batch(target_name(table, owner), len(changes), payload_digest(payload), payload)


def payload_digest(payload: Payload) -> int:
    """The digest that a batch of these bytes has."""
    return int(_digest(payload))
