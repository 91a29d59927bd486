"""Durable files: what has to be synced, in which order, and how a failure is told to a person.

Rules of this file:
- a new name is durable only when its directory has been synced as well;
- a file that others may read appears by rename, after its bytes are durable;
- a failed fsync is never repeated: whoever sees `StorageFailed` opens the storage again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from increstore.chain.files import free_space_text, sync_directory
from increstore.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from increstore.protocol.messages import Payload

TEMPORARY_SUFFIX = ".tmp"
WRITE_BACK_BYTES = 1 << 20
"""What is handed to the disk at once, while more is being copied into the page cache."""

_BUFFERS_MAX = 512  # Below IOV_MAX of every system we run on (1024).
_NAME_BYTES_MAX = 180  # File systems stop at 255; leaves room for suffixes.

_REMEDIES = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "raise the quota or remove files, then run the same command again",
    errno.EFBIG: "raise the file size limit (ulimit -f), then run the same command again",
    errno.EROFS: "mount it writable or choose another target",
    errno.EACCES: "give this user access or choose another target",
    errno.EPERM: "give this user access or choose another target",
    errno.EIO: "check the disk and the system log, then run the same command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n), then run the same command again",
}


def storage_failed(error: OSError, path: Path, doing: str) -> StorageFailed:
    """The failure in a person's words: what was done where, why not, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, "mend the cause, then run the same command again")
    return StorageFailed(
        f"{path}: {doing} failed: {error.strerror or error}{free_space_text(error, path)}; "
        f"this write may have happened in part, everything acknowledged before is safe; {remedy}"
    )


@contextlib.contextmanager
def told_as_storage_failed(path: Path, doing: str) -> Iterator[None]:
    """Turn the operating system's refusals inside the block into `StorageFailed`."""
    try:
        yield
    except OSError as error:
        raise storage_failed(error, path, doing) from error


def write_at(handle: int, buffers: Sequence[Payload], offset: int) -> int:
    """Write all `buffers` one after another at `offset`, without joining them; bytes written."""
    views = [memoryview(buffer).cast("B") for buffer in buffers if len(buffer)]
    start = offset
    first = 0
    while first < len(views):
        written = os.pwritev(handle, views[first : first + _BUFFERS_MAX], offset)
        offset += written
        while first < len(views) and written >= len(views[first]):
            written -= len(views[first])
            first += 1
        if written:
            views[first] = views[first][written:]
    return offset - start


def write_ahead(handle: int, buffers: Iterable[Payload], offset: int) -> None:
    """`write_at`, for a sync that follows: the disk begins with what is written meanwhile."""
    waiting: list[Payload] = []
    size = 0
    for buffer in buffers:
        waiting.append(buffer)
        size += memoryview(buffer).nbytes
        if size >= WRITE_BACK_BYTES:
            written = write_at(handle, waiting, offset)
            begin_write_back(handle, offset)
            offset += written
            waiting, size = [], 0
    write_at(handle, waiting, offset)


def begin_write_back(handle: int, start: int) -> int:
    """Have the system begin to write the file from `start` on to the disk; where it ends now.

    The sync that must follow finds most of its work done. Of pages that no longer are to be kept
    Linux begins to write those that differ from the disk, and keeps them; others do nothing here.
    """
    end = os.fstat(handle).st_size
    if hasattr(os, "posix_fadvise") and end > start:
        os.posix_fadvise(handle, start, end - start, os.POSIX_FADV_DONTNEED)
    return end


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: after a crash it holds the old bytes or the new ones."""
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def file_name_of(name: str) -> str:
    """`name` (a table or shard, possibly with slashes) as one safe, distinct file name."""
    quoted = quote(name, safe=" ").replace("~", "%7E")
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    if len(quoted) <= _NAME_BYTES_MAX:
        return quoted
    # "~" is in no quoted name, so a shortened name never meets a whole one.
    return f"{quoted[:150]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
