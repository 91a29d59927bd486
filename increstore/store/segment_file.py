"""Reading and growing one segment file; no file stays open between two calls.

Recovery reads a file from its start, record by record. At the first thing that is no record it
looks further: a valid record that had known those bytes to be durable proves damage, which is an
error with its place; without one they are a tail that a crash tore, to be cut.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import xxhash

from increstore.chain.files import sync_directory
from increstore.errors import StorageCorrupted
from increstore.store.files import told_as_storage_failed, write_ahead
from increstore.store.segment_format import (
    ALIGNMENT,
    AREA_BYTES_MAX,
    FORMAT,
    PREAMBLE_BYTES,
    RECORD_MAGIC,
    FileHeader,
    Record,
    area_length,
    padding,
    parse_file_header,
    parse_record,
    record_area,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from increstore.protocol.messages import Payload

_CHUNK_BYTES = 1 << 20
_FIRST_READ_BYTES = 512  # Holds most record areas whole, so that one read is enough.


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to be written: its facts, its payload and the payload's XXH3-64."""

    facts: dict[str, Any]
    payload: Payload = b""
    digest: int = 0


@dataclass(slots=True)
class Contents:
    """What a segment file holds, up to `length`; `size` is larger when its tail was torn."""

    header: FileHeader
    records: list[Record]
    length: int
    size: int
    fault: str = ""
    """Why the bytes at `length` are no record; empty when there are none."""


@dataclass(slots=True)
class SegmentFile:
    """One file that grows by groups; `length` is what is durable of it."""

    path: Path
    header: FileHeader
    length: int = 0

    def append(self, entries: Sequence[Entry], *, sync: bool = True) -> list[Record]:
        """Write the group and make it durable by one sync; the records as they now lie.

        Without `sync` it is durable with the next group that is synced: for a file that nobody
        looks for before it is renamed.

        Raises: StorageFailed; the file may then end in a part of the group, to be cut by recovery.
        """
        buffers: list[Payload] = [] if self.length else [self.header.area]
        records = self._lay_out(entries, buffers)
        with told_as_storage_failed(self.path, "writing"):
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
            handle = os.open(self.path, flags, 0o644)
            try:
                write_ahead(handle, buffers, self.length)
                if sync:
                    os.fdatasync(handle)
            finally:
                os.close(handle)
            if sync and not self.length:
                sync_directory(self.path.parent)
        self.length = records[-1].end
        return records

    def _lay_out(self, entries: Sequence[Entry], buffers: list[Payload]) -> list[Record]:
        """Add the group's bytes to `buffers`, in file order."""
        seed, offset = self.header.seed, self.length or len(self.header.area)
        records = []
        for entry in entries:
            area = record_area(
                entry.facts,
                payload=entry.payload,
                digest=entry.digest,
                offset=offset,
                durable=self.length,
                seed=seed,
            )
            size = memoryview(entry.payload).nbytes
            buffers += [area, entry.payload, padding(size)]
            record = Record(entry.facts, offset, len(area), size, self.length, entry.digest)
            records.append(record)
            offset = record.end
        assert records, "a group has at least one record"
        return records


def read_segment(
    path: Path, expected: FileHeader | None, *, verify_payloads: bool
) -> Contents | None:
    """What the file holds; None when not even its header was written whole.

    `expected` is the header it must have (None: any header). Without `verify_payloads` only the
    records' areas are read, and payloads are checked when they are loaded.
    Raises: StorageCorrupted for damage before the tail, or a file of something else;
    StorageFailed when it cannot be read.
    """
    with told_as_storage_failed(path, "reading"), _opened(path) as handle:
        size = os.fstat(handle).st_size
        header = _read_header(path, handle, expected)
        if header is None:
            proof = expected and _later_proof(handle, 0, size, expected.seed)
            if proof:
                raise damaged(path, 0, "the header of this file", "other bytes")
            return None
        contents = Contents(header, [], len(header.area), size)
        _read_records(handle, contents, verify_payloads=verify_payloads)
        if contents.fault:
            proof = _later_proof(handle, contents.length, size, header.seed)
            if proof is not None:
                raise damaged(
                    path,
                    contents.length,
                    f"a record that was durable before the one at byte {proof.offset}",
                    contents.fault,
                )
        return contents


def cut_tail(path: Path, length: int) -> None:
    """Cut what a crash tore: the file ends at `length`, durably; at 0 it is removed."""
    with told_as_storage_failed(path, "cutting a torn tail"):
        if not length:
            path.unlink()
            sync_directory(path.parent)
            return
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(handle, length)
            os.fsync(handle)
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class Span:
    """Where a payload lies: its bytes, and the XXH3-64 they must have."""

    path: Path
    offset: int
    size: int
    digest: int


