"""What everybody waits for: scans that ended unheard, then the coordinator's own words."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.style import Style

from increstore.tui.widgets.painting import Brush, Lines, Part, seconds

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView

GRACE_NS = 200_000_000
"""A report is on its way for a moment in any run; longer than this it is missed."""
NAMED_MAX = 3


class BarrierLine(Lines):
    """Two or three lines: the alarm when there is one, and the sentence."""

    def refresh_from(self, view: ClusterView) -> None:
        brush = Brush(self)
        lines = [*self._alarm(view, brush)]
        words = self._words(view)
        width = max(self.size.width - 2, 20)
        room = max(1, 3 - len(lines))
        lines += [[(f" {line}", Style.null())] for line in wrap(words, width)[:room]]
        self.show(lines)

    def _alarm(self, view: ClusterView, brush: Brush) -> list[list[Part]]:
        """Shards whose scan has ended while the coordinator knows nothing of it."""
        missed = [shard for shard in view.unnotified if view.now - shard.since >= GRACE_NS]
        if not missed or view.state in ("completed", "cancelled"):
            return []
        named = ", ".join(
            f"{shard.name} for {seconds(view.now - shard.since)}" for shard in missed[:NAMED_MAX]
        )
        more = f" and {len(missed) - NAMED_MAX} more" if len(missed) > NAMED_MAX else ""
        glyph, _ = brush.state("unnotified")
        text = f" {glyph} scan ended, coordinator not notified: {named}{more} "
        return [[(text, brush.role("alarm"))]]

    def _words(self, view: ClusterView) -> str:
        if view.state in ("completed", "failed", "paused", "cancelled"):
            return f"{view.state}: {view.reason}" if view.reason else f"the restore is {view.state}"
        if view.barrier is not None:
            return view.barrier.says
        return "nothing is awaited yet"
