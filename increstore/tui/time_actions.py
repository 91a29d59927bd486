"""Keys that move in time: of the world (pause, step, speed, fork), of the view (freeze, scrub)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from increstore.tui.playback import seam

if TYPE_CHECKING:
    from increstore.tui.app import WatchApp

SPEED_LEAST, SPEED_MOST = 1 / 1024, 1024.0


class TimeActions:
    """Mixed into the app."""

    def action_toggle_pause(self) -> None:
        """Pause the world, or let it go on. In the past: go on from there, if the source can."""
        app = cast("WatchApp", self)
        index = app.history_index
        if index is not None:
            app.look_at(None)
            if "seek" not in app.playback.can:
                return  # The present goes on by itself.
            app.tell(seam.Seek(index=index))
            app.tell(seam.Resume())
            return
        paused = app.playback.status.state in ("paused", "ended")
        app.tell(seam.Resume() if paused else seam.Pause())

    def action_step(self, what: Literal["event", "notification", "incremental"]) -> None:
        """Let the world go on to the next thing, and stand still there."""
        app = cast("WatchApp", self)
        app.look_at(None)
        app.tell(seam.Step(what))

    def action_faster(self) -> None:
        self._speed(2.0)

    def action_slower(self) -> None:
        self._speed(0.5)

    def _speed(self, factor: float) -> None:
        app = cast("WatchApp", self)
        speed = app.playback.status.speed
        wanted = SPEED_MOST if speed == seam.FLAT_OUT else speed * factor
        if wanted > SPEED_MOST:
            wanted = seam.FLAT_OUT
        app.tell(seam.Speed(max(wanted, SPEED_LEAST)))

    def action_normal_speed(self) -> None:
        cast("WatchApp", self).tell(seam.Speed(1.0))

    def action_flat_out(self) -> None:
        cast("WatchApp", self).tell(seam.Speed(seam.FLAT_OUT))

    # --- The view alone.

    def action_toggle_freeze(self) -> None:
        """Keep painting this moment while the world goes on; or the present again."""
        app = cast("WatchApp", self)
        app.look_at(len(app.history) if app.history_index is None else None)

    def action_scrub(self, events: int) -> None:
        """So many events back or forward; forward from the end is the present."""
        app = cast("WatchApp", self)
        wanted = app.shown_events + events
        app.look_at(None if wanted >= len(app.history) and events > 0 else wanted)

    def action_scrub_to(self, where: Literal["start", "end", "next", "previous"]) -> None:
        """To the start, the present, or the next or previous trouble."""
        app = cast("WatchApp", self)
        if where in ("start", "end"):
            app.look_at(1 if where == "start" else None)
            return
        here = app.shown_events - 1
        history = app.history
        mark = history.next_trouble(here) if where == "next" else history.previous_trouble(here)
        if mark is None:
            app.notify(f"no {where} trouble", timeout=3)
        else:
            app.look_at(mark + 1)

    def action_go_to(self) -> None:
        """Ask for a moment: seconds since the start, or `#` and an event's number."""
        from increstore.tui.screens.prompt import Prompt

        app = cast("WatchApp", self)
        app.push_screen(
            Prompt("go to", "12.5 (seconds) or #1200 (event)"),
            lambda typed: self._go_to(typed) if typed else None,
        )

    def _go_to(self, typed: str) -> None:
        app = cast("WatchApp", self)
        try:
            if typed.startswith("#"):
                index = int(typed[1:])
            else:
                at = app.history.live.started_at + round(float(typed) * 1e9)
                index = app.history.count_at(at)
        except (ValueError, OverflowError):  # The latter is for `inf`.
            app.notify(f"expected seconds such as 12.5, or an event such as #1200, got {typed!r}",
                       severity="warning")  # fmt: skip
            return
        app.look_at(index)

    def action_fork(self) -> None:
        """From the moment that is shown the world goes on otherwise."""
        app = cast("WatchApp", self)
        index = app.history_index
        if app.tell(seam.Fork(index)).is_done:
            app.look_at(None)
