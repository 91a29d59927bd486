"""The top line: what is shown, how it goes, and where in time the view is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from increstore.tui.playback.seam import FLAT_OUT
from increstore.tui.widgets.painting import Brush, Lines, Part, seconds, watch_app

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView

BOLD = Style(bold=True)


class TitleBar(Lines):
    """`increstore  lost_notification  seed 7 | LIVE x1 | t 12.4 s | running`."""

    def refresh_from(self, view: ClusterView) -> None:
        brush, app = Brush(self), watch_app(self)
        status = app.playback.status
        seed = f"  seed {view.seed}" if view.seed is not None else ""
        parts: list[Part] = [
            (" increstore  ", BOLD),
            (app.playback.title or view.title, Style.null()),
            (f"{seed} ", brush.role("calm")),
            ("| ", brush.role("calm")),
            *self._pace(brush),
            (f" | t {seconds(view.elapsed_ns)} | ", Style.null()),
            brush.state(view.state),
            (f" {view.state}", brush.role("bad" if view.state == "failed" else "calm")),
        ]
        if status.dropped or view.gaps:
            parts.append((f" | {status.dropped + view.gaps} events left out", brush.role("bad")))
        if status.viewers:
            parts.append((f" | {status.viewers} watching", brush.role("calm")))
        self.show([parts])

    def _pace(self, brush: Brush) -> list[Part]:
        """Live or past, running or not, and how fast."""
        app = watch_app(self)
        status = app.playback.status
        if app.history_index is not None:
            return [(f"PAST, event {app.history_index} of {len(app.history)}", brush.role("alarm"))]
        speed = "flat out" if status.speed == FLAT_OUT else f"x{status.speed:g}"
        words = {
            "running": ("LIVE", "good"),
            "paused": ("PAUSED", "wait"),
            "ended": ("ENDED", "calm"),
            "lost": ("LOST, trying again", "bad"),
            "failed": ("FAILED", "bad"),
            "connecting": ("CONNECTING", "wait"),
            "seeking": ("SEEKING", "wait"),
        }
        word, role = words[status.state]
        pace = f"{word} {speed}" if status.state in ("running", "paused") else word
        return [(pace, brush.role(role))]
