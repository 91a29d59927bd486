"""Many runs, on one core or several: tasks in, verdicts out, in the order of the tasks."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from increstore.errors import WorkerKilled
from increstore.proving import workers
from increstore.proving.simulated import crashed_verdict, run_simulated

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
    # A fork server has one thread, so its children inherit no lock that nobody will release.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["increstore.proving.simulated"])
    workers_end, our_end = context.Pipe(duplex=False)
    with ProcessPoolExecutor(jobs, context, workers.begin, (workers_end,)) as pool:
        chunks = _chunks(iter(tasks))
        waiting = [pool.submit(_run_chunk, chunk) for chunk in islice(chunks, jobs * CHUNKS_AHEAD)]
        try:
            while waiting:
                verdicts = waiting.pop(0).result()
                waiting += [pool.submit(_run_chunk, chunk) for chunk in islice(chunks, 1)]
                yield from verdicts
        except BaseException as error:
            our_end.close()
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise WorkerKilled(
                    "a process of --jobs was killed from outside, perhaps because memory ran out; "
                    "its runs are not known: run again with fewer jobs"
                ) from error
            raise


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
