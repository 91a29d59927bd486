"""Reading a scan's pages: decode a row group, check it, cut it at the target bounds.

This is where rows enter the restore. Everything after it moves batches: bytes with a row count and
a digest. Runs in worker threads; decoding, hashing and cutting release the GIL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from increstore.chain.digest import payload_digest
from increstore.chain.keys import OrderFault, cut, key_of_row, order_fault, show_key
from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from increstore.chain.plan import Page, TablePlan, TableStep

BATCH_ROWS_MAX = 65_536
"""Rows of one batch of a full backup: a merge holds one of them at a time."""

CHANGES_ROWS_MAX = 16_384
"""Rows of one batch of an incremental: a merge holds one of each, and there may be many."""

BATCH_BYTES_AIM = 8 << 20


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one page that one target shard owns: `payload` is one Arrow IPC message."""

    target: int
    rows: int
    digest: int
    payload: memoryview


def read_page(plan: TablePlan, step: TableStep, page: Page) -> tuple[Slice, ...]:
    """The page's rows, cut by target shard and into batches, in key order.

    Raises: OSError when the file cannot be read now; BackupChainBroken when what it holds is not
    what the manifest says.
    """
    batch = load_page(step, page)
    rows_max = CHANGES_ROWS_MAX if step.incremental else BATCH_ROWS_MAX
    ends = [*cut(batch, step.schema.key, plan.bounds), batch.num_rows]
    slices = []
    start = 0
    for target, end in enumerate(ends):
        pieces = _pieces(batch.slice(start, end - start), rows_max)
        slices += [_slice(target, piece) for piece in pieces]
        start = end
    return tuple(slices)


def load_page(step: TableStep, page: Page) -> pa.RecordBatch:
    """The page's rows or changes as one batch, checked.

    Raises: as `read_page`.
    """
    batch = _decode(page, step.batch_schema)
    _check_keys(batch, step, page)
    return batch


def load_keys(step: TableStep, page: Page) -> pa.RecordBatch:
    """The page's key columns alone, checked.

    Raises: as `read_page`.
    """
    keys = pa.schema([step.batch_schema.field(name) for name in step.schema.key])
    batch = _decode(page, keys, columns=keys.names)
    _check_keys(batch, step, page)
    return batch


def _decode(page: Page, schema: pa.Schema, columns: list[str] | None = None) -> pa.RecordBatch:
    """`schema` is what must come out; `columns` of None reads every column there is."""
    try:
        # A bit that flips after the chain was validated would else decode to other values.
        with pq.ParquetFile(page.path, pre_buffer=False, page_checksum_verification=True) as file:
            table = file.read_row_group(page.row_group, columns=columns, use_threads=False)
        if columns is not None:
            table = table.select(columns)  # The file's order may be another.
    except (pa.ArrowException, LookupError, UnicodeDecodeError) as error:
        # Not OSError: pyarrow reports damaged pages as ArrowInvalid, or OSError from a codec; and
        # a damaged footer as row groups, columns or names that cannot be.
        raise _damaged(page.path, f"row group {page.row_group}: {error}") from error
    except OSError as error:
        if error.errno is None:
            raise _damaged(page.path, f"row group {page.row_group}: {error}") from error
        raise
    if not table.schema.equals(schema):
        raise _damaged(page.path, _schema_difference(table.schema, schema))
    if table.num_rows != page.rows:
        raise _damaged(
            page.path,
            f"row group {page.row_group} has {table.num_rows} rows, the manifest says {page.rows}",
        )
    return table.combine_chunks().to_batches(max_chunksize=max(1, table.num_rows))[0]


def _damaged(path: Path, what: str) -> BackupChainBroken:
    return BackupChainBroken(
        f"{path}: {what}; nothing of this page was sent; run `increstore chain` on the collection, "
        "and copy the file again from its origin"
    )


def _schema_difference(got: pa.Schema, expected: pa.Schema) -> str:
    wanted = {field.name: field for field in expected}
    found = {field.name: field for field in got}
    for name in sorted(wanted.keys() | found.keys()):
        # As text: pyarrow cannot compare a field with None.
        if str(wanted.get(name)) != str(found.get(name)):
            return f"column {name!r} is {found.get(name)}, the manifest says {wanted.get(name)}"
    return f"columns are in the order {got.names}, the manifest says {expected.names}"


def _check_keys(batch: pa.RecordBatch, step: TableStep, page: Page) -> None:
    """Keys are there, ascend, start where the manifest says and end before the next page."""
    names = step.schema.key
    fault = order_fault(batch, names, None)
    if fault is not None:
        raise _damaged(page.path, _fault_text(fault, page))
    first, last = key_of_row(batch, names, 0), key_of_row(batch, names, batch.num_rows - 1)
    if first != page.first_key:
        raise _damaged(
            page.path,
            f"row group {page.row_group} starts at key {show_key(first)}, the manifest says "
            f"{show_key(page.first_key)}",
        )
    if page.next_key is not None and last >= page.next_key:
        kind = "doubled" if last == page.next_key else "out of order"
        raise _damaged(
            page.path,
            f"row group {page.row_group}: key {show_key(last)} is {kind} (the next row group "
            f"starts at {show_key(page.next_key)}; expected one change a key, ascending)",
        )


def _fault_text(fault: OrderFault, page: Page) -> str:
    what = {
        "null": "has a NULL in its key",
        "duplicate": "has the key of the row before it (expected one change a key)",
        "unsorted": "has a key below the row before it (expected ascending keys)",
    }[fault.kind]
    return f"row group {page.row_group}, row {fault.row}: {show_key(fault.key)} {what}"


def _pieces(batch: pa.RecordBatch, rows_max: int) -> Iterator[pa.RecordBatch]:
    """`batch` in pieces of a bounded number of rows and, as far as rows allow, of bytes."""
    if not batch.num_rows:
        return
    row_bytes = max(1, batch.nbytes // batch.num_rows)
    rows = max(1, min(rows_max, BATCH_BYTES_AIM // row_bytes))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _slice(target: int, piece: pa.RecordBatch) -> Slice:
    payload = memoryview(piece.serialize())
    return Slice(target, piece.num_rows, payload_digest(payload), payload)
