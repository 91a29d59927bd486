"""A run in another process as a source: a viewer of its broadcast, that comes and goes as it may.

Rules of this file:
- What is on its way is read within the tick's budget; what is not read makes the server skip, and
  say so.
- A connection that is lost is made again. The same run goes on where it was; another one (the
  server was started anew) begins another history.
- We never end what we look at.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from increstore.errors import RemoteProtocolError
from increstore.journal import JournalEvent
from increstore.runtime.stream_words import STREAM_VERSION, events_of
from increstore.tui.playback import seam
from increstore.tui.playback.connection import Connection
from increstore.tui.playback.wire import plain_of, result_of
from increstore.view.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWER_S_MAX = 0.5
"""How long a command waits for its answer; one that comes later is not heard."""
CONTROL: frozenset[seam.Ability] = frozenset({"inject", "heal", "operate"})


class StreamPlayback:
    """A viewer of the broadcast at one address."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        wants_control: bool = False,
        clock: Callable[[], int] = time.perf_counter_ns,
        connection: Connection | None = None,
    ) -> None:
        """Without `wants_control` it only looks, whatever the server would allow."""
        self._connection = connection or Connection(host, port)
        self._wants_control = wants_control
        self._clock = clock
        self._history = History()
        self._title = ""
        self._can: frozenset[seam.Ability] = frozenset()
        self._run: str | None = None
        self._next = 0
        """The number of the event that comes next."""
        self._ahead: deque[JournalEvent] = deque()
        self._is_behind = False
        self._frames: Iterator[dict[str, Any]] = iter(())
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0
        self._last_status: dict[str, Any] = {}
        self._has_been_up = False
        self._is_over = False
        self._refused = ""
        self._is_stopped = False

    # --- What it is.

    @property
    def can(self) -> frozenset[seam.Ability]:
        return self._can if self._connection.is_up else frozenset()

    @property
    def title(self) -> str:
        return (
            f"{self._title} at {self._connection.where}"
            if self._title
            else (self._connection.where)
        )

    @property
    def status(self) -> seam.PlaybackStatus:
        live, count, told = self._history.live, len(self._history), self._last_status
        state = self._state()
        return seam.PlaybackStatus(
            state=state,
            now_ns=live.now if state in ("ended", "lost", "failed") else time.time_ns(),
            began_ns=live.started_at,
            events=count,
            events_total=count if state == "ended" else None,
            dropped=int(told.get("dropped", 0)),
            error=self._refused or self._connection.why,
            outcome=str(told.get("outcome", "")),
            viewers=int(told.get("viewers", 0)),
        )

    def _state(self) -> seam.State:
        if self._refused:
            return "failed"
        if self._ahead:
            return "running"
        if self._is_over:
            return "ended"
        if not self._connection.is_up or self._run is None:
            return "lost" if self._has_been_up else "connecting"
        return "ended" if self._last_status.get("state") == "ended" else "running"

    def history(self) -> History:
        return self._history

    def start(self) -> None:
        self._connection.look()

    def stop(self) -> None:
        self._is_stopped = True
        self._connection.close()

    # --- The tick.

    def drain(
        self, limit: int = seam.DRAIN_EVENTS_MAX, budget_ns: int = seam.DRAIN_BUDGET_NS
    ) -> list[JournalEvent]:
        deadline = self._clock() + budget_ns * (seam.BEHIND_BUDGET if self._is_behind else 1)
        taken: list[JournalEvent] = []
        self._look()
        self._is_behind = not self._is_stopped
        while self._is_behind and len(taken) < limit and self._clock() < deadline:
            if not self._ahead and not self._read():
                self._is_behind = False
                break
            for _ in range(min(seam.DRAIN_SLICE, limit - len(taken), len(self._ahead))):
                event = self._ahead.popleft()
                self._history.append(event)
                taken.append(event)
        return taken

    def _has_left(self) -> bool:
        return self._is_stopped or self._is_over or bool(self._refused)

    def _look(self) -> None:
        if not self._has_left() and self._connection.look():
            self._frames = self._connection.frames()
            seq = None if self._run is None else self._next
            self._connection.say(join={"version": STREAM_VERSION, "run": self._run, "seq": seq})

    def _read(self) -> bool:
        """One frame more; False when there is none for now."""
        if self._has_left():
            return False
        try:
            found = next(self._frames, None)
            if found is None:
                self._frames = self._connection.frames()  # Looked at again at the next tick.
                return False
            self._take(found)
        except (RemoteProtocolError, TypeError, ValueError, KeyError) as error:
            self._connection.lose(f"what it says cannot be understood: {error}")
            return False
        return True

    def _take(self, said: dict[str, Any]) -> None:
        match said:
            case {"events": list() as plains, "seq": int() as first}:
                self._take_events(plains, first)
            case {"snapshot": list() as plain, "seq": int() as seq, "missed": int() as missed}:
                self._take_snapshot(plain, seq, missed)
            case {"hello": {"run": str() as run} as hello}:
                self._greet(run, hello)
            case {"status": dict() as status}:
                self._last_status = status
            case {"answer": {"id": int() as number} as answer}:
                self._answers = {number: answer}  # Nobody waits for an older one.
            case {"refused": why}:
                self._refused = str(why)
                self._connection.close()
            case {"bye": outcome}:
                self._last_status = {**self._last_status, "state": "ended", "outcome": outcome}
                self._is_over = True
                self._connection.close()
            case _:
                pass  # A newer server says more than we know.

    def _greet(self, run: str, hello: dict[str, Any]) -> None:
        if self._run is not None and run != self._run:
            self._history = History()
            self._ahead.clear()
        if run != self._run:
            self._next = 0
        self._run, self._has_been_up = run, True
        self._title = str(hello.get("title", ""))
        allowed = frozenset(str(word) for word in hello.get("can", ()))
        self._can = CONTROL & allowed if self._wants_control else frozenset()
        self._connection.settle()

    def _take_events(self, plains: list[Any], first: int) -> None:
        if first > self._next:
            raise RemoteProtocolError(f"event {first} comes after {self._next - 1}")
        self._ahead += events_of(plains[self._next - first :])
        self._next = max(self._next, first + len(plains))

    def _take_snapshot(self, plain: list[Any], seq: int, missed: int) -> None:
        (snapshot,) = events_of([plain])
        if missed > 0:
            gap = {"events": missed}
            self._ahead.append(JournalEvent(snapshot.at, "stream", "stream.gap", gap))
        self._ahead.append(snapshot)
        self._next = seq

    # --- Commands.

    def command(self, command: seam.Command) -> seam.CommandResult:
        ability = seam.ABILITIES[type(command)]
        plain = plain_of(command)
        if plain is None:
            return seam.cannot(command, "this run is somewhere else, and only looked at")
        if ability not in self.can:
            why = (
                "this run does not allow it"
                if self._wants_control
                else "this viewer only looks; attach with --control"
            )
            return seam.cannot(command, why)
        self._asked += 1
        self._connection.say(command={"id": self._asked, **plain})
        return self._wait_for_answer(self._asked)

    def _wait_for_answer(self, number: int) -> seam.CommandResult:
        deadline = time.monotonic() + ANSWER_S_MAX
        while number not in self._answers:
            left = deadline - time.monotonic()
            if left <= 0 or not self._connection.is_up:
                return seam.CommandResult(True, "sent; no answer yet")
            if not self._read():
                self._connection.wait(left)
        return result_of(self._answers.pop(number))
