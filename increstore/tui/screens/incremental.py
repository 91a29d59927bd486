"""One incremental: who reported, who sealed, and who made everybody wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from increstore.tui.screens.base import WatchScreen
from increstore.tui.widgets.barrier_line import BarrierLine
from increstore.tui.widgets.chain_bar import ChainBar
from increstore.tui.widgets.fact_sheet import FactSheet
from increstore.tui.widgets.facts import incremental_facts
from increstore.tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from increstore.tui.widgets.painting import Brush, Part
    from increstore.view.cluster import ClusterView


class IncrementalScreen(WatchScreen):
    """The incremental that runs, or the one that was chosen with the arrows."""

    NAME = "incremental"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "other(-1)", "Earlier", tooltip="the incremental before"),
        Binding("right", "other(1)", "Later", tooltip="the incremental after"),
    ]

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield ChainBar()
        yield BarrierLine()
        yield FactSheet(self._facts, id="facts")
        yield from self.bottom()

    def _number(self, view: ClusterView) -> int:
        chosen = self.dashboard.selected_incremental
        return max(view.incremental, 0) if chosen is None else chosen

    def _facts(self, brush: Brush, view: ClusterView) -> list[list[Part]]:
        return incremental_facts(brush, view, self._number(view))

    def action_other(self, step: int) -> None:
        """Another incremental; beyond the one that runs it is followed again."""
        view = self.dashboard.view
        wanted = self._number(view) + step
        if 0 <= wanted < len(view.incrementals):
            self.dashboard.selected_incremental = wanted
        self.repaint()

    def on_mount(self) -> None:
        self.query_one("#facts").focus()

    def on_unmount(self) -> None:
        self.dashboard.selected_incremental = None
