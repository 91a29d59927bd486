"""One Parquet file of a backup: written row group by row group, hashed on its way to the disk.

Choices, measured on rows of four numbers and 60 characters of text: zstd level 1; dictionaries for
text alone, since key columns never repeat and numbers decode fastest plain; statistics for the key
alone, which is what a reader can prune by; a checksum on every page.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from increstore.chain.files import make_directories
from increstore.chain.keys import Key, encode_key, key_of_row
from increstore.chain.manifest import FileEntry, RowGroupEntry
from increstore.chain.staging import told_as_storage_failed
from increstore.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from increstore.chain.schema import TableSchema


class DataFile:
    """The Parquet file being written, until `complete` or `abandon`."""

    def __init__(self, path: Path, schema: TableSchema, arrow: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._groups: list[RowGroupEntry] = []
        self._first_key: Key | None = None
        self._last_key: Key = ()
        with told_as_storage_failed(path, "creating"):
            make_directories(path.parent)
            self._sink = _HashedFile(path)
        self._writer = pq.ParquetWriter(
            self._sink,
            arrow,
            compression="zstd",
            compression_level=1,
            use_dictionary=_dictionary_columns(schema),
            write_statistics=list(schema.key),
            write_page_checksum=True,
        )

    @property
    def bytes(self) -> int:
        return self._sink.size

    def write(self, batches: list[pa.RecordBatch]) -> None:
        """One row group. Raises: StorageFailed."""
        table = pa.Table.from_batches(batches)
        with self._told():
            self._writer.write_table(table, row_group_size=table.num_rows)
        first = key_of_row(batches[0], self._schema.key, 0)
        self._last_key = key_of_row(batches[-1], self._schema.key, batches[-1].num_rows - 1)
        self._first_key = first if self._first_key is None else self._first_key
        entry = RowGroupEntry(rows=table.num_rows, first_key=encode_key(first, self._schema))
        self._groups.append(entry)

    def complete(self) -> FileEntry:
        """Make the file durable. Raises: StorageFailed."""
        assert self._first_key is not None, "a file holds at least one row group"
        with self._told():
            self._writer.close()
            self._sink.sync()
            self._sink.close()
        return FileEntry(
            path=self._path.name,
            rows=sum(group.rows for group in self._groups),
            bytes=self._sink.size,
            sha256=self._sink.sha256.hexdigest(),
            first_key=encode_key(self._first_key, self._schema),
            last_key=encode_key(self._last_key, self._schema),
            row_groups=self._groups,
        )

    def abandon(self) -> None:
        """Close without completing; the folder is thrown away."""
        # The writer puts a footer into a closing file: it must not meet a full disk once more.
        self._sink.discard = True
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._sink.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        with told_as_storage_failed(self._path, "writing"):
            yield


class _HashedFile(io.RawIOBase):
    """A file that knows the size and SHA-256 of what was written to it, in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("xb", buffering=0)
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.discard = False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if not self.discard:
            self.sha256.update(view)
            written = 0
            while written < len(view):
                written += self._file.write(view[written:])
        self.size += len(view)
        return len(view)

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
        super().close()


def _dictionary_columns(schema: TableSchema) -> list[str]:
    return [
        column.name
        for column in schema.columns
        if column.name not in schema.key
        and (pa.types.is_string(column.type) or pa.types.is_binary(column.type))
    ]


def refuse_types_parquet_changes(schema: TableSchema) -> None:
    """Raises: LocalProtocolError for a type that is another one when read back."""
    for column in schema.columns:
        kind = column.type
        if (pa.types.is_timestamp(kind) or pa.types.is_time(kind)) and kind.unit == "s":
            raise LocalProtocolError(
                f"column {column.name!r}: Parquet has no {kind}; use the unit ms"
            )
