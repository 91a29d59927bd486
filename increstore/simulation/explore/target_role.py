"""A target shard: what it writes, what a crash leaves of that, and the laws of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol.messages import ChangesApplied, StreamOpened
from increstore.protocol.ready import (
    ApplyBatch,
    BatchesApplied,
    FinalizeFailed,
    FinalizeRows,
    Received,
    RowsFinalized,
    RunSealed,
    SealRun,
    StoreFailed,
)
from increstore.protocol.topology import table_of
from increstore.simulation.explore.kept import Disk
from increstore.simulation.explore.laws import expect
from increstore.simulation.explore.role import Deed, Node, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from increstore.protocol.ready import Effect, Event, Ready
    from increstore.simulation.explore.small_world import SmallWorld


class TargetRole(Role):
    """Makes batches durable in order, one or several at once, then seals, then folds."""

    def __init__(self, world: SmallWorld, name: str) -> None:
        super().__init__(world, name)
        self._table = world.topology.table(table_of(name))

    def first(self) -> Disk:
        return Disk()

    def begin(self, node: Node) -> Any:
        return self.world.target(self.name, self._table, node.kept.recovered())

    def append(self, kept: Any, records: Sequence[Any]) -> Any:
        for record in records:
            kept = kept.remember(record.generation)
        return kept

    def deeds(self, node: Node, core: Any) -> Iterator[Deed]:
        for group in self._groups(node.pending):
            yield from self._applied(node, group)
        if node.pending and isinstance(node.pending[0], SealRun | FinalizeRows):
            yield from self._ended(node, node.pending[0])
        if any(isinstance(effect, ApplyBatch | SealRun) for effect in node.pending):
            for kept in self.remains(node):
                failed = StoreFailed("the disk hiccups", corrupted=False)
                yield Deed("cannot write, and starts again", kept, (), failed, "failures", True)

    def remains(self, node: Node) -> list[Disk]:
        """Of every source's batches any prefix may have been written, and of a seal or fold all."""
        disks: list[Disk] = [node.kept]
        for group in self._groups(node.pending):
            for disk in tuple(disks):
                for batch in group:
                    disk = disk.append(batch)
                    disks.append(disk)
        if node.pending and not isinstance(node.pending[0], ApplyBatch):
            disks.append(self._done(node.kept, node.pending[0]))
        return disks

    def check(self, before: Any, core: Any, event: Event, ready: Ready, kept: Any) -> None:
        self._check_watermarks(ready, kept)
        if not ready.effects:
            return
        streams = {stream.source: stream.attempt for stream in core.streams}
        for effect in ready.effects:
            if isinstance(effect, ApplyBatch):
                scan, newest = effect.scan, streams.get(effect.scan.source)
                told = f"{self.name} takes a batch of attempt {scan.attempt} during {newest}"
                expect(scan.attempt == newest, "E3", told)
        assert isinstance(event, Received), "only a message makes a target do something"
        generation = getattr(event.message, "generation", 0)
        told = f"{self.name} obeys generation {generation} after {before.generation}"
        expect(generation >= before.generation, "S5", told)

    # --- Helpers.

    @staticmethod
    def _groups(pending: Sequence[Effect]) -> list[list[ApplyBatch]]:
        """The batches to be written, by source; each source's in the order asked."""
        groups: dict[str, list[ApplyBatch]] = {}
        for effect in pending:
            if isinstance(effect, ApplyBatch):
                groups.setdefault(effect.scan.source, []).append(effect)
        return list(groups.values())

    def _applied(self, node: Node, group: list[ApplyBatch]) -> Iterator[Deed]:
        disk, done = node.kept, []
        for batch in group:
            if batch.scan != group[0].scan:
                return
            disk = disk.append(batch)
            done.append(batch)
            rest = tuple(effect for effect in node.pending if effect not in done)
            what = f"writes {batch.scan.source}'s batches up to {batch.order}"
            event = BatchesApplied(batch.scan, batch.order)
            yield Deed(what, disk, rest, event, applied=tuple(done))

    def _ended(self, node: Node, effect: Effect) -> Iterator[Deed]:
        disk, rest = self._done(node.kept, effect), node.pending[1:]
        if isinstance(effect, SealRun):
            sealed = RunSealed(effect.incremental)
            yield Deed(f"has sealed incremental {effect.incremental}", disk, rest, sealed)
            return
        assert disk.finalized is not None
        yield Deed("has its final rows", disk, rest, RowsFinalized(*disk.finalized))
        failed = FinalizeFailed(transient=True, error="the disk is full")
        yield Deed("cannot make its final rows", node.kept, rest, failed, "failures")

    def _done(self, disk: Disk, effect: Effect) -> Disk:
        if isinstance(effect, SealRun):
            self._check_seal(disk, effect)
            return disk.seal(effect.incremental, effect.streams)
        return disk.finalize()

    def _check_seal(self, disk: Disk, effect: SealRun) -> None:
        """T2: what is sealed is what the backup has for this target, of every source."""
        named = {evidence.source for evidence in effect.streams}
        for source in self._table.sources:
            stream = disk.stream(source, effect.incremental) if source in named else None
            expected = self.world.owed(source, effect.incremental, self.name)
            got = stream.batches if stream else ()
            told = (
                f"{self.name} seals {len(got)} batches of {source} for incremental "
                f"{effect.incremental}; the backup has {len(expected)}"
            )
            expect(got == expected, "T2", told)

    def _check_watermarks(self, ready: Ready, disk: Disk) -> None:
        for _, message in ready.messages:
            if isinstance(message, StreamOpened | ChangesApplied):
                durable = len(disk.batches(message.scan))
                told = f"{self.name} tells {message.watermark}, and {durable} are durable"
                expect(message.watermark <= durable, "D2", told)
