"""The overview: the chain, what the barrier waits for, every shard, faults, and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical

from increstore.tui.keys import bindings
from increstore.tui.screens.base import WatchScreen
from increstore.tui.widgets.barrier_line import BarrierLine
from increstore.tui.widgets.chain_bar import ChainBar
from increstore.tui.widgets.event_log import EventLog
from increstore.tui.widgets.fault_strip import FaultStrip
from increstore.tui.widgets.shard_grid import ShardGrid
from increstore.tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class OverviewScreen(WatchScreen):
    """Where the dashboard begins."""

    NAME = "overview"
    AUTO_FOCUS = "#sources"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("overview")]

    def compose(self) -> ComposeResult:
        yield TitleBar(id="title")
        yield ChainBar(id="chain")
        yield BarrierLine(id="barrier")
        with Horizontal(id="middle"):
            with Vertical(id="shards"):
                yield ShardGrid("source", id="sources")
                yield ShardGrid("target", id="targets")
            yield FaultStrip(id="faults")
        yield EventLog(id="log")
        yield from self.bottom()

    def on_shard_grid_selected(self, message: ShardGrid.Selected) -> None:
        self.dashboard.selection = message.shard
        self.repaint()
        if message.is_opened:
            self.action_drill()

    def action_drill(self) -> None:
        """Look closer at the selected shard."""
        from increstore.tui.screens.shard import ShardScreen

        if self.dashboard.selection is None:
            self.notify("select a shard first: arrow keys, or a click", timeout=3)
            return
        self.app.push_screen(ShardScreen(self.dashboard.selection))
