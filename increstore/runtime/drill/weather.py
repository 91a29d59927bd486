"""What a scenario lets happen to nodes, pages and disks without any particular fault.

Rules of this file:
- A draw is keyed by the node, the purpose and how many there were before; 0 is harmless.
- Real disks and links have a latency of their own: more is added only where the file asks for it.
- After the heal the weather is fine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.scenario.actions import Crash, DiskFault, PageFault
from increstore.scenario.model import DiskSpec, NetworkSpec
from increstore.scenario.values import RATE_WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.scenario.model import Scenario
    from increstore.scenario.values import Span

_DRAWS = 1 << 16


class Weather:
    """The ambient part of one settled scenario."""

    def __init__(self, scenario: Scenario, draw: Callable[[str, int], int]) -> None:
        self._scenario = scenario
        self._draw = draw
        self._drawn: dict[tuple[str, str], int] = {}
        self._is_slow = scenario.disk.latency != DiskSpec().latency
        self.troubles_links = scenario.network != NetworkSpec()

    def slow_write(self, node: str) -> DiskFault | None:
        """The latency of one durable write."""
        if not self._is_slow:
            return None
        return DiskFault("slow", self._duration(node, "disk", self._scenario.disk.latency), "", "")

    def page_fault(self, now: int, node: str) -> PageFault | None:
        if self._strikes(now, node, "page failure", self._scenario.pages.fail):
            return PageFault(transient=True, error="the disk hiccups (drawn)", fault="")
        return None

    def crash(self, now: int, node: str, point: str) -> Crash | None:
        """At one crash point."""
        nodes = self._scenario.nodes
        if not self._strikes(now, node, "crash", nodes.crash):
            return None
        restart_after = self._duration(node, "restart", nodes.restart_after)
        return Crash(node, restart_after, fault=f"drawn, {point}")

    def _strikes(self, now: int, node: str, purpose: str, rate: Span) -> bool:
        """Draws that strike are those at the end, so that 0 is harmless."""
        if not rate.low or now >= self._scenario.heal.at:
            return False
        return self._next(node, purpose, RATE_WHOLE) >= RATE_WHOLE - rate.low

    def _duration(self, node: str, purpose: str, span: Span) -> int:
        return span.low + (self._next(node, purpose, _DRAWS) * (span.width + 1) >> 16)

    def _next(self, node: str, purpose: str, bound: int) -> int:
        number = self._drawn[node, purpose] = self._drawn.get((node, purpose), 0) + 1
        return self._draw(f"{node} {purpose} {number}", bound)
