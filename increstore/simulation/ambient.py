"""How bad the world is without any particular fault: the scenario's ambient rates, settled.

Durations are nanoseconds, rates parts of `RATE_WHOLE`. A duration is drawn anew each time from
`low .. low + span`; a rate holds for the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass

from increstore.scenario.values import RATE_WHOLE

__all__ = ["MS", "RATE_WHOLE", "SECOND", "Ambient", "Span"]

MS = 1_000_000
SECOND = 1_000 * MS


@dataclass(frozen=True, slots=True)
class Span:
    """A duration between `low` and `low + width`, both included."""

    low: int
    width: int = 0

    def of(self, drawn: int) -> int:
        """The duration that 16 drawn bits stand for; 0 is the shortest."""
        return self.low + (drawn * (self.width + 1) >> 16)


@dataclass(frozen=True, slots=True)
class Ambient:
    """The weather of one run."""

    is_stream: bool = True
    """Links keep their order and lose a message only by breaking; else each goes on its own."""
    latency: Span = Span(MS, 4 * MS)
    loss: int = 0
    duplicate: int = 0
    reorder: int = 0
    corrupt: int = 0
    truncate: int = 0
    disk: Span = Span(MS // 5, 4 * MS // 5)
    torn: int = RATE_WHOLE
    crash: int = 0
    restart: Span = Span(10 * MS, 3 * SECOND)
    page_failure: int = 0
    heals_at: int = 120 * SECOND

    @property
    def troubles_messages(self) -> bool:
        return bool(self.loss or self.duplicate or self.reorder or self.corrupt or self.truncate)
