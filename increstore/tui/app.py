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

from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import App

from increstore.errors import ExitCode
from increstore.tui.endings import Endings
from increstore.tui.fault_actions import FaultActions
from increstore.tui.keys import bindings
from increstore.tui.look import put_on
from increstore.tui.palette import Palette
from increstore.tui.pictures import without_fonts
from increstore.tui.playback import seam
from increstore.tui.time_actions import TimeActions
from increstore.tui.view_actions import ViewActions
from increstore.view.filters import EventFilter

if TYPE_CHECKING:
    from textual.binding import BindingType

    from increstore.tui.playback.seam import Command as PlaybackCommand
    from increstore.tui.playback.seam import CommandResult, Playback
    from increstore.view.cluster import ClusterView
    from increstore.view.history import History

TICKS_A_SECOND = 24
"""More than the 20 frames that are wanted: a tick that comes late is not made up for."""


class WatchApp(Endings, Palette, TimeActions, ViewActions, FaultActions, App[object]):
    """Shows one source until the person leaves; `return_code` is the exit code."""

    TITLE = "increstore"
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
        can_go_back: bool = False,
    ) -> None:
        """`ticks` False: nothing happens but by `tick()`, as tests want it.

        `can_go_back`: whoever opened the app has a list of scenarios to go back to.
        """
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
        self.history_index: int | None = None
        """How many events the painted view has seen, while the world goes on; None: all, live."""
        self._past: tuple[int, ClusterView] | None = None
        self._painted: tuple[object, ...] | None = None
        self._ticks = ticks
        self._first_theme = theme
        self._can_go_back = can_go_back
        self.goes_back = False
        """Whether the person left to choose another scenario."""

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
    def now_ns(self) -> int:
        """The time of what is painted: between two events the clock of the source goes on."""
        if self.history_index is None:
            return max(self.view.now, self.playback.status.now_ns)
        return self.view.now

    @property
    def shown_events(self) -> int:
        """How many events the painted view has seen."""
        return len(self.history) if self.history_index is None else self.history_index

    def look_at(self, index: int | None) -> None:
        """Paint the moment after so many events; None: live again."""
        total = len(self.history)
        self.history_index = None if index is None else min(max(index, 0), total)
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

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as a picture (SVG)."""
        return without_fonts(super().export_screenshot(title=title, simplify=simplify))

    def screen_as_text(self) -> str:
        """What is on the screen, as lines of text."""
        strips = self.screen._compositor.render_strips()
        return "".join(f"{strip.text.rstrip()}\n" for strip in strips)

    # --- Life.

    def on_mount(self) -> None:
        put_on(self, self._first_theme, is_ascii=self.is_ascii)
        self.hear_signals()
        from increstore.tui.screens.overview import OverviewScreen

        self.push_screen(OverviewScreen())
        try:
            self.playback.start()
        except Exception as error:
            self.fail(error)
            return
        if self._ticks:
            self.set_interval(1 / TICKS_A_SECOND, self.tick)

    def begin_leaving(self) -> None:
        if isinstance(self.playback, seam.EndsSlowly):
            self.playback.begin_to_stop()

    def has_ended(self) -> bool:
        return not isinstance(self.playback, seam.EndsSlowly) or self.playback.has_stopped

    def show_leaving(self, waited_s: float) -> None:
        from increstore.tui.screens.leaving import LeavingScreen

        if not isinstance(self.screen, LeavingScreen):
            self.push_screen(LeavingScreen(self.history.live))
        else:
            self.screen.tell(self.history.live, waited_s)

    def on_leaving(self) -> None:
        """Tell the source, whatever has been told before."""
        if self.is_abandoned and isinstance(self.playback, seam.EndsSlowly):
            self.playback.abandon()
        try:
            self.playback.stop()
        except Exception as error:
            self.failure = self.failure or error

    def action_quit_watch(self) -> None:
        """Leave: once what was started here has ended; pressed again: at once."""
        self.leave(ExitCode.DONE)

    def action_go_back(self) -> None:
        """Leave this run, and choose another one."""
        if not self._can_go_back:
            self.notify("there is no list to go back to: `increstore watch` shows one", timeout=4)
            return
        self.goes_back = True
        self.leave(ExitCode.DONE)

    # --- The tick.

    def tick(self) -> None:
        """Take what has happened, and paint what has changed."""
        if self._has_left:
            return
        try:
            self.playback.drain()
        except Exception as error:
            self.fail(error)
            return
        self.paint()
        self.leave_when_ended()

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
