"""How a process that hosts shards treats memory.

Batches and the temporaries of vectorised work are big, short-lived and alike. Arrow and
numpy share the C library's allocator, and it is told to keep such pages for the next batch, where
by default it gives them back to the system and has them faulted in again, zeroed: a merge of two
million rows took 170,000 page faults and a fifth more processor time without this.
"""

from __future__ import annotations

import contextlib
import ctypes

import pyarrow as pa

from increstore.runtime.threads import tune_threads

BYTES_KEPT = 64 << 20
"""What may be kept free at the top of a heap; above what a step of the work lets go at once."""

ARENAS_MAX = 1
"""Each arena keeps pages of its own, and gives back a whole heap that is empty for a moment."""

_M_TRIM_THRESHOLD = -1  # From glibc's <malloc.h>.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_MMAP_THRESHOLD_MAX = 32 << 20  # glibc refuses more.


def tune_process() -> None:
    """Set threads and allocator up; an allocator that is not glibc's is left as it is."""
    tune_threads()
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, ARENAS_MAX)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_MAX)
        libc.mallopt(_M_TRIM_THRESHOLD, BYTES_KEPT)
        pa.set_memory_pool(pa.system_memory_pool())
