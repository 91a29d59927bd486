"""How fast it goes, and how long it may still take, by the clock of what is shown."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView

WINDOW_NS = 5_000_000_000
"""Rates are those of the last five seconds."""
APART_NS = 100_000_000
KNOWN_PART_LEAST = 0.05
"""With less than this done, nobody can say how long the rest takes."""


class Sample(NamedTuple):
    """How far it was at a time (nanoseconds since 1970)."""

    at: int
    events: int
    rows: int


class Rates:
    """Fed with the view now and then; in the past as in the present."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def look(self, view: ClusterView, now: int) -> tuple[float, float]:
        """Events and rows a second, of the last seconds before `now`."""
        samples = self._samples
        if not view.started_at:
            return 0.0, 0.0
        if samples and (now < samples[-1].at or view.events < samples[-1].events):
            samples.clear()  # Another moment of the past, or another past.
        if not samples:
            samples.append(Sample(view.started_at, 0, 0))
        while len(samples) > 1 and samples[1].at <= now - WINDOW_NS:
            samples.popleft()
        first = samples[0]
        if now - samples[-1].at >= APART_NS:
            samples.append(Sample(now, view.events, view.rows_applied))
        passed = (now - first.at) / 1e9
        if passed <= 0:
            return 0.0, 0.0
        return (view.events - first.events) / passed, (view.rows_applied - first.rows) / passed


def part_done(view: ClusterView) -> float:
    """Of all scans of the chain, the part that has been reported, 0 to 1: each backup counts as
    much as another, for nobody knows how large they are."""
    if not view.incrementals:
        return 0.0
    parts = [
        1.0 if one.state == "done" else len(one.reported) / max(one.expected, 1)
        for one in view.incrementals
    ]
    return sum(parts) / len(parts)


def left_ns(view: ClusterView, now: int) -> int | None:
    """How long it may still take, if it goes on as before; None when nobody can say."""
    done = part_done(view)
    if view.state != "running" or not KNOWN_PART_LEAST <= done < 1:
        return None
    started = view.incrementals[0].started_at or view.started_at
    return round((now - started) * (1 - done) / done)


def short(number: float) -> str:
    """`7`, `340`, `1.2k`, `34k`, `1.2M`: four characters at the most."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size * 0.9995:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return f"{number:.0f}"
