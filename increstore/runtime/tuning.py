"""How a process that hosts shards treats threads and memory."""

from __future__ import annotations

import pyarrow as pa

from increstore.runtime.allocator import keep_freed_pages
from increstore.runtime.threads import tune_threads


def tune_process() -> None:
    """Set threads and allocator up; an allocator that is not glibc's is left as it is."""
    tune_threads()
    if keep_freed_pages():
        pa.set_memory_pool(pa.system_memory_pool())
