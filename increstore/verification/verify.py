"""The verification of a target: every table, key range by key range.

Memory: the rows of one key range of all inputs (at most about `RANGE_ROWS` rows and `RANGE_BYTES`
of decoded data), the copies that comparing one column at a time needs, and `KEPT_BYTES` of row
groups that reach into the next range. None of it grows with the table or the chain; what does grow
is a sampled key for every `ranges.SAMPLE_STEP` rows and the footers of one table's files.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from increstore.chain.schema import OP_COLUMN, SET_COLUMN
from increstore.errors import BackupChainBroken, UsageError, VerificationFailed
from increstore.verification.compare import compare
from increstore.verification.data_file import (
    DataFile,
    Measured,
    RangeReader,
    Room,
    as_read,
    measure,
)
from increstore.verification.history import Step, TableHistory, read_history
from increstore.verification.numbering import number_keys
from increstore.verification.ranges import cut
from increstore.verification.report import Example, TableReport, VerificationReport
from increstore.verification.state import TableState
from increstore.verification.target import (
    comparable_columns,
    other_tables,
    read_identity,
    require_target,
    schema_problems,
    table_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from increstore.verification.history import ChainHistory
    from increstore.verification.ranges import KeyRange
    from increstore.verification.target import Identity

RANGE_ROWS = 1_000_000
RANGE_BYTES = 128 * 1024 * 1024
KEPT_BYTES = 128 * 1024 * 1024

Progress: TypeAlias = "Callable[[str, int, int], None]"
"""Called with the table, the ranges done and the ranges in all."""


def verify(
    target: Path,
    collection: Path,
    *,
    upto: str | None = None,
    tables: Sequence[str] = (),
    progress: Progress = lambda _table, _done, _ranges: None,
    range_rows: int = RANGE_ROWS,
) -> VerificationReport:
    """Compare a restored target with what the chain says, values and all.

    `upto` is the last backup to apply; None means the one the target says it was restored to, or
    the last one. `tables` limits the comparison; empty means all that were restored.

    Raises: BackupChainBroken when the chain itself cannot be judged by; VerificationFailed when
    there is no target; UsageError for names that do not exist. Differences are no exception.
    """
    started = time.monotonic()
    require_target(target)
    identity = read_identity(target)
    history = _history(collection, identity, upto, tables or identity.tables)
    reports = tuple(_verify_table(target, table, progress, range_rows) for table in history.tables)
    return VerificationReport(
        str(target),
        str(collection),
        history.upto,
        reports,
        _notices(target, history, identity, tables),
        time.monotonic() - started,
    )


def _history(
    collection: Path, identity: Identity, upto: str | None, tables: Sequence[str]
) -> ChainHistory:
    try:
        return read_history(collection, upto or identity.upto, tables)
    except UsageError as error:
        if upto is None and identity.upto is not None:
            raise UsageError(
                f"{error} (the target says that it was restored up to {identity.upto})"
            ) from error
        raise


def _notices(
    target: Path, history: ChainHistory, identity: Identity, tables: Sequence[str]
) -> tuple[str, ...]:
    notices = []
    if identity.upto not in (None, history.upto):
        notices.append(
            f"the target says that it was restored up to {identity.upto}, and was compared with "
            f"{history.upto}"
        )
    if identity.collection not in (None, history.collection):
        notices.append(
            f"the target says that it was restored from collection {identity.collection}, and was "
            f"compared with {history.collection}"
        )
    if identity.tables and not tables:
        chosen = ", ".join(identity.tables)
        notices.append(f"only {chosen} was restored; other tables of the chain were not compared")
    notices += [
        f"{name} was left out: this restore was limited to {', '.join(identity.tables)}"
        for name in tables
        if identity.tables and name not in identity.tables
    ]
    others = [] if tables else other_tables(target, [table.name for table in history.tables])
    notices += [f"{target / name}: no table of the chain, not compared" for name in others]
    return tuple(notices)


def _verify_table(
    target: Path, history: TableHistory, progress: Progress, range_rows: int
) -> TableReport:
    started = time.monotonic()
    report = TableReport(history.name)
    try:
        _TableVerification(target, history, report, range_rows).run(progress)
    except VerificationFailed as error:
        report.problems.append(str(error))
        report.is_compared = False
    report.seconds = time.monotonic() - started
    return report


class _TableVerification:
    """One table: its inputs (every step of the chain, then the target), measured and compared."""

    def __init__(
        self, target: Path, history: TableHistory, report: TableReport, range_rows: int
    ) -> None:
        self._history = history
        self._report = report
        self._range_rows = range_rows
        self._target_files = table_files(target, history.name)
        report.rows_actual = sum(file.rows for file in self._target_files)
        report.problems += schema_problems(self._target_files, history.schema)
        held = comparable_columns(self._target_files, history.schema)
        self._key = history.schema.key
        self._columns = [name for name in held if name not in self._key]
        self._has_keys = all(name in held for name in self._key)
        self._visited = 0

    def run(self, progress: Progress) -> None:
        """Raises: BackupChainBroken, VerificationFailed when an input cannot be read."""
        if not self._has_keys:
            return  # Without its key no row can be found; the problems say so already.
        steps = [step for step in self._history.steps if step.entry.files]
        files = [step.open_files() for step in steps]
        sources = [self._measure_step(*pair) for pair in zip(steps, files, strict=True)]
        actual = measure(self._target_files, self._key)
        self._report_null_keys(actual)
        samples = [found for source in [*sources, actual] for found in source.samples]
        parts = cut(samples, self._rows_max([*files, self._target_files]))
        room = Room(KEPT_BYTES)
        readers = [
            RangeReader(source.pieces, self._key, self._schema_of(step), room)
            for source, step in zip([*sources, actual], [*steps, None], strict=True)
        ]
        for done, part in enumerate(parts):
            progress(self._history.name, done, len(parts))
            self._verify_range(part, steps, readers)
        progress(self._history.name, len(parts), len(parts))
        self._conclude(actual, sum(file.rows for of_step in files for file in of_step))

    def _measure_step(self, step: Step, files: list[DataFile]) -> Measured:
        measured = measure(files, self._key)
        if measured.null_keys:
            raise BackupChainBroken(
                f"{step.folder}: {measured.null_keys} rows have NULL in their key "
                f"({', '.join(self._key)}); make the backup again"
            )
        return measured

    def _report_null_keys(self, actual: Measured) -> None:
        """A row without a whole key is surplus: no key of the chain holds a NULL."""
        self._report.surplus += actual.null_keys
        if actual.null_key is not None:
            shown = tuple(p if isinstance(p, int | None) else str(p) for p in actual.null_key)
            self._report.add(Example("surplus", shown))

    def _rows_max(self, inputs: Sequence[Sequence[DataFile]]) -> int:
        """The rows of a range: fewer when rows are wide."""
        files = [file for of_input in inputs for file in of_input]
        rows = sum(file.rows for file in files)
        if not rows:
            return self._range_rows
        # A position of 8 bytes a column and key is held beside the values.
        row_bytes = sum(file.rows * file.row_bytes() for file in files) / rows
        row_bytes += 8 * (1 + len(self._columns))
        return min(self._range_rows, max(1, int(RANGE_BYTES / row_bytes)))

    def _schema_of(self, step: Step | None) -> pa.Schema:
        """What is read of a step (None: of the target), and its types."""
        if step is None:
            schema = as_read(self._history.schema.arrow())
            return pa.schema([schema.field(name) for name in (*self._key, *self._columns)])
        entry = step.entry
        schema = as_read(step.schema.change_arrow(has_op=entry.has_op, has_set=entry.has_set))
        since = self._history.since
        counts = [n for n in self._columns if since[n] <= step.incremental]
        extra = [name for name in (OP_COLUMN, SET_COLUMN) if name in schema.names]
        return pa.schema([schema.field(name) for name in (*self._key, *counts, *extra)])

    def _verify_range(
        self, part: KeyRange, steps: Sequence[Step], readers: Sequence[RangeReader]
    ) -> None:
        inputs = [reader.read(part) for reader in readers]
        self._visited += sum(rows.num_rows for rows in inputs)
        numbering = number_keys(inputs, self._key)
        since = {name: self._history.since[name] for name in self._columns}
        state = TableState(numbering, since)
        for step, rows, numbers in zip(steps, inputs, numbering.of_inputs, strict=False):
            state.apply(step, rows, numbers)
        compare(state, inputs[-1], numbering, self._columns, self._report)

    def _conclude(self, actual: Measured, rows_of_chain: int) -> None:
        report = self._report
        owed = rows_of_chain + report.rows_actual - actual.null_keys
        assert self._visited == owed, f"visited {self._visited} rows of {owed}"
        report.is_compared = True
        balance = report.rows_expected - report.missing + report.surplus + report.duplicates
        assert balance == report.rows_actual, f"{report} does not add up"
        if report.rows_expected != self._history.rows:
            report.problems.append(
                f"{self._history.steps[-1].folder}: the manifest says that the table holds "
                f"{self._history.rows} rows, the chain gives {report.rows_expected}; "
                "run `increstore chain` on the collection"
            )
