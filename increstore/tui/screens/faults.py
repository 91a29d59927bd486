"""All faults of the run: what is active, what is over, and where each one struck."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual.binding import Binding

from increstore.tui.screens.base import WatchScreen
from increstore.tui.widgets.event_log import EventLog
from increstore.tui.widgets.fact_sheet import FactSheet
from increstore.tui.widgets.painting import seconds
from increstore.tui.widgets.title_bar import TitleBar
from increstore.view.shards import hits_of

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from increstore.tui.widgets.painting import Brush, Part
    from increstore.view.cluster import ClusterView
    from increstore.view.shards import FaultView


class FaultsScreen(WatchScreen):
    """Choose one with the arrows, heal it with x."""

    NAME = "faults"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "other(-1)", "Up", show=False),
        Binding("down,j", "other(1)", "Down", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield TitleBar()
        yield FactSheet(self._lines, id="facts")
        yield EventLog()
        yield from self.bottom()

    def _ordered(self, view: ClusterView) -> list[FaultView]:
        return sorted(view.faults.values(), key=lambda fault: (fault.state != "active", fault.at))

    def _lines(self, brush: Brush, view: ClusterView) -> list[list[Part]]:
        faults = self._ordered(view)
        if not faults:
            return [[(" no fault so far", brush.role("calm"))]]
        head = f" {'fault':<20}{'kind':<12}{'state':<8}{'since':>9}{'hits':>6}  where, what"
        lines: list[list[Part]] = [[(head, brush.role("calm"))]]
        for fault in faults:
            chosen = fault.id == self.dashboard.selected_fault
            since = seconds(max(0, (fault.ended_at or view.now) - fault.at))
            text = f" {fault.id:<20}{fault.kind:<12}{fault.state:<8}{since:>9}{hits_of(fault):>6}  "
            where = " ".join(filter(None, (fault.where, fault.detail)))
            role = "bad" if fault.state == "active" else "calm"
            lines.append(
                [
                    (text, brush.role(role) + Style(reverse=chosen)),
                    ("; ".join(filter(None, (where, fault.ending))), Style.null()),
                ]
            )
        return lines

    def action_other(self, step: int) -> None:
        """Choose the next fault of the list."""
        names = [fault.id for fault in self._ordered(self.dashboard.view)]
        if not names:
            return
        chosen = self.dashboard.selected_fault
        place = names.index(chosen) + step if chosen in names else 0
        self.dashboard.selected_fault = names[min(max(place, 0), len(names) - 1)]
        self.repaint()

    def on_mount(self) -> None:
        self.query_one("#facts").focus()
