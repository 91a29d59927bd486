"""The lock of a target: one restore at a time, released by the kernel when its processes end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from increstore.errors import StorageFailed, TargetRefused
from increstore.store.files import told_as_storage_failed

if TYPE_CHECKING:
    from pathlib import Path


def take_lock(handle: int, root: Path, lock: Path) -> None:
    """Take the lock of target `root` on the open file `lock`, and note in it who did.

    Raises: TargetRefused when another restore holds it; StorageFailed when it cannot be taken.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TargetRefused(
            f"{root}: another restore works in this target ({_holder(handle)}); "
            "wait for it or end it, then run the same command again; nothing was changed",
            holder_is_gone=_holder_is_gone(handle),
        ) from error
    except OSError as error:
        raise StorageFailed(
            f"{lock}: locking failed: {error.strerror}; use a file system that has locks"
        ) from error
    since = datetime.now(UTC).isoformat(timespec="seconds")
    note = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    with told_as_storage_failed(lock, "writing the lock's note"):
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(note).encode(), 0)


def _holder(handle: int) -> str:
    """Who holds the lock, as far as its note says; the note is a courtesy, the lock decides."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(os.pread(handle, 4096, 0))
        return f"process {note['pid']} on {note['host']}, since {note['since']}"
    return "its process is not known"


def _holder_is_gone(handle: int) -> bool:
    """Whether the noted process ended, so that only its dying workers still hold the lock."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(os.pread(handle, 4096, 0))
        if note["host"] == socket.gethostname():
            try:
                os.kill(int(note["pid"]), 0)
            except ProcessLookupError:
                return True
    return False
