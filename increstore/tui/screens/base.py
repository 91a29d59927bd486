"""What all screens share: they hand each view on to their widgets, and know their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.screen import Screen

from increstore.tui.widgets.key_line import KeyLine
from increstore.tui.widgets.scrubber import Scrubber

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from increstore.tui.app import WatchApp
    from increstore.view.cluster import ClusterView


class WatchScreen(Screen[None]):
    """A screen of the dashboard."""

    NAME: ClassVar = ""
    """Its name in the table of keys."""
    TITLE_TEXT: ClassVar = ""

    @property
    def dashboard(self) -> WatchApp:
        """The app, as the one it is."""
        return cast("WatchApp", self.app)

    def bottom(self) -> ComposeResult:
        """The last rows of every screen: where in time it is, and the keys."""
        yield Scrubber()
        yield KeyLine()

    def refresh_from(self, view: ClusterView) -> None:
        """Give the view to every widget that paints one."""
        for widget in self.query("*"):
            paint = getattr(widget, "refresh_from", None)
            if paint is not None:
                paint(view)

    def on_screen_resume(self) -> None:
        """Another screen was in front: paint what has changed since."""
        self.call_after_refresh(self.repaint)

    def on_resize(self) -> None:
        self.call_after_refresh(self.repaint)

    def on_mount(self) -> None:
        self.bindings_updated_signal.subscribe(self, lambda _: self._paint_keys())

    def _paint_keys(self) -> None:
        """Another widget has the focus: other keys may work."""
        for line in self.query(KeyLine):
            line.refresh_from(self.dashboard.view)

    def repaint(self) -> None:
        """Paint everything anew."""
        view = self.dashboard.view
        view.dirty.update(dict.fromkeys(view.shards))
        self.refresh_from(view)