def span_of(path: Path, record: Record) -> Span:
    """Where the payload of `record` lies."""
    return Span(path, record.payload_offset, record.payload_bytes, record.digest)


def load_payload(span: Span) -> pa.Buffer:
    """The payload, in fresh memory, checked.

    Raises: StorageCorrupted when it is not what was written; StorageFailed.
    """
    buffer = pa.allocate_buffer(span.size)
    view = memoryview(buffer)
    with told_as_storage_failed(span.path, "reading"), _opened(span.path) as handle:
        filled = _read_into(handle, view, span.offset)
    found = xxhash.xxh3_64_intdigest(view)
    if filled < span.size or found != span.digest:
        raise damaged(
            span.path,
            span.offset,
            f"{span.size} bytes with digest {span.digest:016x}",
            f"{filled} bytes with digest {found:016x}",
        )
    return buffer


def damaged(path: Path, offset: int, expected: str, got: str) -> StorageCorrupted:
    """The error for stored bytes that are not what was written."""
    return StorageCorrupted(
        f"{path}: byte {offset}: expected {expected}, got {got}; the disk or another program "
        "damaged the file after it was durable; remove the target and start the restore again"
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _read_into(handle: int, view: memoryview, offset: int) -> int:
    """Fill `view` from `offset`; the bytes read, fewer only at the end of the file."""
    filled = 0
    while filled < len(view):
        count = os.preadv(handle, [view[filled:]], offset + filled)
        if not count:
            break
        filled += count
    return filled


def _read_header(path: Path, handle: int, expected: FileHeader | None) -> FileHeader | None:
    start = os.pread(handle, _CHUNK_BYTES, 0)
    header = parse_file_header(start)
    if isinstance(header, int):
        raise StorageCorrupted(
            f"{path}: segment format {header} is not one this program reads (expected {FORMAT}); "
            "use the increstore that wrote it"
        )
    if header is not None and expected is not None and header.area != expected.area:
        raise StorageCorrupted(
            f"{path}: expected a file of {expected.facts}, got one of {header.facts}; it belongs "
            "to another restore or plan; remove the target and start the restore again"
        )
    return header


def _read_records(handle: int, contents: Contents, *, verify_payloads: bool) -> None:
    scratch = memoryview(bytearray(_CHUNK_BYTES)) if verify_payloads else None
    while contents.length < contents.size:
        record = _record_at(handle, contents.length, contents.header.seed)
        if record is None:
            contents.fault = "bytes that are no record"
        elif record.end > contents.size:
            contents.fault = f"a record cut off at byte {contents.size}"
        elif scratch is not None and not _payload_is_whole(handle, record, scratch):
            contents.fault = "a record whose payload does not match its digest"
        if record is None or contents.fault:
            return
        contents.records.append(record)
        contents.length = record.end


def _record_at(handle: int, offset: int, seed: int) -> Record | None:
    start = os.pread(handle, _FIRST_READ_BYTES, offset)
    length = area_length(start[:PREAMBLE_BYTES])
    if length is None or length > AREA_BYTES_MAX:
        return None
    area = start[:length] if length <= len(start) else os.pread(handle, length, offset)
    return parse_record(area, offset, seed)


def _payload_is_whole(handle: int, record: Record, scratch: memoryview) -> bool:
    """Whether the payload has its digest, and zeros behind it."""
    hasher = xxhash.xxh3_64()
    offset, end = record.payload_offset, record.payload_offset + record.payload_bytes
    while offset < end:
        count = _read_into(handle, scratch[: min(len(scratch), end - offset)], offset)
        if not count:
            return False
        hasher.update(scratch[:count])
        offset += count
    if not record.payload_bytes:
        return True
    zeros = os.pread(handle, record.end - end, end)
    return hasher.intdigest() == record.digest and not any(zeros)


def _later_proof(handle: int, fault: int, size: int, seed: int) -> Record | None:
    """A record behind `fault` that had known the bytes there to be durable."""
    for start in range(fault - fault % ALIGNMENT, size, _CHUNK_BYTES):
        chunk = os.pread(handle, _CHUNK_BYTES, start)
        found = chunk.find(RECORD_MAGIC)
        while found >= 0:
            if found % ALIGNMENT == 0:
                record = _record_at(handle, start + found, seed)
                if record is not None and record.durable > fault:
                    return record
            found = chunk.find(RECORD_MAGIC, found + 1)
    return None
