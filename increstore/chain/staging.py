"""Making a backup appear whole or not at all, one at a time per collection.

Rules of this file:
- a backup is built in a hidden folder beside the others and gets its name by one rename, after
  every byte and every folder in it is durable; its manifest is the last file written;
- the collection is locked (flock) while one is built, so what an earlier, dead one left behind
  can be told from one under way, and is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from increstore.chain.files import free_space_text, make_directories, sync_directory
from increstore.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_NAME = ".lock"
PARTIAL_MARK = ".partial-"


@contextlib.contextmanager
def locked(collection: Path) -> Iterator[None]:
    """Hold the collection for writing; create its folder when it is missing.

    Raises: StorageFailed when another process holds it, or it cannot be written.
    """
    with told_as_storage_failed(collection, "opening the collection for writing"):
        make_directories(collection)
        handle = os.open(collection / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(handle, collection)
        _remove_leftovers(collection)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, collection: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 100, 0).decode(errors="replace").strip() or "unknown"
        raise StorageFailed(
            f"{collection}: another backup is being made here (process {holder}); nothing was "
            "written; wait until it has ended, then run the same command again"
        ) from error
    with told_as_storage_failed(collection / LOCK_NAME, "writing"):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def _remove_leftovers(collection: Path) -> None:
    for entry in sorted(collection.iterdir()):
        if entry.name.startswith(".") and PARTIAL_MARK in entry.name and entry.is_dir():
            with told_as_storage_failed(entry, "removing what an interrupted backup left"):
                shutil.rmtree(entry)


@contextlib.contextmanager
def partial_folder(collection: Path, what: str = "backup") -> Iterator[Path]:
    """A new hidden folder to build a backup in; gone afterwards unless it was published.

    `what` is the first part of its name: also what is only of use meanwhile lies in such a folder.
    """
    folder = collection / f".{what}{PARTIAL_MARK}{secrets.token_hex(4)}"
    with told_as_storage_failed(folder, "creating"):
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, name: str) -> None:
    """Give the folder its name, durably. Its files are durable already; its folders are synced.

    Raises: StorageFailed; then the backup either has its name and is whole, or is not there.
    """
    with told_as_storage_failed(folder, "publishing the backup"):
        for directory, _, _ in os.walk(folder, topdown=False):
            sync_directory(Path(directory))
        folder.rename(folder.with_name(name))
        sync_directory(folder.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Raises: StorageFailed."""
    with told_as_storage_failed(path, "writing"), path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def told_as_storage_failed(path: Path, doing: str) -> Iterator[None]:
    """Turn the operating system's refusals inside the block into `StorageFailed`."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(
            f"{path}: {doing} failed: {error.strerror or error}{free_space_text(error, path)}; no "
            "backup was added, those before are untouched; mend the cause and run the same "
            "command again"
        ) from error
