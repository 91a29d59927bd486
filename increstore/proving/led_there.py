"""What led to a failure: the last events that matter of a run, and what it waited for.

A simulated run is made again for it: it is the same run, so only a failing one ever pays for a
journal. A real run never goes the same way twice, so its last events are kept while it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from increstore.proving.simulated import run_simulated
from increstore.simulation.observing import WALL_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.journal import JournalEvent
    from increstore.proving.verdict import Verdict

OF_ALL_MAX = 14
OF_THE_NODE_MAX = 10
OF_TROUBLE_MAX = 6
"""Whoever waits repeats: without a share of its own, the fault would be lost among questions."""

TROUBLE = (
    "fault.", "node.crashed", "worker.died", "page.failed", "storage.failed", "batch.rejected",
    "shard.restarting", "refused",
)  # fmt: skip
SAMPLES = ("scan.progress",)
"""Told again and again with other numbers: they say nothing about how it came so far."""


@dataclass(slots=True)
class Seen:
    """An event, when it was last told with these facts, and how often."""

    number: int
    event: JournalEvent
    times: int = 1

    def as_line(self, since: int) -> str:
        often = f"  ({self.times} times)" if self.times > 1 else ""
        return self.event.as_line(since) + often


class Latest:
    """The last events, up to a number of different ones: what is told again counts as one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[tuple[str, str, str], Seen] = {}

    def keep(self, number: int, event: JournalEvent) -> None:
        key = (event.node, event.name, repr(event.facts))
        before = self._kept.pop(key, None)
        self._kept[key] = Seen(number, event, 1 if before is None else before.times + 1)
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def __iter__(self) -> Iterator[Seen]:
        return iter(self._kept.values())


class LastEvents:
    """A journal's subscriber: the last events of all, of each node, and of what went wrong."""

    def __init__(self, began_at: int = 0) -> None:
        self.began_at = began_at
        """Nanoseconds since 1970 from which lines count; 0: from the first event."""
        self.waits = ""
        """What the barrier has last said."""
        self._number = 0
        self._of_all = Latest(OF_ALL_MAX)
        self._of_trouble = Latest(OF_TROUBLE_MAX)
        self._of_node: dict[str, Latest] = {}

    def __call__(self, event: JournalEvent) -> None:
        self._number += 1
        self.began_at = self.began_at or event.at
        if event.name == "barrier.waits":
            self.waits = str(event.facts.get("says", ""))
        elif not event.is_detail and event.name not in SAMPLES:
            self._keep(event)

    def _keep(self, event: JournalEvent) -> None:
        of_node = self._of_node.setdefault(event.node, Latest(OF_THE_NODE_MAX))
        for latest in (self._of_all, of_node):
            latest.keep(self._number, event)
        if event.name.startswith(TROUBLE):
            self._of_trouble.keep(self._number, event)

    def lines(self, node: str) -> tuple[str, ...]:
        """What a person reads: the last of all, of this node and of trouble, in order."""
        of_node = self._of_node.get(node, Latest(0))
        found = {seen.number: seen for part in (self._of_all, of_node, self._of_trouble)
                 for seen in part}  # fmt: skip
        in_order = sorted(found.values(), key=lambda seen: (seen.event.at, seen.number))
        return tuple(seen.as_line(self.began_at) for seen in in_order)


class LedThere(NamedTuple):
    """Lines for people, and what the coordinator waited for; either may be empty."""

    lines: tuple[str, ...]
    waits: str


def what_led_there(verdict: Verdict) -> LedThere:
    """Of a failure in any mode."""
    if verdict.mode != "simulation" or not verdict.moments:
        return LedThere(verdict.led_there, verdict.explanation)
    last = LastEvents(WALL_NS)
    run_simulated(
        verdict.scenario, verdict.seed, crash_at=verdict.crash_at, journal_to=last, details=True
    )
    node = verdict.failure.node if verdict.failure else ""
    return LedThere(last.lines(node), verdict.explanation or last.waits)
