"""One shard: its state, its streams and attempts, and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.tui.screens.base import WatchScreen
from increstore.tui.widgets.event_log import EventLog
from increstore.tui.widgets.fact_sheet import FactSheet
from increstore.tui.widgets.facts import shard_facts
from increstore.tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from increstore.tui.widgets.painting import Brush, Part
    from increstore.view.cluster import ClusterView


class ShardScreen(WatchScreen):
    """Drill-down from the overview."""

    NAME = "shard"

    def __init__(self, shard: str) -> None:
        super().__init__()
        self._shard = shard

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield FactSheet(self._facts, id="facts")
        yield EventLog(node=self._shard)
        yield from self.bottom()

    def _facts(self, brush: Brush, view: ClusterView) -> list[list[Part]]:
        shard = view.shards.get(self._shard)
        if shard is None:
            return [[(f" {self._shard} is not known at this moment", brush.role("calm"))]]
        return shard_facts(brush, view, shard)

    def on_mount(self) -> None:
        self.query_one("#facts").focus()
