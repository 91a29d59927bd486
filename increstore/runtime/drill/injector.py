"""Who is asked, wherever nodes live, what befalls them: the director itself, or a line to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from increstore.store.faulty import Trouble
from increstore.transport.faulty import Treatment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.protocol.messages import Message, ScanId
    from increstore.runtime.drill.stage import Drill
    from increstore.scenario.actions import Crash, Fate


class DiskTrouble(Trouble, Protocol):
    """What befalls one durable write: it takes longer, and perhaps fails."""

    @property
    def by_ns(self) -> int: ...


class PageTrouble(Protocol):
    """One page that cannot be read; or one that is read, and garbled."""

    @property
    def transient(self) -> bool: ...

    @property
    def error(self) -> str: ...

    @property
    def garbles(self) -> bool: ...


class Injector(Protocol):
    """Asked by the nodes of one process; every answer may take a moment."""

    async def treatment(self, sender: str, receiver: str, message: Message) -> Treatment | None: ...

    async def disk_fault(self, node: str, operation: str) -> DiskTrouble | None: ...

    async def page_fault(self, node: str, scan: ScanId, page: int) -> PageTrouble | None: ...

    async def crash_at(self, node: str, point: str, records: Sequence[str]) -> bool:
        """Whether this life has ended here; whoever asked must do nothing more."""
        ...

    def mark(self, name: str) -> None:
        """Tell of something that a scenario may want to see."""
        ...


class LocalInjector:
    """Asks the director, and the weather; `crash` ends a life at once."""

    def __init__(self, drill: Drill, crash: Callable[[Crash], object]) -> None:
        self._director = drill.director
        self._weather = drill.weather
        self._clock = drill.conductor.clock
        self._news = drill.conductor.tell
        self._crash = crash
        self._sent: dict[tuple[str, str, str], int] = {}

    async def treatment(self, sender: str, receiver: str, message: Message) -> Treatment | None:
        now = self._clock()
        if self._director.has_message_faults:
            fate = self._director.fate(now, sender, receiver, message)
            if fate is not None:
                self._news()
                return _treatment(fate)
        if not self._weather.troubles_links:
            return None
        key = (sender, receiver, type(message).__name__)
        number = self._sent[key] = self._sent.get(key, 0) + 1
        fate = self._director.ambient_fate(now, sender, receiver, number, message)
        return None if fate is None else _treatment(fate)

    async def disk_fault(self, node: str, operation: str) -> DiskTrouble | None:
        fault = self._director.disk_fault(self._clock(), node, operation)
        if fault is None:
            return self._weather.slow_write(node)
        self._news()
        return fault

    async def page_fault(self, node: str, scan: ScanId, page: int) -> PageTrouble | None:
        now = self._clock()
        fault = self._director.page_fault(now, node, scan, page)
        if fault is None:
            return self._weather.page_fault(now, node)
        self._news()
        return fault

    async def crash_at(self, node: str, point: str, records: Sequence[str]) -> bool:
        now = self._clock()
        crash = self._weather.crash(now, node, point)
        if crash is None and self._director.has_crash_points:
            crash = self._director.crash_at(now, node, point, records)
        if crash is None:
            return False
        self._crash(crash)
        self._news()
        return True

    def mark(self, name: str) -> None:
        self._director.mark(name)


def _treatment(fate: Fate) -> Treatment:
    return Treatment(fate.copies, fate.keeps_order, fate.damage, fate.reset, fate.hold)
