"""Giving freed memory back to the system, at the few moments when that is worth its price."""

from __future__ import annotations

import contextlib
import ctypes


def give_back_free_pages() -> None:
    """Let the system have what the allocator keeps free; nothing where that is not glibc's.

    A process that moves batches is told to keep freed pages for the next ones. A fold needs pieces
    of other sizes: what it cannot reuse would add to the peak, more with every fold of a long
    chain. Once a fold, the price is a few hundredths of a second of faulting pages in again.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
