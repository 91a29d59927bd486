"""The dashboard: one tick that drains the source, and screens that paint a view of it.

Rules of this file:
- The world and the view are two things. `playback` is the world: pausing it stops what happens.
  `view` is what is painted: it may stand still, or be one of the past, while the world goes on.
- Widgets never read the source; they are given a view by `refresh_from`, and only when it is
  another one than before.
- However it ends, the source is told (`stop`), and the terminal is given back before anything is
  printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import App

from increstore.errors import ExitCode, IncrestoreError
from increstore.tui.fault_actions import FaultActions
from increstore.tui.keys import bindings
from increstore.tui.theme import DARK, LIGHT
from increstore.tui.time_actions import TimeActions
from increstore.tui.view_actions import ViewActions
from increstore.view.filters import EventFilter

if TYPE_CHECKING:
    from textual.binding import BindingType

    from increstore.tui.playback.seam import Command as PlaybackCommand
    from increstore.tui.playback.seam import CommandResult, Playback
    from increstore.view.cluster import ClusterView
    from increstore.view.history import History

TICKS_A_SECOND = 20


class WatchApp(TimeActions, ViewActions, FaultActions, App[int]):
    """Shows one source until the person leaves. Returns the exit code."""

    CSS_PATH = "watch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (160, "-huge")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]  # noqa: RUF012

    def __init__(
        self,
        playback: Playback,
        *,
        is_ascii: bool = False,
        theme: str = "dark",
        has_colour: bool = True,
        ticks: bool = True,
    ) -> None:
        """`ticks` False: nothing happens but by `tick()`, as tests want it."""
        super().__init__()
        self.playback = playback
        self.is_ascii = is_ascii
        self.has_colour = has_colour
        self.selection: str | None = None
        """The shard that is selected, by name."""
        self.selected_incremental: int | None = None
        """The incremental that is looked at; None: the one that runs."""
        self.selected_fault: str | None = None
        self.event_filter = EventFilter()
        self.follows_tail = True
        self.is_frozen = False
        """The view stands still (at `history_index`) while the world goes on."""
        self.history_index: int | None = None
        """How many events the painted view has seen; None: all of them, live."""
        self._past: tuple[int, ClusterView] | None = None
        self._painted: tuple[object, ...] | None = None
        self._ticks = ticks
        self._first_theme = theme
        self._is_stopped = False

    # --- What is painted.

    @property
    def history(self) -> History:
        return self.playback.history()

    @property
    def view(self) -> ClusterView:
        """The view to be painted: live, or that of the moment looked at."""
        if self.history_index is None:
            return self.history.live
        if self._past is None or self._past[0] != self.history_index:
            self._past = (self.history_index, self.history.view_at(self.history_index))
        return self._past[1]

    @property
    def shown_events(self) -> int:
        """How many events the painted view has seen."""
        return len(self.history) if self.history_index is None else self.history_index

    def look_at(self, index: int | None) -> None:
        """Paint the moment after so many events; None: live again."""
        total = len(self.history)
        self.history_index = None if index is None else min(max(index, 0), total)
        self.is_frozen = self.history_index is not None
        self._painted = None
        self.paint()

    def set_filter(self, text: str) -> None:
        """Show only events that match."""
        self.event_filter = EventFilter(text)
        self.repaint()

    def repaint(self) -> None:
        """Paint the screen anew: what is looked at, or how, has changed."""
        self._painted = None
        again = getattr(self.screen, "repaint", None)
        if again is not None:
            again()

    def screen_as_text(self) -> str:
        """What is on the screen, as lines of text."""
        strips = self.screen._compositor.render_strips()
        return "".join(f"{strip.text.rstrip()}\n" for strip in strips)

    # --- Life.

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if self._first_theme == "light" else DARK.name
        self._hear_signals()
        from increstore.tui.screens.overview import OverviewScreen

        self.push_screen(OverviewScreen())
        self.playback.start()
        if self._ticks:
            self.set_interval(1 / TICKS_A_SECOND, self.tick)

    def _hear_signals(self) -> None:
        """Without this Textual leaves the terminal as it is when it is told to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Not the main thread, as in some tests: then nobody signals us either.
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self._leave_after_signal, number)

    def _leave_after_signal(self, number: int) -> None:
        self.leave(128 + number)

    def leave(self, code: int) -> None:
        """Tell the source, and end with this exit code."""
        if not self._is_stopped:
            self._is_stopped = True
            try:
                self.playback.stop()
            except IncrestoreError as error:
                code = code or int(error.exit_code)
                self.exit(code, return_code=code, message=f"error: {error}")
                return
        self.exit(code, return_code=code)

    def action_quit_watch(self) -> None:
        self.leave(ExitCode.DONE)

    # --- The tick.

    def tick(self) -> None:
        """Take what has happened, and paint what has changed."""
        if self._is_stopped:
            return
        self.playback.drain()
        self.paint()

    def paint(self) -> None:
        """Give the screen the view, unless it has it already."""
        refresh_from = getattr(self.screen, "refresh_from", None)
        if refresh_from is None:
            return
        view = self.view
        now = (id(view), view.version, view.events, self.playback.status)
        if now != self._painted:
            self._painted = now
            refresh_from(view)
            view.dirty.clear()

    def tell(self, command: PlaybackCommand) -> CommandResult:
        """Give the source a command, and say what came of it."""
        result = self.playback.command(command)
        if result.says:
            severity: Literal["information", "warning"] = (
                "information" if result.is_done else "warning"
            )
            self.notify(result.says, severity=severity, timeout=4)
        return result
