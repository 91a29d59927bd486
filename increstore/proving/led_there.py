"""What led to a failure: the run again, with its journal, and the events that matter of it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from increstore.proving.simulated import run_simulated

if TYPE_CHECKING:
    from increstore.journal import JournalEvent
    from increstore.proving.verdict import Verdict

OF_THE_NODE_MAX = 10
OF_ALL_MAX = 14


def events_that_led_there(verdict: Verdict) -> list[JournalEvent]:
    """The last events of the node where it was seen, and the last of all, in order.

    The run is made again: it is the same run, so only a failing one ever pays for a journal.
    """
    assert verdict.mode == "simulation"
    node = verdict.failure.node if verdict.failure else ""
    of_all: deque[tuple[int, JournalEvent]] = deque(maxlen=OF_ALL_MAX)
    of_node: deque[tuple[int, JournalEvent]] = deque(maxlen=OF_THE_NODE_MAX)
    number = 0

    def keep(event: JournalEvent) -> None:
        nonlocal number
        number += 1
        of_all.append((number, event))
        if event.node == node:
            of_node.append((number, event))

    run_simulated(verdict.scenario, verdict.seed, crash_at=verdict.crash_at, journal_to=keep)
    return [event for _, event in sorted({**dict(of_node), **dict(of_all)}.items())]
