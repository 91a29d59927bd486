"""Writing one table's rows or changes into the Parquet files of a backup, streaming.

Row groups are bounded in rows and in bytes: a row group is what a restore reads at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.changes import Op
from increstore.chain.data_file import DataFile, refuse_types_parquet_changes
from increstore.chain.keys import Key, key_of_row, order_fault, show_key, show_key_of_row
from increstore.chain.pieces import pieces
from increstore.chain.schema import OP_COLUMN, SET_COLUMN, TableSchema
from increstore.errors import LocalProtocolError, SnapshotRefused

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from increstore.chain.manifest import FileEntry

ROW_BYTES_MAX = 32 << 20


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Where row groups and files end. Bytes of a row group are in memory, of a file on disk."""

    group_rows_max: int = 65_536
    group_bytes_aim: int = 16 << 20
    file_bytes_aim: int = 256 << 20


class TableWriter:
    """Writes one table of one backup: batches in key order in, Parquet files and their entries out.

    Batches may be plain rows or changes in any of the four forms of `TableSchema.change_arrow`
    that `has_op` and `has_set` include. Memory: one row group, whatever the table's size.

    Use as a context manager: leaving the block completes the last file. `files`, `rows`, and the
    numbers of `upserts`, `resets` and `erases` are right after that.
    """

    def __init__(
        self,
        folder: Path,
        schema: TableSchema,
        *,
        has_op: bool = False,
        has_set: bool = False,
        limits: FileLimits | None = None,
    ) -> None:
        self._folder = folder
        self._schema = schema
        self._arrow = schema.change_arrow(has_op=has_op, has_set=has_set)
        self._limits = limits or FileLimits()
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._pending_bytes = 0
        self._file: DataFile | None = None
        self._last_key: Key | None = None
        self._ops = np.zeros(len(Op), dtype=np.int64)
        self.files: list[FileEntry] = []
        refuse_types_parquet_changes(schema)

    @property
    def rows(self) -> int:
        return int(self._ops.sum())

    @property
    def upserts(self) -> int:
        return int(self._ops[Op.UPSERT])

    @property
    def resets(self) -> int:
        return int(self._ops[Op.RESET])

    @property
    def erases(self) -> int:
        return int(self._ops[Op.ERASE])

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the batch. Its keys are above every key before.

        Raises: LocalProtocolError for a batch of another form or out of order; StorageFailed.
        """
        if not batch.num_rows:
            return
        batch = _in_form(batch, self._arrow)
        self._check_order(batch)
        self._count(batch)
        for piece, size in pieces(batch, self._limits.group_bytes_aim // 4):
            self._refuse_long(piece, size)
            self._append(piece, size)

    def _check_order(self, batch: pa.RecordBatch) -> None:
        fault = order_fault(batch, self._schema.key, self._last_key)
        if fault is not None:
            raise LocalProtocolError(
                f"{self._folder}: the batch has a key that is {fault.kind} in row {fault.row}: "
                f"{show_key(fault.key)} (expected keys ascending, each once, none NULL)"
            )
        self._last_key = key_of_row(batch, self._schema.key, batch.num_rows - 1)

    def _count(self, batch: pa.RecordBatch) -> None:
        if OP_COLUMN in batch.schema.names:
            ops = np.asarray(batch.column(OP_COLUMN))
            counts = np.bincount(ops, minlength=len(Op))
            if len(counts) > len(Op):
                raise LocalProtocolError(f"{self._folder}: {OP_COLUMN} holds {int(ops.max())}")
            self._ops += counts
        else:
            self._ops[Op.UPSERT] += batch.num_rows

    def _refuse_long(self, piece: pa.RecordBatch, size: int) -> None:
        if size > ROW_BYTES_MAX:
            raise SnapshotRefused(
                f"the row with key {show_key_of_row(piece, self._schema.key, 0)} takes "
                f"{size / 1e6:,.0f} MB (a row may take {ROW_BYTES_MAX / 1e6:,.0f} MB); keep such "
                "values outside the table"
            )

    def _append(self, piece: pa.RecordBatch, size: int) -> None:
        """In several parts when row groups end within it."""
        room = self._limits.group_rows_max - self._pending_rows
        while piece.num_rows > room:
            head, piece = piece.slice(0, room), piece.slice(room)
            self._append_to_group(head, head.nbytes)
            size = piece.nbytes
            room = self._limits.group_rows_max - self._pending_rows
        self._append_to_group(piece, size)

    def _append_to_group(self, piece: pa.RecordBatch, size: int) -> None:
        self._pending.append(piece)
        self._pending_rows += piece.num_rows
        self._pending_bytes += size
        if (
            self._pending_rows >= self._limits.group_rows_max
            or self._pending_bytes >= self._limits.group_bytes_aim
        ):
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._file is None:
            path = self._folder / f"part-{len(self.files):05d}.parquet"
            self._file = DataFile(path, self._schema, self._arrow)
        self._file.write(self._pending)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        if self._file.bytes >= self._limits.file_bytes_aim:
            self._complete_file()

    def _complete_file(self) -> None:
        if self._file is not None:
            self.files.append(self._file.complete())
            self._file = None

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._flush()
                self._complete_file()
        finally:
            if self._file is not None:
                self._file.abandon()


def _in_form(batch: pa.RecordBatch, arrow: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the columns of `arrow`: `__op` and `__set` are added when missing.

    Raises: LocalProtocolError when a column is missing, surplus or of another type.
    """
    surplus = sorted(set(batch.schema.names) - set(arrow.names))
    if surplus:
        raise LocalProtocolError(f"a batch has columns that the files do not: {surplus}")
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    arrays = [_column_of(batch, columns.get(field.name), field) for field in arrow]
    return pa.RecordBatch.from_arrays(arrays, schema=arrow)


def _column_of(batch: pa.RecordBatch, column: pa.Array | None, field: pa.Field) -> pa.Array:
    if column is None:
        if field.name == OP_COLUMN:
            return pa.array(np.zeros(batch.num_rows, dtype=np.uint8))
        if field.name == SET_COLUMN:
            return _all_set(batch.num_rows, field.type)
        raise LocalProtocolError(f"a batch lacks column {field.name!r}")
    if field.name == SET_COLUMN and column.type != field.type:
        column = _redeclared(column, field.type)
    if column.type != field.type:
        raise LocalProtocolError(
            f"column {field.name!r} of a batch has type {column.type} (expected {field.type})"
        )
    return column


def _all_set(rows: int, kind: pa.DataType) -> pa.Array:
    """`__set` that is NULL in every row: each change touches every column.

    The flags under a NULL are false, not NULL: they are declared never to be NULL.
    """
    flags = [pa.array(np.zeros(rows, dtype=bool)) for _ in kind]
    return pa.StructArray.from_arrays(
        flags, fields=list(kind), mask=pa.array(np.ones(rows, dtype=bool))
    )


def _redeclared(column: pa.StructArray, kind: pa.DataType) -> pa.Array:
    """The same flags, by name, in a struct that declares them never to be NULL."""
    try:
        flags = [pc.fill_null(column.field(field.name), False) for field in kind]
    except KeyError as error:
        raise LocalProtocolError(f"{SET_COLUMN} of a batch lacks a flag: {error}") from error
    return pa.StructArray.from_arrays(flags, fields=list(kind), mask=column.is_null())
