"""Messages as a space-time diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from increstore.tui.screens.base import WatchScreen
from increstore.tui.widgets.space_time import SpaceTime
from increstore.tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class MessagesScreen(WatchScreen):
    """Who said what to whom; of the selected shard when one is selected."""

    NAME = "messages"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "collapse", "Collapse", tooltip="only what was lost, late or doubled"),
    ]

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield SpaceTime(id="diagram")
        yield from self.bottom()

    def on_mount(self) -> None:
        self.query_one(SpaceTime).focus()

    def action_collapse(self) -> None:
        """Leave out, or show again, what went well."""
        diagram = self.query_one(SpaceTime)
        diagram.is_collapsed = not diagram.is_collapsed
        self.repaint()
