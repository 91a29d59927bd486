"""Runs: what sealed incrementals brought, in key order; and the fold of many runs into one.

A run is read batch by batch into fresh memory (never mapped, so that resident memory does not
grow with the table), and every batch is checked when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from increstore.chain.digest import payload_digest
from increstore.chain.files import sync_directory
from increstore.chain.fold import FoldLayout, align
from increstore.chain.keys import decode_key, encode_key, key_of_row
from increstore.chain.merge import merge
from increstore.chain.schema import OP_COLUMN, SET_COLUMN
from increstore.protocol.messages import StreamEvidence
from increstore.store.files import TEMPORARY_SUFFIX, told_as_storage_failed
from increstore.store.segment_file import (
    Entry,
    SegmentFile,
    Span,
    damaged,
    load_payload,
    read_segment,
    span_of,
)
from increstore.store.segment_format import FileHeader, Record, file_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.chain.keys import Key
    from increstore.chain.schema import TableSchema
    from increstore.store.seam import StoreLayout

Seals = dict[int, tuple[StreamEvidence, ...]]

RUN_SUFFIX = ".run"
_SLICE_ROWS = 32_768


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One batch in a file. `incremental` is None when it is a fold, canonical already."""

    span: Span
    schema: pa.Schema
    incremental: int | None
    layout: FoldLayout
    first: Key
    last: Key
    rows: int

    def load(self) -> pa.RecordBatch:
        """The batch in canonical form. Raises: StorageCorrupted, StorageFailed."""
        batch = pa.ipc.read_record_batch(load_payload(self.span), self.schema)
        if self.incremental is None:
            return batch
        return align(batch, self.incremental, self.layout)


@dataclass(frozen=True, slots=True)
class Run:
    """The batches of one sealed incremental (level 0), or of the fold of several, in key order."""

    path: Path
    level: int
    seals: Seals
    batches: list[StoredBatch]

    @property
    def first(self) -> int:
        """The oldest incremental in it."""
        return min(self.seals)


def encode_seal(streams: Sequence[StreamEvidence]) -> list[list[Any]]:
    """The streams of a seal as its record holds them."""
    return [[s.source, s.attempt, s.rows, s.batches, s.digest] for s in streams]


def decode_seal(encoded: Sequence[Sequence[Any]]) -> tuple[StreamEvidence, ...]:
    """The streams that a seal names."""
    return tuple(StreamEvidence(*fields) for fields in encoded)


def compact(
    directory: Path, runs: Sequence[Run], layout: StoreLayout, fold_layout: FoldLayout
) -> Run:
    """Fold `runs` (oldest first) into one new run file, durable and complete when it returns.

    Memory: the batches of `runs` that overlap one slice of keys, and that slice.
    Raises: StorageCorrupted, StorageFailed; the old runs still count then.
    """
    seals = {n: streams for run in runs for n, streams in run.seals.items()}
    path = directory / f"{min(seals):06d}-{max(seals):06d}{RUN_SUFFIX}"
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    header = _run_header(layout, 1 + max(run.level for run in runs), seals)
    with told_as_storage_failed(temporary, "writing"):
        temporary.unlink(missing_ok=True)
    file = SegmentFile(temporary, header)
    count = 0
    batches = [run.batches for run in runs]
    for changes in merge(batches, fold_layout, slice_rows=_SLICE_ROWS, as_rows=False):
        if changes.num_rows:
            file.append([_folded_entry(changes, layout.final)], sync=False)
            count += 1
    file.append([Entry({"kind": "end", "batches": count})])
    with told_as_storage_failed(path, "renaming into place"):
        temporary.replace(path)
        sync_directory(directory)
    return read_run(path, layout, fold_layout)


def read_run(path: Path, layout: StoreLayout, fold_layout: FoldLayout) -> Run:
    """The run in `path`, its batches not yet checked.

    Raises: StorageCorrupted when the file is not whole, or not of this restore.
    """
    contents = read_segment(path, None, verify_payloads=False)
    if contents is None:
        raise damaged(path, 0, "the header of a run", "other bytes")
    facts, records = contents.header.facts, contents.records
    seals = {int(n): decode_seal(streams) for n, streams in facts.get("seals", [])}
    if contents.header.area != _run_header(layout, facts.get("level", 0), seals).area:
        raise damaged(path, 0, f"a run of shard {layout.shard}", f"a file of {facts}")
    end = records[-1].facts if records else None
    if contents.fault or end != {"kind": "end", "batches": len(records) - 1}:
        raise damaged(path, contents.length, "a whole run", contents.fault or "one without its end")
    batches = [_folded_batch(path, record, layout.final, fold_layout) for record in records[:-1]]
    return Run(path, facts["level"], seals, batches)


def _run_header(layout: StoreLayout, level: int, seals: Seals) -> FileHeader:
    return file_header(
        {
            "kind": "run",
            "restore": layout.restore,
            "table": layout.table,
            "shard": layout.shard,
            "level": level,
            "schema": layout.final.hash(),
            "seals": [[n, encode_seal(streams)] for n, streams in sorted(seals.items())],
        }
    )


def _folded_entry(changes: pa.RecordBatch, final: TableSchema) -> Entry:
    payload = changes.serialize()
    facts = {
        "kind": "batch",
        "rows": changes.num_rows,
        "first": encode_key(key_of_row(changes, final.key, 0), final),
        "last": encode_key(key_of_row(changes, final.key, changes.num_rows - 1), final),
        "op": OP_COLUMN in changes.schema.names,
        "set": SET_COLUMN in changes.schema.names,
    }
    return Entry(facts, memoryview(payload), payload_digest(payload))


def _folded_batch(
    path: Path, record: Record, final: TableSchema, fold_layout: FoldLayout
) -> StoredBatch:
    facts = record.facts
    return StoredBatch(
        span_of(path, record),
        final.change_arrow(has_op=facts["op"], has_set=facts["set"]),
        None,
        fold_layout,
        decode_key(facts["first"], final),
        decode_key(facts["last"], final),
        facts["rows"],
    )
