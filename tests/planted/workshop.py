"""Many hunts, each in a process of its own, a few at a time: a bug that hangs is ended."""

from __future__ import annotations

import multiprocessing
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from tests.planted.patching import PlantError
from tests.planted.table import BUGS
from tests.planted.trial import Trial, follow, hunt_planted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from tests.planted.bug import Hunt

SECONDS_MAX = 60
"""A hunt that takes longer is ended, and has caught nothing."""


@dataclass(frozen=True, slots=True)
class Done:
    """How one task ended; `error` says why there is no trial."""

    task: str | Hunt
    """The name of a bug to hunt, or a hunt to follow with nothing planted."""
    trial: Trial | None
    error: str = ""


def do_all(tasks: Sequence[str | Hunt], jobs: int) -> Iterator[Done]:
    """Each task in a process of its own, `jobs` at a time; results as they come."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    waiting = deque(tasks)
    running: dict[Connection, tuple[str | Hunt, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.popleft()
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(task, theirs))
                process.start()
                theirs.close()
                running[ours] = task, process
            # Whoever is silent for so long is ended, the one asked first before the others.
            for ours in wait(list(running), SECONDS_MAX) or [next(iter(running))]:
                yield _take(ours, *running.pop(ours))
    finally:
        for _, process in running.values():
            process.kill()


def _take(ours: Connection, task: str | Hunt, process: Any) -> Done:
    """The result, if there is one by now; the process ends in any case."""
    try:
        done = ours.recv() if ours.poll() else Done(task, None, f"not over after {SECONDS_MAX} s")
    except EOFError:
        done = Done(task, None, "its process ended without a result")
    process.kill()
    process.join()
    ours.close()
    return done


def _work(task: str | Hunt, told: Connection) -> None:
    try:
        if isinstance(task, str):
            trial = hunt_planted(next(bug for bug in BUGS if bug.name == task))
        else:
            trial = follow(task)
        told.send(Done(task, trial))
    except PlantError as error:
        told.send(Done(task, None, str(error)))
    except Exception as error:
        told.send(Done(task, None, f"{type(error).__name__}: {error}"))
    finally:
        told.close()
