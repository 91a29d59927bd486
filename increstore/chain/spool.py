"""Batches that do not fit into memory together, in files of a scratch folder until they are needed.

Rules of this file:
- a file holds Arrow IPC messages, each compressed; where they lie is remembered in memory, for
  nobody reads such a file after the process that wrote it;
- nothing is synced, and everything is checked when it is read again: what the disk made of it
  would else be in a backup whose checksums are right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from increstore.chain.digest import payload_digest
from increstore.chain.keys import Key, key_of_row
from increstore.chain.pieces import pieces
from increstore.chain.staging import told_as_storage_failed
from increstore.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import FileIO
    from pathlib import Path

    from increstore.chain.merge import SortedBatch

_CODEC = "lz4_raw"


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """How much is in memory at once while a backup is made, in bytes as Arrow holds them."""

    portion_bytes: int = 32 << 20
    """Of a snapshot, as it is in its file: read, typed and checked at once."""

    run_bytes: int = 64 << 20
    """Rows that are sorted at once, and changes that wait, before they go to the disk."""

    batch_bytes: int = 2 << 20
    """One batch of a run: a merge holds one of each run."""

    runs_max: int = 32
    """Runs of one level; so many are merged into one of the next."""

    slice_bytes: int = 32 << 20
    """Where a slice of a merge ends."""


@dataclass(frozen=True, slots=True)
class Run:
    """Sorted batches that do not overlap, in key order, and the file that they lie in, if any."""

    batches: Sequence[SortedBatch]
    file: SpoolFile | None = None

    def remove(self) -> None:
        """Give the disk its room back; the batches cannot be loaded any more."""
        if self.file is not None:
            self.file.remove()


class Spool:
    """A scratch folder in which runs wait. Whoever made the folder removes it."""

    def __init__(self, folder: Path, limits: SpoolLimits | None = None) -> None:
        self.limits = limits or SpoolLimits()
        self._folder = folder
        self._files = 0

    def new_file(self, names: Sequence[str]) -> SpoolFile:
        """`names` are the key columns of its batches. Raises: StorageFailed."""
        self._files += 1
        return SpoolFile(self._folder / f"{self._files:05d}.spool", names)

    def run_of(self, batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> Run:
        """A run on disk of sorted `batches`. Raises: StorageFailed."""
        file = self.new_file(names)
        for batch in batches:
            file.append(batch, self.limits.batch_bytes)
        return Run(file.batches, file)


class SpoolFile:
    """One file of batches, which grows at its end."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.batches: list[SpooledBatch] = []
        self._path = path
        self._names = names
        self._bytes = 0

    def append(self, batch: pa.RecordBatch, bytes_max: int) -> None:
        """Write the batch in pieces of so many bytes, or of one row. Raises: StorageFailed."""
        with told_as_storage_failed(self._path, "writing"), self._path.open("ab", 0) as file:
            for piece, _ in pieces(batch, bytes_max):
                message = piece.serialize()
                # Bytes: a Buffer would show its whole room, beyond what is in it.
                packed = pa.compress(message, codec=_CODEC, asbytes=True)
                self.batches.append(self._entry(piece, message, packed))
                self._bytes += len(packed)
                _write_all(file, packed)

    def _entry(self, piece: pa.RecordBatch, message: pa.Buffer, packed: bytes) -> SpooledBatch:
        return SpooledBatch(
            first=key_of_row(piece, self._names, 0),
            last=key_of_row(piece, self._names, piece.num_rows - 1),
            rows=piece.num_rows,
            path=self._path,
            offset=self._bytes,
            packed_bytes=len(packed),
            message_bytes=message.size,
            checksum=payload_digest(packed),
            schema=piece.schema,
        )

    def remove(self) -> None:
        with told_as_storage_failed(self._path, "removing"):
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """A batch in a file, as `merge` wants it: read when its turn comes."""

    first: Key
    last: Key
    rows: int
    path: Path
    offset: int
    packed_bytes: int
    message_bytes: int
    checksum: int
    schema: pa.Schema

    def load(self) -> pa.RecordBatch:
        """Raises: StorageFailed when the file cannot be read, or is not as it was written."""
        with told_as_storage_failed(self.path, "reading"), self.path.open("rb", 0) as file:
            file.seek(self.offset)
            packed = file.read(self.packed_bytes)
        if len(packed) != self.packed_bytes or payload_digest(packed) != self.checksum:
            raise StorageFailed(
                f"{self.path}: at byte {self.offset:,} is not what was written; no backup was "
                "added, those before are untouched; look after the disk and run the same command "
                "again"
            )
        message = pa.decompress(packed, decompressed_size=self.message_bytes, codec=_CODEC)
        return pa.ipc.read_record_batch(message, self.schema)


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """A batch in memory, as `merge` wants it."""

    batch: pa.RecordBatch
    names: Sequence[str]

    @property
    def first(self) -> Key:
        return key_of_row(self.batch, self.names, 0)

    @property
    def last(self) -> Key:
        return key_of_row(self.batch, self.names, self.rows - 1)

    @property
    def rows(self) -> int:
        return int(self.batch.num_rows)

    def load(self) -> pa.RecordBatch:
        return self.batch


class Backlog:
    """Batches in key order that wait until all of them are known: in memory, or else on disk."""

    def __init__(self, spool: Spool, names: Sequence[str]) -> None:
        self._spool = spool
        self._names = names
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0
        self._file: SpoolFile | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Not an empty one. Raises: StorageFailed."""
        self._held.append(batch)
        self._held_bytes += batch.nbytes
        if self._held_bytes > self._spool.limits.run_bytes:
            self._write()

    def _write(self) -> None:
        self._file = self._file or self._spool.new_file(self._names)
        for batch in self._held:
            self._file.append(batch, self._spool.limits.batch_bytes)
        self._held, self._held_bytes = [], 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All that was added, in that order. Raises: StorageFailed."""
        for spooled in self._file.batches if self._file is not None else ():
            yield spooled.load()
        yield from self._held


def _write_all(file: FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
