"""Which allocator a process uses that hosts shards, and what it keeps.

The C library's, for Arrow and numpy alike. Arrow brings its own and decides once, when it is
imported; what is chosen later holds for what Python asks for, and not for what its readers and
kernels take in between. Two allocators keep free pages of their own: a restore of two million rows
peaked at 390 MB with both, at 300 MB with one.

Batches and the temporaries of vectorised work are big, short-lived and alike. So the C library is
told to keep such pages for the next batch, where by default it gives them back to the system and
has them faulted in again, zeroed: a merge of two million rows took 170,000 page faults and a fifth
more processor time without this.

Quick to import: no Arrow, for the first pages are read while the rest is still being imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

ARROW_POOL = "ARROW_DEFAULT_MEMORY_POOL"

BYTES_KEPT = 64 << 20
"""What may be kept free at the top of a heap; above what a step of the work lets go at once."""

ARENAS_MAX = 1
"""Each arena keeps pages of its own, and gives back a whole heap that is empty for a moment."""

_M_TRIM_THRESHOLD = -1  # From glibc's <malloc.h>.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_MMAP_THRESHOLD_MAX = 32 << 20  # glibc refuses more.


def choose_one_allocator() -> None:
    """Have Arrow, not yet imported here or in a process started from here, use the C library's.

    Only glibc's, which can be told what to keep; and what a user has chosen stays.
    """
    if _is_glibc():
        os.environ.setdefault(ARROW_POOL, "system")


def keep_freed_pages() -> bool:
    """Tell the C library's allocator what to keep; False when it is none that can be told.

    Before the first thread, best: one that has asked it for memory keeps an arena of its own.
    """
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, ARENAS_MAX)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_MAX)
        libc.mallopt(_M_TRIM_THRESHOLD, BYTES_KEPT)
        return True
    return False


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, OSError, ValueError):  # Another C library, or another system.
        return False
