"""Long work beside the main thread, so that the main thread is free to hear of a stop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


def work_aside(work: Callable[[], Result]) -> Result:
    """What `work` returns or raises, which must write nothing: a stop does not wait for its end.

    Checksums of a large collection take minutes, and their threads are waited for by whoever has
    begun them.
    """
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work).result()
    finally:
        pool.shutdown(wait=False)
