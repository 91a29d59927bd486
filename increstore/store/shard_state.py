"""What a segment store knows of its shard, kept in step with what is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xxhash

from increstore.chain.keys import decode_key
from increstore.store.ledger import Ledger
from increstore.store.segment_file import SegmentFile, span_of
from increstore.store.segment_format import file_header
from increstore.store.segment_runs import Run, StoredBatch, decode_seal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.chain.fold import FoldLayout
    from increstore.protocol.messages import StreamEvidence
    from increstore.protocol.target_state import TargetState
    from increstore.store.seam import StoreLayout
    from increstore.store.segment_format import FileHeader, Record

CHANGES_SUFFIX = ".changes"


class ShardState:
    """The files of one shard that count, and what their records say.

    `runs` are the sealed incrementals or folds of them, oldest first; `open` is the file of the
    incremental that takes batches, None before its first group.
    """

    def __init__(self, directory: Path, layout: StoreLayout, fold: FoldLayout) -> None:
        self.directory = directory
        self.layout = layout
        self.fold = fold
        self.ledger: Ledger[StoredBatch] = Ledger(layout)
        self.runs: list[Run] = []
        self.open: SegmentFile | None = None
        self.control = SegmentFile(directory / "control", self._header({"kind": "control"}))
        self.generation = 0
        self.finalized: tuple[int, int] | None = None

    def target_state(self) -> TargetState:
        return self.ledger.state(self.generation, self.finalized)

    def changes_path(self, incremental: int) -> Path:
        return self.directory / f"{incremental:06d}{CHANGES_SUFFIX}"

    def file_of(self, incremental: int) -> SegmentFile:
        """The file that takes the batches of the open incremental."""
        if self.open is None:
            path = self.changes_path(incremental)
            self.open = SegmentFile(path, self._changes_header(incremental))
        return self.open

    def count(self, path: Path, incremental: int, record: Record) -> None:
        """A durable record of a changes file becomes part of what is known."""
        facts, final = record.facts, self.layout.final
        if facts["kind"] == "seal":
            self._count_seal(path, incremental, decode_seal(facts["streams"]))
            return
        place = StoredBatch(
            span_of(path, record),
            self.layout.batch_schemas[incremental],
            incremental,
            self.fold,
            decode_key(facts["first"], final),
            decode_key(facts["last"], final),
            facts["rows"],
        )
        self.ledger.add(facts["source"], facts["attempt"], facts["order"], record.digest, place)

    def _count_seal(self, path: Path, incremental: int, streams: Sequence[StreamEvidence]) -> None:
        run = Run(path, 0, {incremental: tuple(streams)}, self.ledger.run_of(streams))
        self.runs.append(run)
        self.ledger.seal(incremental, streams)
        self.open = None

    def replace_runs(self, old: Sequence[Run], new: Run) -> None:
        """`new`, durable now, takes the place of the neighbours `old`."""
        at = self.runs.index(old[0])
        assert self.runs[at : at + len(old)] == list(old)
        self.runs[at : at + len(old)] = [new]

    def _header(self, facts: dict[str, Any]) -> FileHeader:
        layout = self.layout
        shard = {"restore": layout.restore, "table": layout.table, "shard": layout.shard}
        return file_header({**facts, **shard})

    def _changes_header(self, incremental: int) -> FileHeader:
        schema = self.layout.batch_schemas[incremental]
        text = "\n".join(f"{field.name}\t{field.type}\t{field.nullable}" for field in schema)
        digest = xxhash.xxh3_64_hexdigest(text.encode())
        return self._header({"kind": "changes", "incremental": incremental, "schema": digest})
