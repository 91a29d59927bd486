"""Which allocator a process uses that hosts shards: the C library's, for Arrow and numpy alike.

Arrow brings its own and decides once, when it is imported; what is chosen later holds for what
Python asks for, and not for what its readers and kernels take in between. Two allocators keep free
pages of their own: a restore of two million rows peaked at 390 MB with both, at 300 MB with one.

Quick to import: no Arrow.
"""

from __future__ import annotations

import os

ARROW_POOL = "ARROW_DEFAULT_MEMORY_POOL"


def choose_one_allocator() -> None:
    """Have Arrow, not yet imported here or in a process started from here, use the C library's.

    Only glibc's, which can be told what to keep (`tuning`); and what a user has chosen stays.
    """
    if _is_glibc():
        os.environ.setdefault(ARROW_POOL, "system")


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, OSError, ValueError):  # Another C library, or another system.
        return False
