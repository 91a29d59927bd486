"""The default table store: one append-only segment file an incremental, folded once at the end.

    DIRECTORY/control                 generations obeyed, and that the final rows are made
    DIRECTORY/000003.changes          what incremental 3 brought: batches, then its seal
    DIRECTORY/000001-000016.run       the fold of incrementals 1 to 16; it replaces their files

Rules of this file:
- A batch, its watermark and its checksum are one record; a group of records is one sync.
- Only what a seal names counts, and only a sealed incremental is followed by the next.
- After a failed write what is on disk is not known: nothing is written before `recover`.
- No file stays open between two calls: a process may host thousands of shards.
- When `runs_max` runs of one level stand behind the base they are folded into one of the next
  level, so a merge never reads more than base + (runs_max - 1) x levels runs at once, whatever
  the length of the chain. The base (the full backup) is never written again before the end.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from increstore.chain.fold import FoldLayout
from increstore.chain.keys import encode_key
from increstore.errors import LocalProtocolError, StorageFailed
from increstore.store.final_file import read_final_rows, write_final_rows
from increstore.store.recovery import recover_shard, remove_files
from increstore.store.segment_file import Entry
from increstore.store.segment_runs import Run, compact, encode_seal
from increstore.store.shard_state import ShardState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from increstore.protocol.messages import StreamEvidence
    from increstore.protocol.ready import ApplyBatch
    from increstore.protocol.target_state import TargetState
    from increstore.store.batch_check import CheckedBatch
    from increstore.store.seam import StoreLayout

RUNS_MAX = 16


class SegmentStore:
    """One target shard's rows in `directory`, and its final rows in `final_file`.

    Memory: a group of batches while appending; while folding, per run the batches that overlap
    one slice of keys (see `merge`), and one row group of the final file.
    """

    def __init__(
        self, directory: Path, layout: StoreLayout, final_file: Path, *, runs_max: int = RUNS_MAX
    ) -> None:
        assert runs_max >= 2, "a fold of fewer runs would never end"
        self._directory = directory
        self._layout = layout
        self._final_file = final_file
        self._runs_max = runs_max
        self._fold = FoldLayout(layout.final, layout.column_since)
        self._state = ShardState(directory, layout, self._fold)
        self._is_usable = False

    def recover(self) -> TargetState:
        self._is_usable = False
        self._state = recover_shard(self._directory, self._layout, self._fold, self._final_file)
        self._is_usable = True
        return self._state.target_state()

    def append(self, batches: Sequence[ApplyBatch]) -> None:
        self._require_usable()
        checked = self._state.ledger.check(batches)
        if not checked:
            return
        incremental = checked[0].batch.scan.incremental
        with self._writing():
            file = self._state.file_of(incremental)
            for record in file.append([self._entry(item) for item in checked]):
                self._state.count(file.path, incremental, record)

    def record_generation(self, generation: int) -> None:
        self._require_usable()
        if generation > self._state.generation:
            with self._writing():
                facts = {"kind": "generation", "generation": generation}
                self._state.control.append([Entry(facts)])
                self._state.generation = generation

    def seal(self, incremental: int, streams: Sequence[StreamEvidence]) -> None:
        self._require_usable()
        if not self._state.ledger.check_seal(incremental, streams):
            return
        with self._writing():
            file = self._state.file_of(incremental)
            (record,) = file.append([Entry({"kind": "seal", "streams": encode_seal(streams)})])
            self._state.count(file.path, incremental, record)
            self._compact_what_is_due()

    def finalize(self) -> tuple[int, int]:
        if not self._is_usable:
            # An earlier try failed half-way (a full disk, say): begin with what is durable.
            self.recover()
        state = self._state
        if state.finalized is None:
            unsealed = state.ledger.open_incremental()
            if unsealed is not None:
                raise LocalProtocolError(
                    f"{self._layout.shard}: the final rows were asked for before incremental "
                    f"{unsealed} was sealed; nothing was written"
                )
            rows, digest, size = write_final_rows(
                [run.batches for run in state.runs],
                self._fold,
                self._final_file,
                even_if_empty=self._layout.low is None,
            )
            facts = {"kind": "finalized", "rows": rows, "digest": digest, "bytes": size}
            with self._writing():
                state.control.append([Entry(facts)])
                state.finalized = (rows, digest)
        return state.finalized

    def final_rows(self) -> Iterator[pa.RecordBatch]:
        if self._state.finalized is None:
            raise LocalProtocolError(f"{self._layout.shard}: no final rows before finalize")
        if not self._state.finalized[0]:
            return iter(())
        return read_final_rows(self._final_file, self._layout.final.arrow())

    def close(self) -> None:
        self._is_usable = False

    def _require_usable(self) -> None:
        if not self._is_usable:
            raise StorageFailed(
                f"{self._directory}: the store is closed, not yet recovered, or an earlier write "
                "failed, so what is durable is not known; nothing was written now; recover first"
            )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Inside, nothing is certain; only a block that ends well makes the store usable again."""
        self._is_usable = False
        yield
        self._is_usable = True

    def _entry(self, checked: CheckedBatch) -> Entry:
        batch, final = checked.batch, self._layout.final
        facts = {
            "kind": "batch",
            "source": batch.scan.source,
            "attempt": batch.scan.attempt,
            "order": batch.order,
            "rows": batch.rows,
            "first": encode_key(checked.first, final),
            "last": encode_key(checked.last, final),
        }
        return Entry(facts, batch.payload, batch.digest)

    def _compact_what_is_due(self) -> None:
        while due := self._runs_to_compact():
            folded = compact(self._directory, due, self._layout, self._fold)
            remove_files(self._directory, [run.path.name for run in due])
            self._state.replace_runs(due, folded)

    def _runs_to_compact(self) -> list[Run]:
        """The oldest `runs_max` runs of the lowest level that has as many behind the base."""
        behind_base = self._state.runs[1:]
        for level in sorted({run.level for run in behind_base}):
            same = [run for run in behind_base if run.level == level]
            if len(same) >= self._runs_max:
                return same[: self._runs_max]
        return []
