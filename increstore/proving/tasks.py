"""Many runs, on one core or several: tasks in, verdicts out, in the order of the tasks."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from increstore.errors import WorkerKilled
from increstore.proving import workers
from increstore.proving.simulated import crashed_verdict, run_simulated
from increstore.stops import stops_wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from increstore.proving.verdict import Verdict

CHUNK_RUNS = 25
"""Simulated runs handed to a worker process at once; a real run goes alone."""
CHUNKS_AHEAD = 4
"""Chunks a worker may have waiting: enough to never idle, few enough to stop soon."""


@dataclass(frozen=True, slots=True)
class Task:
    """One run to make."""

    scenario: str
    mode: str
    seed: int
    crash_at: tuple[int, ...] = ()


def run_task(task: Task) -> Verdict:
    """Make the run. An error that is none of a run's own kinds is a verdict too: a red one."""
    try:
        if task.mode == "simulation":
            return run_simulated(task.scenario, task.seed, crash_at=task.crash_at)
        from increstore.proving.real import run_real_task  # Imports trio and pyarrow.

        return run_real_task(task.scenario, task.seed, task.mode)
    except Exception as error:
        return crashed_verdict(task.scenario, task.mode, task.seed, error)


def run_tasks(tasks: Iterable[Task], jobs: int) -> Iterator[Verdict]:
    """Verdicts in the order of the tasks; with `jobs` above 1 in so many processes.

    Closing the iterator early, or an interruption, ends the workers and their runs.
    Raises: WorkerKilled when somebody else has ended one.
    """
    if jobs == 1:
        yield from map(run_task, tasks)
        return
    chunks = _chunks(iter(tasks))
    with _workers(jobs) as pool:
        with stops_wait():  # The first chunk starts all processes, and the pool's own threads.
            waiting = [pool.submit(_run_chunk, one) for one in islice(chunks, jobs * CHUNKS_AHEAD)]
        while waiting:
            verdicts = waiting.pop(0).result()
            waiting += [pool.submit(_run_chunk, chunk) for chunk in islice(chunks, 1)]
            yield from verdicts


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that end with the block. Raises: WorkerKilled, see `run_tasks`."""
    # Forked: this process has a single thread, so no child inherits a lock that nobody will
    # release. Another way to start them needs helper processes, which a Ctrl-C hits while they
    # start, and semaphores with names, which outlive whoever is stopped.
    context = multiprocessing.get_context("fork")
    pipe = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs, context, workers.begin, pipe)
    try:
        yield pool
    except BaseException as error:
        with stops_wait():
            pipe[1].close()
            pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise WorkerKilled(
                "a process of --jobs was killed from outside, perhaps because memory ran out; "
                "its runs are not known: run again with fewer jobs"
            ) from error
        raise
    pool.shutdown()


def _run_chunk(tasks: list[Task]) -> list[Verdict]:
    return workers.work(lambda: [run_task(task) for task in tasks])


def _chunks(tasks: Iterator[Task]) -> Iterator[list[Task]]:
    chunk: list[Task] = []
    for task in tasks:
        chunk.append(task)
        if task.mode != "simulation" or len(chunk) >= CHUNK_RUNS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
