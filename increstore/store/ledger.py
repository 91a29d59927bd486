"""What a store holds, kept in memory: the bookkeeping that every store shares.

Rules of this file:
- Per source only the newest attempt is live; batches of an earlier one are waste.
- Incrementals are sealed in the order of the chain, and only the next one may take batches.
- A store that breaks these rules was asked to by a bug of ours: LocalProtocolError.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from increstore.chain.keys import show_key
from increstore.errors import LocalProtocolError, StorageCorrupted
from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import ScanId, StreamEvidence
from increstore.protocol.target_state import StreamState, TargetState
from increstore.store.batch_check import CheckedBatch, check_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.chain.keys import Key
    from increstore.protocol.ready import ApplyBatch
    from increstore.store.seam import StoreLayout


class Stored(Protocol):
    """Where a stored batch lies, with the keys it spans."""

    @property
    def first(self) -> Key: ...
    @property
    def last(self) -> Key: ...
    @property
    def rows(self) -> int: ...


Place = TypeVar("Place", bound=Stored)


@dataclass(slots=True)
class _Stream(Generic[Place]):
    """The durable batches of one source's newest attempt; its watermark is their number."""

    attempt: int
    batches: list[Place] = field(default_factory=list)
    rows: int = 0
    digest: int = 0

    def evidence(self, source: str) -> StreamEvidence:
        return StreamEvidence(source, self.attempt, self.rows, len(self.batches), self.digest)


class Ledger(Generic[Place]):
    """The seals and live streams of one target shard.

    Invariant: the sealed incrementals are a prefix of those that change the table, and every
    stream belongs to the one after them.
    """

    def __init__(self, layout: StoreLayout) -> None:
        self._layout = layout
        self._incrementals = sorted(layout.batch_schemas)
        self.sealed: dict[int, tuple[StreamEvidence, ...]] = {}
        self._streams: dict[str, _Stream[Place]] = {}

    def open_incremental(self) -> int | None:
        """The one incremental that may take batches; None when all are sealed."""
        number = len(self.sealed)
        return self._incrementals[number] if number < len(self._incrementals) else None

    def check(self, batches: Sequence[ApplyBatch]) -> list[CheckedBatch]:
        """The group as it may be stored next; changes nothing.

        Raises: BatchInvalid; LocalProtocolError when a batch is not due.
        """
        ends: dict[ScanId, tuple[int, Key | None]] = {}
        checked = []
        for batch in batches:
            order, after = ends.get(batch.scan) or self._end_of(batch.scan)
            if batch.order != order + 1:
                raise LocalProtocolError(
                    f"{self._layout.shard}: order {batch.order} of {batch.scan} was to be stored "
                    f"(expected {order + 1}); nothing was written"
                )
            checked.append(check_batch(batch, self._layout, after))
            ends[batch.scan] = (batch.order, checked[-1].last)
        return checked

    def _end_of(self, scan: ScanId) -> tuple[int, Key | None]:
        """The last order of the scan's stream and the last key in it."""
        if scan.restore != self._layout.restore or scan.incremental != self.open_incremental():
            raise LocalProtocolError(
                f"{self._layout.shard}: a batch of {scan} was to be stored; expected incremental "
                f"{self.open_incremental()} of restore {self._layout.restore}"
            )
        stream = self._streams.get(scan.source)
        if stream is None or scan.attempt > stream.attempt:
            return 0, None
        if scan.attempt < stream.attempt:
            raise LocalProtocolError(
                f"{self._layout.shard}: a batch of {scan} was to be stored after attempt "
                f"{stream.attempt} of the same scan had begun"
            )
        return len(stream.batches), stream.batches[-1].last if stream.batches else None

    def add(self, source: str, attempt: int, order: int, digest: int, place: Place) -> None:
        """Count a batch that is durable now: the next one of its stream."""
        stream = self._streams.get(source)
        if stream is None or attempt > stream.attempt:
            stream = self._streams[source] = _Stream(attempt)
        stream.batches.append(place)
        assert (attempt, order) == (stream.attempt, len(stream.batches)), "checked before"
        stream.rows += place.rows
        stream.digest = fold_batch_digest(stream.digest, order, digest)

    def check_seal(self, incremental: int, streams: Sequence[StreamEvidence]) -> bool:
        """Whether the seal is new; False when the incremental is sealed already in this way.

        Raises: LocalProtocolError when it is not due or names what is not stored;
        StorageCorrupted when batches of two streams overlap.
        """
        if incremental in self.sealed:
            if self.sealed[incremental] == tuple(streams):
                return False
            raise self._misuse(incremental, self.sealed[incremental], streams)
        stored = {name: stream.evidence(name) for name, stream in self._streams.items()}
        named = tuple(stored.get(evidence.source) for evidence in streams)
        if incremental != self.open_incremental() or named != tuple(streams):
            raise self._misuse(incremental, tuple(stored.values()), streams)
        self._check_disjoint(incremental, self.run_of(streams))
        return True

    def run_of(self, streams: Sequence[StreamEvidence]) -> list[Place]:
        """The batches of the named live streams in key order."""
        batches = [
            place for evidence in streams for place in self._streams[evidence.source].batches
        ]
        return sorted(batches, key=lambda place: place.first)

    def seal(self, incremental: int, streams: Sequence[StreamEvidence]) -> None:
        """Count the seal, durable now; streams it does not name are forgotten."""
        self.sealed[incremental] = tuple(streams)
        self._streams.clear()

    def state(self, generation: int, finalized: tuple[int, int] | None) -> TargetState:
        """All of it, as the target's core needs it after a start."""
        incremental = self.open_incremental()
        live: dict[ScanId, StreamState] = {}
        for source, stream in self._streams.items():
            assert incremental is not None
            scan = ScanId(self._layout.restore, incremental, source, stream.attempt)
            live[scan] = StreamState(len(stream.batches), stream.rows, stream.digest)
        return TargetState(generation, dict(self.sealed), live, finalized)

    def _check_disjoint(self, incremental: int, run: Sequence[Place]) -> None:
        for earlier, later in pairwise(run):
            if later.first <= earlier.last:
                raise StorageCorrupted(
                    f"{self._layout.shard}: incremental {incremental} brought key "
                    f"{show_key(later.first)} after {show_key(earlier.last)} from another stream; "
                    "expected every key range from one source shard; check the collection "
                    "(increstore chain)"
                )

    def _misuse(
        self, incremental: int, stored: object, named: Sequence[StreamEvidence]
    ) -> LocalProtocolError:
        return LocalProtocolError(
            f"{self._layout.shard}: incremental {incremental} was to be sealed with "
            f"{tuple(named)}; expected the streams of incremental {self.open_incremental()} as "
            f"stored or sealed: {stored}; nothing was written"
        )
