"""Every way out of a screenful: keys, signals, errors. The terminal is always given back.

Textual gives it back when its own loop ends, and only then: so each ending here is turned into
`exit`, and what there is to say is said by whoever opened the app, once the terminal is back.

An engine that was started here may need a while to end: what it has begun to write is made durable
first. Meanwhile the screen goes on and says for what it waits. Whoever does not want to wait leaves
again: what is durable then is what the same command goes on with.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from increstore.stops import STOP_SIGNALS, end_process

if TYPE_CHECKING:
    from textual.app import App

SIGNALLED = 128
"""Exit codes above it tell of a signal."""
HUNG_UP = SIGNALLED + signal.SIGHUP
WAIT_S_MAX = 30.0
"""How long an engine is waited for after a signal; a person sees it and may leave at once."""


HANG_UP_S = 5.0
"""How long Textual may take to leave a terminal that is not there any more."""


def end_for_sure(code: int, after_s: float = HANG_UP_S) -> None:
    """End the process with this code when it has not ended by then.

    Textual's writing thread dies with the terminal, and what is written then may wait for ever for
    room in its queue. The engine has been stopped before, and there is nobody left to be told.
    """
    watchdog = Timer(after_s, end_process, (code,))
    watchdog.daemon = True
    watchdog.start()


class Endings:
    """Mixed into an app."""

    failure: BaseException | None = None
    """What it ended with, for whoever opened the app to tell."""
    is_abandoned = False
    """Whether it ended before the engine had."""
    _leaves_with: int | None = None
    """The exit code, from when leaving has begun: an engine may need a while to end."""
    _leaves_since = 0.0
    _has_left = False

    def hear_signals(self) -> None:
        """Without this Textual leaves the terminal as it is when it is told to end."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            # Not the main thread, as in some tests: then nobody signals us either.
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self.leave, SIGNALLED + number)

    def leave(self, code: int) -> None:
        """End with this exit code, once the engine has; asked for again: at once."""
        if self._has_left:
            return
        if self._leaves_with is not None:
            self.is_abandoned = True
            self._go()
            return
        self._leaves_with, self._leaves_since = code, monotonic()
        self.begin_leaving()
        if code == HUNG_UP:  # There is nobody to be shown anything, and nothing to write it on.
            self._go()
        else:
            self.leave_when_ended()

    def leave_when_ended(self) -> None:
        """Go, if leaving has begun and nothing has to be waited for (any more)."""
        if self._leaves_with is None or self._has_left:
            return
        waited = monotonic() - self._leaves_since
        if self.has_ended():
            self._go()
        elif self._leaves_with > SIGNALLED and waited > WAIT_S_MAX:
            self.is_abandoned = True  # Perhaps nobody is there to see for whom it waits.
            self._go()
        else:
            self.show_leaving(waited)

    def _go(self) -> None:
        self._has_left = True
        self.on_leaving()
        if self._leaves_with == HUNG_UP:
            end_for_sure(HUNG_UP)
        cast("App[Any]", self).exit(return_code=self._leaves_with or 0)

    def fail(self, error: BaseException) -> None:
        """End because of this error."""
        self.failure = self.failure or error
        if not self._has_left:
            self._go()

    # --- What an app with an engine has to say to that.

    def begin_leaving(self) -> None:
        """Tell the engine that it is to end, without waiting for it."""

    def has_ended(self) -> bool:
        """Whether nothing has to be waited for."""
        return True

    def show_leaving(self, waited_s: float) -> None:
        """Show that it is leaving, and what it waits for."""

    def on_leaving(self) -> None:
        """What must be told before the loop ends."""
