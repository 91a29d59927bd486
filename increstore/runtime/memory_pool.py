"""Which allocators serve the data path, and how they treat what is freed.

Batches and the temporaries of vectorised work are big, short-lived and alike. Both allocators are
told to keep such pages for the next batch, where by default they give them back to the system and
have them faulted in again, zeroed: measured here, a third of the processor time of a restore.
"""

from __future__ import annotations

import contextlib
import ctypes

import pyarrow as pa

PAGES_KEPT_MS = 1_000
BYTES_KEPT = 256 << 20
"""What glibc may keep at the top of a heap; far above what a restore holds at once."""

_M_TRIM_THRESHOLD = -1  # From <malloc.h>.
_M_MMAP_THRESHOLD = -3
_MMAP_THRESHOLD_MAX = 32 << 20  # glibc refuses more.


def keep_pages() -> None:
    """Set both allocators up, where they are the ones this process has."""
    with contextlib.suppress(NotImplementedError):  # A build of Arrow without jemalloc.
        pool = pa.system_memory_pool()
        pa.jemalloc_set_decay_ms(PAGES_KEPT_MS)
        pa.set_memory_pool(pool)
    with contextlib.suppress(AttributeError, OSError):  # Another C library than glibc.
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_MAX)
        libc.mallopt(_M_TRIM_THRESHOLD, BYTES_KEPT)
