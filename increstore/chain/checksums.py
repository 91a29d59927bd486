"""SHA-256 of files, counted by threads of their own from the moment the files are named.

Quick to import: a restore names its files first, and imports Arrow while they are counted.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from increstore.chain.names import is_file_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from increstore.chain.collection import Backup

# Hashing and reading release the GIL; more threads than this only queue for the disk.
THREADS_MAX = 4

BLOCK_BYTES = 1 << 20
"""Read and hashed at once. After each the thread waits for the interpreter, which imports keep."""


class Checksums:
    """The SHA-256 of some files, as hex digits; `close` forgets those that are not begun."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._pool = ThreadPoolExecutor(
            max(1, min(THREADS_MAX, os.cpu_count() or 1)), thread_name_prefix="checksums"
        )
        self._counted: dict[Path, Future[str]] = {
            path: self._pool.submit(_sha256, path) for path in paths
        }

    def of(self, path: Path) -> str:
        """Wait for the checksum of this file, named before or not. Raises: OSError."""
        counted = self._counted.get(path)
        return _sha256(path) if counted is None else counted.result()

    def close(self) -> None:
        """Begin no other file. Nothing is waited for: a file may take minutes."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def paths_of(backups: Iterable[Backup]) -> list[Path]:
    """The data files these backups name, in order; what is no plain file name is left out."""
    return [
        backup.path / table / file.path
        for backup in backups
        for table, entry in (backup.manifest.tables.items() if backup.manifest else ())
        for file in entry.files
        if is_file_name(file.path)
    ]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    block = bytearray(BLOCK_BYTES)
    view = memoryview(block)
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(block):
            digest.update(view[:count])
    return digest.hexdigest()
