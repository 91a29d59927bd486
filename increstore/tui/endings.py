"""Every way out of a screenful: keys, signals, errors. The terminal is always given back.

Textual gives it back when its own loop ends, and only then: so each ending here is turned into
`exit`, and what there is to say is said by whoever opened the app, once the terminal is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from textual.app import App

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Endings:
    """Mixed into an app."""

    failure: BaseException | None = None
    """What it ended with, for whoever opened the app to tell."""
    _is_leaving = False

    def hear_signals(self) -> None:
        """Without this Textual leaves the terminal as it is when it is told to end."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            # Not the main thread, as in some tests: then nobody signals us either.
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self.leave, 128 + number)

    def leave(self, code: int) -> None:
        """End with this exit code, once."""
        if not self._is_leaving:
            self._is_leaving = True
            self.on_leaving()
            cast("App[Any]", self).exit(return_code=code)

    def on_leaving(self) -> None:
        """What must be told before the loop ends."""

    def fail(self, error: BaseException) -> None:
        """End because of this error."""
        self.failure = self.failure or error
        self.leave(0)
