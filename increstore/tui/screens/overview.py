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
        yield FaultStrip(id="faults-line")
        yield EventLog(id="log")
        yield from self.bottom()

    def on_shard_grid_selected(self, message: ShardGrid.Selected) -> None:
        self.dashboard.selection = message.shard
        self.repaint()
        if message.is_opened:
            self.action_drill()

    def on_fault_strip_chosen(self, message: FaultStrip.Chosen) -> None:
        self.dashboard.selected_fault = message.fault
        self.repaint()

    def on_chain_bar_chosen(self, message: ChainBar.Chosen) -> None:
        self.dashboard.selected_incremental = message.incremental
        self.dashboard.action_go("incremental")

    def on_event_log_chosen(self, message: EventLog.Chosen) -> None:
        """What is clicked is selected; what is clicked twice is looked at."""
        if message.node in self.dashboard.view.shards:
            self.dashboard.selection = message.node
            self.repaint()
        if message.is_opened:
            self.dashboard.look_at(message.index + 1)

    def action_drill(self) -> None:
        """Look closer at the selected shard; at the one that is waited for when none is."""
        from increstore.tui.screens.shard import ShardScreen

        name = self.dashboard.selection or self._sorriest()
        if name is None:
            self.notify("no shard is known yet", timeout=3)
            return
        self.dashboard.selection = name
        self.app.push_screen(ShardScreen(name))

    def _sorriest(self) -> str | None:
        """The shard that a person would look at first."""
        view = self.dashboard.view
        for shard in view.unnotified:
            return shard.name
        for waiter in view.barrier.waiters if view.barrier is not None else ():
            if waiter.get("shard") in view.shards:
                return str(waiter["shard"])
        return next((shard.name for shard in view.sources), None)
