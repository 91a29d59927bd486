"""A live run as a source: trio in one thread of its own, a ring of events between us.

Rules of this file:
- Nothing is shared but the ring, and what the engine's reins hand over.
- The thread is joined on every ending; what it failed with is raised by the `stop` that finds it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from increstore.errors import EngineStuck, IncrestoreError
from increstore.runtime.event_ring import EventRing
from increstore.tui.playback import seam
from increstore.tui.playback.whole import whole
from increstore.view.history import History

if TYPE_CHECKING:
    from pathlib import Path

    from increstore.journal import JournalEvent
    from increstore.tui.playback.engine import Engine

JOIN_S_MAX = 30.0
"""How long an engine may take to wind down: it syncs what it has begun to write."""


class ThreadPlayback:
    """One engine in one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ring = EventRing()
        self._history = History()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._has_ended = threading.Event()
        self._outcome = ""
        self.ran_s = 0.0
        """How long the engine has run, once it has ended; however long it is looked at after."""
        self._error: BaseException | None = None
        self._is_error_raised = False
        self._is_stopped = False
        self._is_abandoned = False

    @classmethod
    def of_scenario(cls, path: Path, mode: str, seed: int) -> ThreadPlayback:
        """A scenario on real nodes: "memory" or "tcp". Raises: ScenarioError."""
        from increstore.tui.playback.drill_engine import ScenarioEngine

        return cls(ScenarioEngine.of_file(path, mode, seed))

    # --- What it is.

    @property
    def can(self) -> frozenset[seam.Ability]:
        return self._engine.can

    @property
    def title(self) -> str:
        return self._engine.title

    @property
    def status(self) -> seam.PlaybackStatus:
        live, count = self._history.live, len(self._history)
        state = self._state()
        is_over = state in ("ended", "failed")
        return seam.PlaybackStatus(
            state=state,
            now_ns=live.now if is_over else time.time_ns(),
            began_ns=live.started_at,
            ends_ns=live.now if is_over else None,
            events=count,
            events_total=count if is_over else None,
            dropped=self._ring.dropped,
            error="" if self._error is None else _sentence(self._error),
            outcome=self._outcome if is_over else "",
        )

    def _state(self) -> seam.State:
        if self._thread.ident is None:
            return "connecting"
        if not self._has_ended.is_set() or not (self._ring.is_empty or self._is_stopped):
            return "running"  # Its end is shown when all that led there has been.
        return "ended" if self._error is None else "failed"

    def history(self) -> History:
        return self._history

    # --- Its life.

    def start(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Raises: what the engine failed with, once; EngineStuck when it does not end."""
        self._is_stopped = True
        self._engine.stop()
        if self._is_abandoned:
            return
        if self._thread.ident is not None:
            self._thread.join(JOIN_S_MAX)
            if self._thread.is_alive():
                raise EngineStuck(
                    f"the engine has not ended within {JOIN_S_MAX:.0f} s after it was told to; "
                    "what is durable is safe"
                )
        if self._error is not None and not self._is_error_raised:
            self._is_error_raised = True
            raise self._error

    def begin_to_stop(self) -> None:
        self._engine.stop()

    @property
    def has_stopped(self) -> bool:
        return not self._thread.is_alive()

    def abandon(self) -> None:
        self._is_abandoned = True

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._outcome = self._engine.run(self._put)
        except BaseException as error:
            self._error = error
        self.ran_s = time.monotonic() - began
        self._has_ended.set()

    def _put(self, event: JournalEvent) -> None:
        self._ring.put(event)

    # --- The tick.

    def drain(
        self, limit: int = seam.DRAIN_EVENTS_MAX, budget_ns: int = seam.DRAIN_BUDGET_NS
    ) -> list[JournalEvent]:
        began = time.perf_counter_ns()
        taken: list[JournalEvent] = []
        while len(taken) < limit and not self._is_stopped:
            events = [
                whole(event) for event in self._ring.take(min(seam.DRAIN_SLICE, limit - len(taken)))
            ]
            for event in events:
                self._history.append(event)
            taken += events
            if not events or time.perf_counter_ns() - began >= self._budget(budget_ns):
                break
        return taken

    def _budget(self, budget_ns: int) -> int:
        """More while we are behind: what waits too long is left out."""
        return budget_ns * (seam.BEHIND_BUDGET if self._ring.is_behind else 1)

    def command(self, command: seam.Command) -> seam.CommandResult:
        if self._has_ended.is_set() and not isinstance(command, seam.SaveScenario):
            return seam.cannot(command, "the run has ended")
        if isinstance(command, _OF_TIME):
            return seam.cannot(command, "real time cannot be held, hurried or turned back")
        return self._engine.command(command, self._history)


_OF_TIME = (seam.Pause, seam.Resume, seam.Step, seam.Speed, seam.Seek, seam.Fork)


def _sentence(error: BaseException) -> str:
    if isinstance(error, IncrestoreError):
        return str(error)
    return f"{type(error).__name__}: {error}"
