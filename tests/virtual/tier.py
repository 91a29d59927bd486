"""The production nodes under virtual time: trio, its nurseries and cancellation, from a seed.

Rules of this file:
- Time jumps to the next deadline as soon as no task can run, so a restore of many seconds takes a
  moment, and whatever waits without a deadline is found at once.
- Work in threads takes a drawn while of virtual time, and time stands still while it is done.
- Which of the runnable tasks runs first is drawn from the seed. That needs two private switches of
  trio; they are touched here and nowhere else, and a canary test tells when they are gone.
- Whatever would leave the simulated world (sockets, processes, files opened by trio) raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
import trio
import trio._core._run as trio_run

from increstore.simulation.draws import Draws

WORK_NS = (50_000, 3_000_000)
"""How long a piece of work takes that production does in a thread."""
THREAD_POLL_S = 0.05
SWITCHES = ("_ALLOW_DETERMINISTIC_SCHEDULING", "_r")


class EscapedSimulation(BaseException):
    """Something reached for the real world while time is virtual. Not to be caught on the way."""


class VirtualClock(trio.abc.Clock):
    """Jumps to the next deadline. `is_stuck`: there was none left, and nothing could run."""

    def __init__(self) -> None:
        self.now = 0.0
        self.working = 0
        """Threads that work now: time stands still for them."""
        self.is_stuck = False
        self.scope = trio.CancelScope()

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Asked by trio when nothing can run: then it is that time."""
        if self.working:
            return THREAD_POLL_S  # Woken as soon as the thread has something to say.
        if deadline == math.inf:
            # Nothing can ever happen again: end the run instead of waiting for ever.
            self.is_stuck = True
            self.scope.cancel()
        elif deadline > self.now:
            self.now = deadline
        return 0.0


@contextmanager
def virtual_time(seed: int) -> Iterator[VirtualClock]:
    """While this lasts, a run of trio with this clock depends on the seed alone."""
    clock = VirtualClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        patch.setattr(trio_run, "_r", Random(seed))
        to_thread, from_thread = _held(clock, seed)
        patch.setattr(trio.to_thread, "run_sync", to_thread)
        patch.setattr(trio.from_thread, "run", from_thread)
        for place, name in (
            (trio, "open_tcp_stream"), (trio, "serve_tcp"), (trio, "open_file"),
            (trio, "run_process"), (trio.lowlevel, "open_process"), (trio, "SocketStream"),
        ):  # fmt: skip
            patch.setattr(place, name, _escape(name))
        yield clock


def run_with(clock: VirtualClock) -> Callable[..., Any]:
    """As `trio.run`, under this clock; a run that is stuck ends by cancellation."""

    def run(main: Callable[..., Any], *args: Any) -> Any:
        async def within_scope() -> Any:
            with clock.scope:
                return await main(*args)
            raise AssertionError(f"stuck at {clock.now:.3f} s: nothing could ever happen again")

        return trio.run(within_scope, clock=clock)

    return run


def _held(clock: VirtualClock, seed: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`to_thread.run_sync` and `from_thread.run`, with time standing still while a thread works.

    Each piece of work first takes a drawn while of virtual time, which no other piece shares: so
    the thread works while every task waits, and what it does next is all that can happen.
    """
    run_in_thread, run_in_trio = trio.to_thread.run_sync, trio.from_thread.run
    draws, number = Draws(seed), 0
    low, high = WORK_NS

    async def run_sync(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        nonlocal number
        number += 1
        await trio.sleep((low + draws.draw(f"work {number}", high - low)) / 1e9)
        clock.working += 1
        try:
            return await run_in_thread(work, *args, **options)
        finally:
            clock.working -= 1

    def run(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        async def waited_for() -> Any:
            # The thread waits for us now, so time may go on.
            clock.working -= 1
            try:
                return await work(*args)
            finally:
                clock.working += 1

        return run_in_trio(waited_for, **options)

    return run_sync, run


def _escape(name: str) -> Callable[..., Any]:
    def escape(*_: object, **__: object) -> Any:
        raise EscapedSimulation(f"{name} was called while time is virtual")

    return escape
