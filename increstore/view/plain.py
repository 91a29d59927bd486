"""A run as lines of plain text: one fact a line, for screen readers, logs and pipes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from increstore.journal import JOURNAL_OPENED
from increstore.view.glyphs import look_of

if TYPE_CHECKING:
    from increstore.journal import JournalEvent
    from increstore.view.cluster import ClusterView

SAMPLES = frozenset(
    {
        "barrier.waits", "batch.applied", "changes.applied", "completion.received",
        "history.recovered", "life.began", "message.lost", "message.received", "message.sent",
        "page.read", "restore.planned", "scan.asked", "scan.progress", "shard.recovered",
        "tables.published",
    }
)  # fmt: skip
"""Events that are too many, and say too little, to be read out one by one."""


PATIENCE_NS = 300_000_000
"""A report may be on its way for so long before its absence is told."""


class PlainLines:
    """Turns events into the lines worth reading; the view says what has changed by them."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._missing: dict[str, bool] = {}
        """Shards whose report is missing, and whether that has been told."""
        self._barrier = ""

    def lines_of(self, event: JournalEvent) -> list[str]:
        """The lines for an event that the view has just taken in."""
        view = self._view
        lines = [] if event.name in SAMPLES else [self._line(event)]
        for name in view.dirty:
            if view.shards[name].state == "unnotified":
                self._missing.setdefault(name, False)
            else:
                self._missing.pop(name, None)
        view.dirty.clear()
        lines += self._missing_reports()
        if view.barrier is not None and view.barrier.says != self._barrier:
            self._barrier = view.barrier.says
            lines.append(f"{self._when(view.barrier.at)}  coordinator  {view.barrier.says}")
        return lines

    def _line(self, event: JournalEvent) -> str:
        if event.name == JOURNAL_OPENED:  # The text of its scenario is no fact for one line.
            facts = {name: fact for name, fact in event.facts.items() if name != "text"}
            event = replace(event, facts=facts)
        return event.as_line(self._view.started_at)

    def _missing_reports(self) -> list[str]:
        lines = []
        for name, is_told in self._missing.items():
            shard = self._view.shards[name]
            if not is_told and self._view.now - shard.since >= PATIENCE_NS:
                self._missing[name] = True
                lines.append(
                    f"{self._when(self._view.now)}  {name}  {look_of(shard.state).word}: the scan "
                    f"of incremental {shard.incremental} has ended, and the coordinator has no "
                    "report of it"
                )
        return lines

    def _when(self, at: int) -> str:
        return f"{(at - self._view.started_at) / 1e9:9.3f}"


def summary(view: ClusterView) -> str:
    """How it stands, in one line."""
    done = sum(one.state == "done" for one in view.incrementals)
    total = max(len(view.incrementals), 1)
    reason = f": {view.reason}" if view.reason else ""
    return (
        f"{view.state}{reason}; {done} of {total} backups applied, {view.rows_applied:,} rows, "
        f"{view.elapsed_ns / 1e9:.1f} s, {view.events:,} events"
    )
