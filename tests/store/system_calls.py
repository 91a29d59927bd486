"""What a block asks of the operating system, watched from outside and changing nothing.

A process that is killed loses nothing that the kernel was already given, so no kill can show a
missing sync: only a power cut could. These tests look for the sync itself, and where it stands.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

_KINDS = {
    os.pwritev: "write",
    os.fdatasync: "sync",
    os.fsync: "sync",
    os.replace: "rename",
    os.rename: "rename",
    os.unlink: "remove",
    os.ftruncate: "cut",
    os.posix_fadvise: "begin",
}


@contextlib.contextmanager
def watched(root):
    """The calls of the block, in order, as ("sync", "shard/control"): paths are below `root`.

    "begin": the writing may begin, and nobody waits. A folder ends in "/". Only Python calls of
    this thread are seen, and a rename is told by the name that the file gets.
    """
    calls = []

    def look(frame, event, called):
        if event == "c_call" and called in _KINDS:
            calls.append((_KINDS[called], _path(_KINDS[called], frame, root)))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def _path(kind, frame, root):
    """Which file it is about, from the names that the calling function has for it."""
    found = frame.f_locals
    if kind == "rename":
        path = found["target"]  # Of `Path.replace`.
    elif kind == "remove":
        path = found["self"]  # Of `Path.unlink`.
    else:
        handle = found["handle"] if "handle" in found else found["file"].fileno()
        path = Path(f"/proc/self/fd/{handle}").readlink()
    below = Path(path).relative_to(root)
    return f"{below}/".replace("./", "/") if Path(path).is_dir() else str(below)
