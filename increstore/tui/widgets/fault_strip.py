"""Faults: what is injected now, what has struck, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from increstore.tui.widgets.painting import Brush, Lines, Part, seconds, watch_app

if TYPE_CHECKING:
    from increstore.view.cluster import ClusterView
    from increstore.view.shards import FaultView


class FaultStrip(Lines):
    """The newest faults, active ones first, one a line."""

    def refresh_from(self, view: ClusterView) -> None:
        brush, app = Brush(self), watch_app(self)
        faults = sorted(view.faults.values(), key=lambda f: (f.state != "active", -f.at))
        active = sum(fault.state == "active" for fault in faults)
        self.border_title = f"faults {active} active, {len(faults) - active} over"
        lines = [
            self._line(brush, view, fault, fault.id == app.selected_fault)
            for fault in faults[: self.size.height or 1]
        ]
        if not lines:
            hint = "f injects one" if "inject" in app.playback.can else "none so far"
            lines = [[(f" {hint}", brush.role("calm"))]]
        self.show(lines)

    def _line(
        self, brush: Brush, view: ClusterView, fault: FaultView, is_selected: bool
    ) -> list[Part]:
        role = "bad" if fault.state == "active" else "calm"
        hits = f" x{fault.hits}" if fault.hits > 1 else ""
        ended = fault.ended_at if fault.ended_at is not None else view.now
        return [
            (" ! " if fault.state == "active" else " - ", brush.role(role)),
            (fault.id, Style(bold=is_selected, reverse=is_selected)),
            (f" {fault.kind} {fault.where}{hits}", Style.null()),
            (f" {fault.detail}" if fault.detail else "", brush.role("calm")),
            (f" {fault.state}, {seconds(max(0, ended - fault.at))}", brush.role("calm")),
        ]
