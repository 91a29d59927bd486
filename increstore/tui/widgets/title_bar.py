"""The top line: what is shown, how it goes, how fast, and where in time the view is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from increstore.tui.playback.seam import FLAT_OUT
from increstore.tui.widgets.painting import Brush, Lines, Part, seconds, watch_app
from increstore.tui.widgets.rates import Rates, left_ns, short, stuck_ns

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView

BOLD = Style(bold=True)
TITLE_LEAST = 16
"""The title is cut to so many cells before anything else is left out."""
NAME = " increstore  "


class TitleBar(Lines):
    """`increstore  lost_notification | LIVE x1 | 12.4 s | > running | seed 7 | 340 rows/s`."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._rates = Rates()

    def refresh_from(self, view: ClusterView) -> None:
        brush, app = Brush(self), watch_app(self)
        title = app.playback.title or view.title
        shown = self._must(view, brush)
        room = self.size.width - _width(shown) - 1
        for part in self._may(view, brush):
            if len(part[0]) + 3 <= room - min(len(title), TITLE_LEAST):
                shown.append(part)
                room -= len(part[0]) + 3
        name = NAME if len(NAME) + len(title) <= room else " "
        head = [(name, BOLD), (_cut(title, room - len(name), is_ascii=brush.is_ascii), BOLD)]
        bar = (" | ", brush.role("calm"))
        self.show([[*head, *[piece for part in shown for piece in (bar, part)]]])

    def _must(self, view: ClusterView, brush: Brush) -> list[Part]:
        """What is always told."""
        app = watch_app(self)
        is_past = app.history_index is not None
        elapsed = max(0, app.now_ns - view.started_at) if view.started_at else 0
        glyph, style = brush.state(view.state)
        parts = [
            self._pace(brush),
            (seconds(elapsed), Style.null()),
            (f"{glyph} {view.state}", style),
        ]
        still = stuck_ns(view, app.now_ns)
        # One that is paused or out of reach says so already.
        if still is not None and (is_past or app.playback.status.state == "running"):
            parts.append((f"no rows for {seconds(still)}", brush.role("wait")))
        if missing := app.playback.status.dropped + view.gaps:
            parts.append((f"{missing} events left out", brush.role("bad")))
        return parts

    def _may(self, view: ClusterView, brush: Brush) -> list[Part]:
        """What is told while there is room, the most useful first."""
        app = watch_app(self)
        now = app.now_ns
        events, rows = self._rates.look(view, now)
        status = app.playback.status
        is_moving = status.state == "running" and app.history_index is None
        left = left_ns(view, now) if is_moving else None
        told = [
            f"~{seconds(left)} left" if left is not None else "",
            f"seed {view.seed}" if view.seed is not None else "",
            f"{short(rows)} rows/s" if view.state == "running" else "",
            f"{status.viewers} watching" if status.viewers else "",
            f"{short(events)} ev/s" if view.state == "running" else "",
            "" if status.is_repeatable or view.seed is None else "not repeatable",
        ]
        return [(text, brush.role("calm")) for text in told if text]

    def _pace(self, brush: Brush) -> Part:
        """Present or past, running or not, and how fast."""
        app = watch_app(self)
        status = app.playback.status
        if app.history_index is not None:
            behind = max(0, app.history.live.now - app.view.now)
            return (f"PAST -{seconds(behind)}", brush.role("alarm"))
        speed = "flat out" if status.speed == FLAT_OUT else f"x{status.speed:g}"
        is_replay = "seek" in app.playback.can and "inject" not in app.playback.can
        words = {
            "running": (f"{'REPLAY' if is_replay else 'LIVE'} {speed}", "good"),
            "paused": (f"PAUSED {speed}", "wait"),
            "ended": ("ENDED", "calm"),
            "lost": ("LOST, trying again", "bad"),
            "failed": ("FAILED", "bad"),
            "connecting": ("CONNECTING", "wait"),
            "seeking": ("SEEKING", "wait"),
        }
        word, role = words[status.state]
        return (word, brush.role(role))


def _width(parts: list[Part]) -> int:
    return sum(len(text) + 3 for text, _ in parts)


def _cut(text: str, room: int, *, is_ascii: bool) -> str:
    """As much of it as there is room for."""
    if len(text) <= room:
        return text
    return text[: max(room - 1, 0)].rstrip() + ("~" if is_ascii else "…")
