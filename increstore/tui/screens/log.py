"""The log over the whole screen; of one shard when one is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.tui.screens.base import WatchScreen
from increstore.tui.widgets.event_log import EventLog
from increstore.tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from textual.app import ComposeResult


class LogScreen(WatchScreen):
    """Every event that passes the filter."""

    NAME = "log"

    def __init__(self, shard: str = "") -> None:
        super().__init__()
        self._shard = shard

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield EventLog(node=self._shard)
        yield from self.bottom()

    def on_mount(self) -> None:
        self.query_one(EventLog).focus()
