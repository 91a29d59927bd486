"""An external sort: rows in any order become sorted runs of bounded size, which are then merged.

Rules of this file:
- rows that come in key order already make one run, however many they are;
- rows that fit into memory together never touch the disk;
- of each level there are fewer than `runs_max` runs: so many are merged into one of the next. So
  a merge reads a bounded number of runs, and a row is written once a level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.chain.merge import slices_by_key
from increstore.chain.sorting import sorted_rows, united
from increstore.chain.spool import HeldBatch, Run, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from increstore.chain.keys import Key
    from increstore.chain.schema import TableSchema
    from increstore.chain.spool import SpoolFile


class RunLevels:
    """Runs, oldest first. A full level of them becomes one run of the next by `merged`.

    `merged` gets neighbours, oldest first, and gives sorted batches; `names` are the key columns.
    """

    def __init__(
        self,
        spool: Spool,
        names: Sequence[str],
        runs_max: int,
        merged: Callable[[list[Run]], Iterable[pa.RecordBatch]],
    ) -> None:
        assert runs_max > 1
        self._spool = spool
        self._names = names
        self._runs_max = runs_max
        self._merged = merged
        self._runs: list[tuple[int, Run]] = []

    @property
    def runs(self) -> list[Run]:
        return [run for _, run in self._runs]

    def add(self, run: Run) -> None:
        """Append the newest run. Raises: what `merged` does; StorageFailed."""
        self._runs.append((0, run))
        # Levels never rise towards the end, so the newest of one level stand together.
        while self._is_full():
            self._merge_level()

    def _is_full(self) -> bool:
        newest = self._runs[-self._runs_max :]
        return len(newest) == self._runs_max and newest[0][0] == newest[-1][0]

    def _merge_level(self) -> None:
        level = self._runs[-1][0]
        runs = [run for _, run in self._runs[-self._runs_max :]]
        merged = self._spool.run_of(self._merged(runs), self._names)
        del self._runs[-self._runs_max :]
        for run in runs:
            run.remove()
        self._runs.append((level + 1, merged))


class RowSorter:
    """Takes the rows of a table in any order, and gives them in key order.

    Memory: `run_bytes` of rows and, while they are sorted, as much once more; the rest is in the
    spool.
    """

    def __init__(self, schema: TableSchema, spool: Spool) -> None:
        self._schema = schema
        self._spool = spool
        self._levels = RunLevels(spool, schema.key, spool.limits.runs_max, self._rows_of)
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._file: SpoolFile | None = None
        self._last_key: Key = ()

    def add(self, rows: pa.Table) -> None:
        """Take rows with the columns of the schema. No key is NULL.

        Raises: DoubledKey, though not for every one; StorageFailed.
        """
        if not rows.num_rows:
            return
        self._waiting.append(rows)
        self._waiting_bytes += rows.nbytes
        if self._waiting_bytes >= self._spool.limits.run_bytes:
            self._write_waiting()

    def _write_waiting(self) -> None:
        batch = HeldBatch(self._take_waiting(), self._schema.key)
        if self._file is None or batch.first <= self._last_key:
            self._end_run()
            self._file = self._spool.new_file(self._schema.key)
        self._file.append(batch.batch, self._spool.limits.batch_bytes)
        self._last_key = batch.last

    def _take_waiting(self) -> pa.RecordBatch:
        self._waiting_bytes = 0
        return sorted_rows(self._waiting, self._schema)

    def _end_run(self) -> None:
        if self._file is not None:
            self._levels.add(Run(self._file.batches, self._file))
            self._file = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows by ascending key, once; nothing is added after that.

        Raises: DoubledKey, at the latest when the key's turn comes; StorageFailed.
        """
        runs = self._levels.runs
        if self._file is not None:
            runs.append(Run(self._file.batches, self._file))
        if self._waiting:
            runs.append(Run([HeldBatch(self._take_waiting(), self._schema.key)]))
        yield from self._rows_of(runs)

    def _rows_of(self, runs: list[Run]) -> Iterator[pa.RecordBatch]:
        limits = self._spool.limits
        slices = slices_by_key(
            [run.batches for run in runs], self._schema.key, slice_bytes=limits.slice_bytes
        )
        for parts in slices:
            yield united(parts, self._schema)
