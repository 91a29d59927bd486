"""Change batches in one canonical form: the columns of the final schema, whatever was written.

Rules of this file:
- A canonical batch has the final columns in order, then `__op`, then `__set`; each of the two may
  be absent (see `TableSchema.change_arrow`), so there are four forms, and all are accepted.
- What is already canonical is passed on as it is, without a copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.changes import Op
from increstore.chain.schema import OP_COLUMN, SET_COLUMN, TableSchema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FoldLayout:
    """The final schema, and per column the incremental from which its values count.

    A column that `column_since` does not name counts from the full backup.
    """

    schema: TableSchema
    column_since: Mapping[str, int]

    def counts_in(self, name: str, incremental: int) -> bool:
        """Whether what `incremental` says of this column is part of the final table."""
        return self.column_since.get(name, 0) <= incremental


@cache
def canonical_schema(schema: TableSchema, has_op: bool, has_set: bool) -> pa.Schema:
    """As `TableSchema.change_arrow`, and made once: every batch asks for it."""
    return schema.change_arrow(has_op=has_op, has_set=has_set)


def align(batch: pa.RecordBatch, incremental: int, layout: FoldLayout) -> pa.RecordBatch:
    """A batch as `incremental` wrote it (0: rows of the full backup), in canonical form.

    Columns that are gone are dropped, and narrower types are cast. A column that counts only from
    a later incremental is NULL here: no older change has a value that this could hide. A column
    that is missing although it counts is untouched.
    """
    schema = layout.schema
    names = set(batch.schema.names)
    has_op = OP_COLUMN in names
    has_set = SET_COLUMN in names and bool(schema.value_names)
    counting = [name for name in schema.names if layout.counts_in(name, incremental)]
    if len(counting) == len(schema.columns):
        wanted = canonical_schema(schema, has_op, has_set)
        if batch.schema.equals(wanted):
            return batch
    kept = {name for name in counting if name in names}
    # Nothing is older than the full backup: untouched and NULL are the same there.
    untouched = [name for name in counting if name not in names] if incremental else []
    arrays = [_value_column(batch, column.name, column.type, kept) for column in schema.columns]
    if has_op:
        arrays.append(batch.column(OP_COLUMN))
    if has_set or untouched:
        arrays.append(_aligned_set(batch, schema, kept, untouched))
    return pa.RecordBatch.from_arrays(
        arrays, schema=canonical_schema(schema, has_op, has_set or bool(untouched))
    )


def _value_column(batch: pa.RecordBatch, name: str, kind: pa.DataType, kept: set[str]) -> pa.Array:
    if name not in kept:
        return pa.nulls(batch.num_rows, kind)
    column = batch.column(name)
    return column if column.type == kind else column.cast(kind)


def _aligned_set(
    batch: pa.RecordBatch, schema: TableSchema, kept: set[str], untouched: Sequence[str]
) -> pa.Array:
    """The `__set` of the final columns; a row that touched all does so unless one is untouched."""
    rows = batch.num_rows
    whole = np.ones(rows, dtype=bool)
    written = batch.column(SET_COLUMN) if SET_COLUMN in batch.schema.names else None
    if written is not None:
        whole = written.is_null().to_numpy(zero_copy_only=False)
    flags = []
    for name in schema.value_names:
        if name in untouched:
            flags.append(np.zeros(rows, dtype=bool))
        elif name not in kept or written is None:
            flags.append(whole)
        else:
            flags.append(whole | flags_of(written.field(name)))
    return set_column(schema, flags, whole if not untouched else np.zeros(rows, dtype=bool))


def set_column(schema: TableSchema, flags: Sequence[Flags], whole: Flags) -> pa.Array:
    """A `__set` column of one flag array a value column; NULL where `whole` says that all is."""
    kind = canonical_schema(schema, False, True).field(SET_COLUMN).type
    return pa.StructArray.from_arrays(
        [pa.array(column) for column in flags], fields=list(kind), mask=pa.array(whole)
    )


def flags_of(column: pa.Array) -> Flags:
    """The values of a bool column; NULL is False."""
    if column.null_count:
        column = column.fill_null(False)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=bool)


def operations_of(changes: pa.RecordBatch) -> npt.NDArray[np.uint8]:
    """The operation of every change, as numbers of `Op`."""
    if OP_COLUMN not in changes.schema.names:
        return np.zeros(changes.num_rows, dtype=np.uint8)
    return np.asarray(changes.column(OP_COLUMN).to_numpy())


def partial_of(changes: pa.RecordBatch) -> Flags:
    """Which changes name the columns they touch, instead of touching all."""
    if SET_COLUMN not in changes.schema.names:
        return np.zeros(changes.num_rows, dtype=bool)
    return np.asarray(changes.column(SET_COLUMN).is_valid().to_numpy(zero_copy_only=False))


def to_rows(changes: pa.RecordBatch, layout: FoldLayout) -> pa.RecordBatch:
    """The rows that `changes` (canonical) make of an empty table; one batch of `schema.arrow()`.

    Erases are gone, and an untouched column is NULL.
    """
    operations = operations_of(changes)
    erased = operations == Op.ERASE
    if erased.any():
        changes = changes.filter(pa.array(~erased))
    columns = [_touched_values(changes, name, layout.schema) for name in layout.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=layout.schema.arrow())


def _touched_values(changes: pa.RecordBatch, name: str, schema: TableSchema) -> pa.Array:
    column = changes.column(name)
    if SET_COLUMN not in changes.schema.names or name in schema.key:
        return column
    flags = changes.column(SET_COLUMN)
    touched = ~partial_of(changes) | flags_of(flags.field(name))
    if touched.all():
        return column
    return pc.if_else(pa.array(touched), column, pa.scalar(None, column.type))
