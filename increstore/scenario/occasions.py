"""Faults of disks and of pages: they wait until something is written or read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.scenario import actions as a
from increstore.scenario import faults as f
from increstore.scenario.live import LiveFault, LiveState

if TYPE_CHECKING:
    from increstore.protocol.messages import ScanId

ERRORS = {
    "eio": "input/output error",
    "enospc": "no space left on device",
    "fsync_error": "fsync failed; what was written may be durable or not",
}


class WriteState(LiveState):
    """Durable writes that are late or fail."""

    is_occasional = True

    def take_effect(self, now: int) -> None:
        for node in self.nodes:
            self.director.write_faults.setdefault(node, []).append(self)

    def lose_effect(self, now: int) -> None:
        for node in self.nodes:
            self.director.write_faults[node].remove(self)

    def at_write(self, now: int, node: str, op: str) -> a.DiskFault | None:
        spec = self.spec
        assert isinstance(spec, f.DiskFaultSpec)
        if spec.op not in ("any", op):
            return None
        by = self._lateness(now, spec, node)
        error = ERRORS.get(spec.action, "")
        fault = a.DiskFault(spec.action, by, f"injected: {error}" if error else "", self.id)
        self.spend(now, node, op)
        return fault

    def _lateness(self, now: int, spec: f.DiskFaultSpec, node: str) -> int:
        if spec.action == "stall":
            assert self.ends_at is not None, "a stall without an end is refused when it is read"
            return max(0, self.ends_at - now)
        return 0 if spec.by is None else self.pick(spec.by, f"{node} by")


class DiskNow(LiveFault):
    """Something done to what is stored."""

    def strike_now(self, now: int) -> None:
        spec = self.spec
        assert isinstance(spec, f.DiskFaultSpec)
        for node in self.nodes:
            self.director.do(now, a.DiskAction(node, spec.action, spec.op, self.id))
        self.happen(now, ", ".join(self.nodes), spec.action)


class PageState(LiveState):
    """Pages that cannot be read, or are garbled."""

    is_occasional = True

    def take_effect(self, now: int) -> None:
        for node in self.nodes:
            self.director.page_faults.setdefault(node, []).append(self)

    def lose_effect(self, now: int) -> None:
        for node in self.nodes:
            self.director.page_faults[node].remove(self)

    def at_page(self, now: int, node: str, scan: ScanId, page: int) -> a.PageFault | None:
        spec = self.spec
        assert isinstance(spec, f.PageFaultSpec)
        if spec.page not in (None, page) or spec.incremental not in (None, scan.incremental):
            return None
        if spec.attempt not in (None, scan.attempt):
            return None
        self.spend(now, node, f"incremental {scan.incremental} page {page}")
        return a.PageFault(spec.transient, spec.error, self.id, spec.garble)
