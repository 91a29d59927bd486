"""Whether a batch may be stored: everything that can be wrong with it is found before a write.

The checks are vectorised: never one Python object per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.changes import Op
from increstore.chain.digest import payload_digest
from increstore.chain.keys import key_of_row, order_fault, show_key
from increstore.chain.schema import OP_COLUMN
from increstore.store.seam import BatchInvalid

if TYPE_CHECKING:
    from increstore.chain.keys import Key
    from increstore.protocol.ready import ApplyBatch
    from increstore.store.seam import StoreLayout


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """A batch that may be stored, and the first and last key in it."""

    batch: ApplyBatch
    first: Key
    last: Key


def check_batch(batch: ApplyBatch, layout: StoreLayout, after: Key | None) -> CheckedBatch:
    """The batch as it may be stored behind key `after` of the same stream.

    Raises: BatchInvalid naming what was expected and what was got.
    """
    found = payload_digest(batch.payload)
    if found != batch.digest:
        raise _invalid(batch, f"expected payload digest {batch.digest:016x}, got {found:016x}")
    if batch.rows < 1:
        raise _invalid(batch, f"expected at least one row, got {batch.rows}")
    rows = _read(batch, layout.batch_schemas[batch.scan.incremental])
    if rows.num_rows != batch.rows:
        raise _invalid(batch, f"expected {batch.rows} rows as announced, got {rows.num_rows}")
    _check_values(batch, rows)
    _check_order(batch, rows, layout, after)
    names = layout.final.key
    first, last = key_of_row(rows, names, 0), key_of_row(rows, names, rows.num_rows - 1)
    _check_range(batch, layout, first, last)
    return CheckedBatch(batch, first, last)


def _read(batch: ApplyBatch, schema: pa.Schema) -> pa.RecordBatch:
    try:
        rows = pa.ipc.read_record_batch(pa.py_buffer(batch.payload), schema)
        rows.validate(full=True)  # Also that text is UTF-8; 8 ns a row of 60 characters.
    except (pa.ArrowException, OSError, EOFError) as error:
        raise _invalid(
            batch, f"expected an Arrow record batch of {schema.names}, got: {error}"
        ) from error
    return rows


def _check_values(batch: ApplyBatch, rows: pa.RecordBatch) -> None:
    for column, field in zip(rows.columns, rows.schema, strict=True):
        if not field.nullable and column.null_count:
            raise _invalid(
                batch, f"column {field.name!r}: expected no NULL, got {column.null_count}"
            )
    if OP_COLUMN in rows.schema.names:
        highest = pc.max(rows.column(OP_COLUMN)).as_py()
        if highest > max(Op):
            raise _invalid(batch, f"column {OP_COLUMN!r}: expected 0, 1 or 2, got {highest}")


def _check_order(
    batch: ApplyBatch, rows: pa.RecordBatch, layout: StoreLayout, after: Key | None
) -> None:
    fault = order_fault(rows, layout.final.key, after)
    if fault is not None:
        raise _invalid(
            batch,
            f"row {fault.row}: key {show_key(fault.key)} is {fault.kind}; expected keys without "
            "NULL in ascending order, each once",
        )


def _check_range(batch: ApplyBatch, layout: StoreLayout, first: Key, last: Key) -> None:
    low, high = layout.low, layout.high
    if (low is not None and first < low) or (high is not None and last >= high):
        lowest = "the first key" if low is None else show_key(low)
        highest = "the last key" if high is None else f"below {show_key(high)}"
        raise _invalid(
            batch,
            f"keys {show_key(first)} to {show_key(last)} are not this shard's; expected {lowest} "
            f"to {highest}",
        )


def _invalid(batch: ApplyBatch, problem: str) -> BatchInvalid:
    scan = batch.scan
    return BatchInvalid(
        batch,
        f"batch {batch.order} of {scan.source} for incremental {scan.incremental} (attempt "
        f"{scan.attempt}): {problem}; nothing of its group was written",
    )
