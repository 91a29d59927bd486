"""Durable folders: a name that was made or removed lasts only when its folder is synced as well.

Used by whatever writes, backups as well as targets; the words for a failure differ between the
two, and stand with them (`chain.staging`, `store.files`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make names created, renamed or removed in `directory` durable. Raises: OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directories(directory: Path) -> None:
    """Create `directory` and its missing parents, durably. Raises: OSError."""
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_directory(folder.parent)


def free_space_text(error: OSError, path: Path) -> str:
    """How much room is left near `path`, when `error` is for lack of it; else no words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        for folder in (path, *path.parents):
            with contextlib.suppress(OSError):
                return f" ({shutil.disk_usage(folder).free / 1e6:,.1f} MB free)"
    return ""
