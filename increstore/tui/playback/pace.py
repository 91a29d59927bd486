"""How far the clock of what is shown has come, when it runs at a speed of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from increstore.tui.playback.seam import FLAT_OUT

if TYPE_CHECKING:
    from collections.abc import Callable

LEAP_NS = 250_000_000
"""More of our time than this between two looks is not caught up with: somebody was suspended."""


class Pace:
    """A clock in nanoseconds that goes `speed` times as fast as ours while it is let."""

    def __init__(self, speed: float, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self.position = 0
        self.speed = speed
        self._clock = clock
        self._looked_at = clock()

    @property
    def is_flat_out(self) -> bool:
        return self.speed == FLAT_OUT

    def look(self) -> int:
        """Let it go on since the last look, and tell where it is."""
        now = self._clock()
        passed, self._looked_at = min(now - self._looked_at, LEAP_NS), now
        if not self.is_flat_out:
            self.position += round(passed * self.speed)
        return self.position

    def rest(self) -> None:
        """What has passed since the last look does not count."""
        self._looked_at = self._clock()

    def put(self, position: int) -> None:
        """Be there now."""
        self.position = position
        self.rest()
