"""A running restore, for other threads: it can be told an operator's word, and to stop."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import trio

from increstore.protocol.ready import OperatorAsked

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.runtime.node import Node

T = TypeVar("T")

ANSWER_S_MAX = 2.0
"""How long another thread waits for an answer: an engine that is busy for longer is stuck."""


class Reins:
    """What another thread holds of a trio run. Every method but `attach` is for other threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._token: trio.lowlevel.TrioToken | None = None
        self._stop: Callable[[], object] | None = None
        self._is_stopped = False

    def attach(self, stop: Callable[[], object]) -> None:
        """From inside the run: from now on it can be reached; `stop` ends it there."""
        with self._lock:
            self._token, self._stop = trio.lowlevel.current_trio_token(), stop
            is_stopped = self._is_stopped
        if is_stopped:  # Before there was anything to stop.
            stop()

    def stop(self) -> None:
        """End the run, or keep it from beginning; once is enough."""
        with self._lock:
            self._is_stopped, stop = True, self._stop
        if stop is not None:
            self.soon(stop)

    @property
    def is_stopped(self) -> bool:
        return self._is_stopped

    def soon(self, act: Callable[[], object]) -> bool:
        """Have something done inside the run; False when there is none any more (or yet)."""
        if self._token is None:
            return False
        try:
            self._token.run_sync_soon(act)
        except trio.RunFinishedError:
            return False
        return True

    def ask(self, question: Callable[[], T]) -> T | None:
        """The answer of a question that is asked inside the run; None when nobody answers.

        Raises: what the question raises.
        """
        answer: Future[T] = Future()

        def ask_there() -> None:
            try:
                answer.set_result(question())
            except Exception as error:
                answer.set_exception(error)

        if not self.soon(ask_there):
            return None
        try:
            return answer.result(ANSWER_S_MAX)
        except TooLate:
            return None


class RestoreControl(Reins):
    """The reins of a restore."""

    def __init__(self) -> None:
        super().__init__()
        self._coordinator: Node | None = None

    def seat(self, coordinator: Node | None) -> None:
        """From inside the run: who listens to operators now."""
        self._coordinator = coordinator

    def operate(self, verb: str, value: int = 0) -> bool:
        """Tell the coordinator; False when there is none to hear it."""

        def tell() -> bool:
            if self._coordinator is None:
                return False
            self._coordinator.post(OperatorAsked(verb, value))
            return True

        return bool(self.ask(tell))
