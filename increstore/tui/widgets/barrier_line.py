"""What everybody waits for: scans that ended unheard, then the coordinator's own words."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.style import Style

from increstore.protocol.topology import COORDINATOR
from increstore.tui.widgets.painting import GRACE_NS, Brush, Lines, Part, seconds, watch_app
from increstore.view.cluster import DOWN
from increstore.view.glyphs import look_of

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView

NAMED_MAX = 3
OVER = ("completed", "failed", "paused", "cancelled", "refused")
ANSWERED = ("reported", "sealed", "finalized")
"""The sentence may be older than the answer."""


class BarrierLine(Lines):
    """The alarms when there are any, and the sentence, wrapped into what room is left."""

    def refresh_from(self, view: ClusterView) -> None:
        brush = Brush(self)
        lines = [*self._failure(brush), *self._coordinator(view, brush), *self._alarm(view, brush)]
        room = max(1, self.size.height - len(lines))
        width = max(self.size.width - 2, 20)
        placeholder = " .." if brush.is_ascii else " …"
        words = wrap(self._words(view), width, max_lines=room, placeholder=placeholder)
        lines += [[(f" {line}", Style.null())] for line in words]
        self.show([*lines, *self._awaited(view, brush)])

    def _failure(self, brush: Brush) -> list[list[Part]]:
        """What the source failed with, or why it is out of reach."""
        status = watch_app(self).playback.status
        if not status.error:
            return []
        word = "failed" if status.state == "failed" else status.state
        return [[(f" ! {word}: {status.error} ", brush.role("bad"))]]

    def _coordinator(self, view: ClusterView, brush: Brush) -> list[list[Part]]:
        """A coordinator that is down: nobody steps through the chain."""
        found = view.shards.get(COORDINATOR)
        if found is None or found.state not in (*DOWN, "broken"):
            return []
        glyph, style = brush.state(found.state)
        since = seconds(max(0, watch_app(self).now_ns - found.since))
        return [[(f" {glyph} coordinator {look_of(found.state).word} for {since} ", style)]]

    def _alarm(self, view: ClusterView, brush: Brush) -> list[list[Part]]:
        """Shards whose scan has ended while the coordinator knows nothing of it."""
        now = watch_app(self).now_ns
        missed = [shard for shard in view.unnotified if now - shard.since >= GRACE_NS]
        if not missed or view.state in ("completed", "cancelled"):
            return []
        named = ", ".join(
            f"{shard.name} for {seconds(now - shard.since)}" for shard in missed[:NAMED_MAX]
        )
        more = f" and {len(missed) - NAMED_MAX} more" if len(missed) > NAMED_MAX else ""
        glyph, _ = brush.state("unnotified")
        text = f" {glyph} scan ended, coordinator not notified: {named}{more} "
        return [[(text, brush.role("alarm"))]]

    def _awaited(self, view: ClusterView, brush: Brush) -> list[list[Part]]:
        """Who is waited for and in which state, for where there is room below the sentence."""
        if view.barrier is None or view.state in OVER:
            return []
        parts: list[Part] = [(" awaited:", brush.role("calm"))]
        room = self.size.width - len(parts[0][0])
        for waiter in view.barrier.waiters:
            shard = view.shards.get(str(waiter.get("shard", "")))
            if shard is None or shard.state in ANSWERED:
                continue
            if len(shard.name) + 4 <= room:
                parts += [("  ", Style.null()), brush.shard(shard, watch_app(self).now_ns)]
                parts.append((f" {shard.name}", Style.null()))
                room -= len(shard.name) + 4
        return [parts] if len(parts) > 1 else []

    def _words(self, view: ClusterView) -> str:
        app = watch_app(self)
        if app.history_index is None and app.playback.status.outcome:
            return app.playback.status.outcome
        if view.state in OVER:
            return f"{view.state}: {view.reason}" if view.reason else f"the restore is {view.state}"
        if view.barrier is not None:
            return view.barrier.says
        return "nothing is awaited yet"
