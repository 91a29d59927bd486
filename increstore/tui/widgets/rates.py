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
STILL_NS = 3_000_000_000
"""When nothing has moved for so long, it is not merely slow."""


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
        rows = view.rows_moved
        if samples and (now < samples[-1].at or view.events < samples[-1].events):
            samples.clear()  # Another moment of the past, or another past.
        if not samples:
            samples.append(Sample(view.started_at, 0, view.rows_before))
        while len(samples) > 1 and samples[1].at <= now - WINDOW_NS:
            samples.popleft()
        first = samples[0]
        if now - samples[-1].at >= APART_NS:
            samples.append(Sample(now, view.events, rows))
        passed = (now - first.at) / 1e9
        if passed <= 0:
            return 0.0, 0.0
        # An attempt that failed takes back what it had applied.
        return (view.events - first.events) / passed, max(0, rows - first.rows) / passed


class Work(NamedTuple):
    """What this coordinator has done, of what it had to do, since a time (ns since 1970)."""

    done: float
    whole: float
    since: int


def left_ns(view: ClusterView, now: int) -> int | None:
    """How long it may still take until everything is applied, if it goes on as before.

    None when nobody can say: too little is done, or nothing moves.
    """
    work = _work(view) if view.state == "running" else None
    if work is None or stuck_ns(view, now) is not None:
        return None
    if not KNOWN_PART_LEAST * work.whole <= work.done < work.whole:
        return None
    return round((now - work.since) * (work.whole - work.done) / work.done)


def stuck_ns(view: ClusterView, now: int) -> int | None:
    """For how long no row has moved, when that is longer than it should be while it runs."""
    still = now - (view.moved_at or view.started_at)
    return still if view.state == "running" and still >= STILL_NS else None


def _work(view: ClusterView) -> Work | None:
    """In rows where the plan has told them; else in incrementals, once the full backup is done:
    how much larger that is nobody knows, and incrementals of one chain are often alike."""
    planned = [one.rows_planned for one in view.incrementals]
    if planned and None not in planned:
        whole = sum(rows or 0 for rows in planned) - view.rows_before
        done = view.rows_moved - view.rows_before
        return Work(done, whole, max(view.began_at, view.started_at))
    if len(planned) < 2 or view.incrementals[1].started_at is None:
        return None
    parts = [
        1.0 if one.state == "done" else len(one.reported) / max(one.expected, 1)
        for one in view.incrementals[1:]
    ]
    return Work(sum(parts), len(parts), view.incrementals[1].started_at)


def short(number: float) -> str:
    """`7`, `340`, `1.2k`, `34k`, `1.2M`: four characters at the most."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size * 0.9995:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return f"{number:.0f}"
