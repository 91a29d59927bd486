"""The limit: the chain's rows, decoded by two threads and appended to one file, durable a backup.

No shards, no protocol, no keys: what two plain threads and this disk can do with the same bytes.
Three row groups in flight, because more of them only cost page faults.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from chain_files import Backup, Phases, run_peer

THREADS = 2
IN_FLIGHT = 3


def restore(backups: list[Backup], out: Path, phases: Phases) -> None:
    descriptor = os.open(out / "items.arrows", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with ThreadPoolExecutor(THREADS) as pool:
        for backup, buffers in _decoded(pool, backups):
            for buffer in buffers:
                os.write(descriptor, buffer)
            if buffers == []:
                os.fdatasync(descriptor)
                phases.end(backup.name)
    os.close(descriptor)


def _decoded(
    pool: ThreadPoolExecutor, backups: list[Backup]
) -> Iterator[tuple[Backup, list[pa.Buffer]]]:
    """Each row group's bytes in order; an empty list where a backup ends."""
    running: deque[tuple[Backup, Future]] = deque()
    for backup in backups:
        for job in _jobs(backup):
            running.append((backup, pool.submit(*job)))
            if len(running) > IN_FLIGHT:
                done, future = running.popleft()
                yield done, future.result()
    while running:
        done, future = running.popleft()
        yield done, future.result()


def _jobs(backup: Backup) -> Iterator[tuple]:
    for path in backup.files:
        for group in range(pq.read_metadata(path).num_row_groups):
            yield _decode, path, group
    yield (list,)


def _decode(path: Path, group: int) -> list[pa.Buffer]:
    table = pq.ParquetFile(path).read_row_group(group, use_threads=False)
    return [batch.serialize() for batch in table.to_batches()]


def sums(out: Path) -> None:
    return None


if __name__ == "__main__":
    run_peer(restore, sums)
