"""A run as lines of plain text: one fact a line, for screen readers, logs and pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.view.glyphs import look_of

if TYPE_CHECKING:
    from increstore.journal import JournalEvent
    from increstore.view.cluster import ClusterView

SAMPLES = frozenset(
    {
        "scan.progress", "changes.applied", "batch.applied", "page.read", "message.sent",
        "message.received", "barrier.waits", "completion.received", "scan.asked",
    }
)  # fmt: skip
"""Events that are too many, and say too little, to be read out one by one."""


class PlainLines:
    """Turns events into the lines worth reading; the view says what has changed by them."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._states: dict[str, str] = {}
        self._barrier = ""

    def lines_of(self, event: JournalEvent) -> list[str]:
        """The lines for an event that the view has just taken in."""
        view = self._view
        lines = [] if event.name in SAMPLES else [event.as_line(view.started_at)]
        for name in view.dirty:
            shard = view.shards[name]
            if shard.state == "unnotified" and self._states.get(name) != "unnotified":
                when = (event.at - view.started_at) / 1e9
                lines.append(
                    f"{when:9.3f}  {name}  {look_of(shard.state).word}: the scan of incremental "
                    f"{shard.incremental} has ended, and the coordinator has no report of it"
                )
            self._states[name] = shard.state
        view.dirty.clear()
        if view.barrier is not None and view.barrier.says != self._barrier:
            self._barrier = view.barrier.says
            when = (view.barrier.at - view.started_at) / 1e9
            lines.append(f"{when:9.3f}  coordinator  {view.barrier.says}")
        return lines


def summary(view: ClusterView) -> str:
    """How it stands, in one line."""
    done = sum(one.state == "done" for one in view.incrementals)
    total = max(len(view.incrementals), 1)
    reason = f": {view.reason}" if view.reason else ""
    return (
        f"{view.state}{reason}; {done} of {total} backups applied, {view.rows_applied:,} rows, "
        f"{view.elapsed_ns / 1e9:.1f} s, {view.events:,} events"
    )
