"""Between the director of a run and the stage its nodes live on: what happens, and what is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import trio

from increstore.scenario import actions as a
from increstore.transport.clock import monotonic_ns

if TYPE_CHECKING:
    from increstore.journal import Journal, JournalEvent
    from increstore.scenario.actions import Crash, Pause
    from increstore.scenario.director import Director

NARRATOR = "scenario"
"""The node that the journal names for what is done on purpose."""


class Stage(Protocol):
    """Where the nodes of one command live. Orders for a node that is not there change nothing."""

    def crash(self, crash: Crash) -> None: ...

    def restart(self, node: str) -> None: ...

    def pause(self, pause: Pause) -> None: ...

    def unpause(self, node: str, fault: str) -> None: ...

    def put_clock(self, node: str, by_ns: int) -> None: ...

    def damage(self, node: str, action: str) -> None: ...

    def operate(self, verb: str, value: int) -> None: ...

    def reset(self, one: str, other: str) -> None: ...

    def release(self, hold: str) -> None: ...

    def begin_second_restore(self) -> None: ...


class Conductor:
    """Tells the director what happens, and the stage what to do. One for a run.

    The run begins when its first stage stands. Between two commands there is none: what is due
    then waits for the next one.
    """

    def __init__(self, director: Director, journal: Journal) -> None:
        self._director = director
        self._journal = journal
        self._stage: Stage | None = None
        self._began: int | None = None
        self._news = trio.Event()
        self.begun = trio.Event()
        journal.subscribe(self._observe)

    def clock(self) -> int:
        """Nanoseconds since the run began."""
        return 0 if self._began is None else monotonic_ns() - self._began

    def tell(self) -> None:
        """The director may have something to tell or to do."""
        self._news.set()

    def open(self, stage: Stage) -> None:
        """The nodes of a command are there."""
        if self._began is None:
            self._began = monotonic_ns()
            self.begun.set()
        self._stage = stage
        self.tell()

    def close(self) -> None:
        """They are gone."""
        self._stage = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._news = trio.Event()
            if self._stage is not None:
                for action in self._director.due(self.clock()):
                    self._carry_out(self._stage, action)
            for name, facts in self._director.take_events():
                self._journal.emit(NARRATOR, name, **facts)
            with trio.CancelScope(deadline=self._next_due_s()):
                await self._news.wait()

    def _next_due_s(self) -> float:
        due = self._director.next_due
        if due is None or self._began is None or self._stage is None:
            return float("inf")
        return (due + self._began) / 1e9

    def _observe(self, event: JournalEvent) -> None:
        if event.name in self._director.wanted:
            self._director.observe(self.clock(), event.node, event.name, event.facts)
            self.tell()

    def _carry_out(self, stage: Stage, action: a.Action) -> None:  # noqa: C901 - a line an action
        match action:
            case a.Crash():
                stage.crash(action)
            case a.Restart(node):
                stage.restart(node)
            case a.Pause():
                stage.pause(action)
            case a.Unpause(node, fault):
                stage.unpause(node, fault)
            case a.ClockJump(node, by_ns):
                stage.put_clock(node, by_ns)
            case a.DiskAction(node, action=what):
                stage.damage(node, what)
            case a.Operate(verb, value):
                stage.operate(verb, value)
            case a.ResetLink(one, other):
                stage.reset(one, other)
            case a.Release(hold):
                stage.release(hold)
            case a.SecondRestore():
                stage.begin_second_restore()
            case _:
                raise AssertionError(f"{action} cannot be done to real nodes")
