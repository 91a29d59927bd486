"""The production nodes in a drill: each stands still when it is paused, and says what it drops."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from increstore.protocol.ready import PageFailed, PageRead, ReadPage
from increstore.runtime.coordinator_node import CoordinatorNode
from increstore.runtime.drill.life import LifeEndpoint
from increstore.runtime.node import Node
from increstore.runtime.source_node import PagePerformer, SourceNode
from increstore.runtime.target_node import TargetNode
from increstore.scenario.garble import garbled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import trio

    from increstore.protocol.ready import Effect, Event, Ready
    from increstore.runtime.drill.injector import Injector
    from increstore.runtime.drill.life import Life
    from increstore.runtime.node import Core


class Troubled(Node):
    """A node of one life. `enter` it before it runs."""

    _life: Life
    _injector: Injector
    _drops: dict[str, int]

    def enter(self, life: Life, injector: Injector) -> None:
        core = self._core = _Noted(self._core)
        self._endpoint = LifeEndpoint(self._endpoint, life, injector, core.owed)
        self._life = life
        self._injector = injector
        self._drops = core.dropped.copy()

    async def _step(self, nursery: trio.Nursery, event: Event) -> int | None:
        await self._life.passage()
        wake_at = await super()._step(nursery, event)
        self._tell_drops()
        return wake_at

    def _tell_drops(self) -> None:
        core = self._core
        assert isinstance(core, _Noted)
        if core.dropped != self._drops:
            for why in sorted(core.dropped.keys() - self._drops.keys()):
                self._injector.mark(f"dropped: {why}")
            self._drops = core.dropped.copy()


class _Noted:
    """A core, with the records that each message owes its sending to, in the order sent."""

    def __init__(self, inner: Core) -> None:
        self._inner: Any = inner
        self.owed: deque[Sequence[str]] = deque()

    @property
    def dropped(self) -> dict[str, int]:
        dropped: dict[str, int] = self._inner.dropped
        return dropped

    def step(self, now: int, event: Event) -> Ready:
        ready: Ready = self._inner.step(now, event)
        records = [type(record).__name__ for record in ready.records]
        self.owed.extend(records for _ in ready.messages)
        return ready


class TroubledSource(Troubled, SourceNode):
    """A source shard in a drill."""


class TroubledTarget(Troubled, TargetNode):
    """A target shard in a drill."""


class TroubledCoordinator(Troubled, CoordinatorNode):
    """The coordinator in a drill."""


class TroubledPages(PagePerformer):
    """Reads pages, unless a fault says that they cannot be read."""

    _life: Life
    _injector: Injector

    def enter(self, life: Life, injector: Injector) -> None:
        self._life = life
        self._injector = injector

    async def perform(self, effect: Effect) -> Event | None:
        assert isinstance(effect, ReadPage)
        await self._life.passage()
        part = self._plan.step(effect.scan.incremental).part(self._number, self._sources)
        if effect.page < len(part):  # A page past the last, asked for ahead, cannot fail.
            fault = await self._injector.page_fault(self._life.node, effect.scan, effect.page)
            if fault is not None and not fault.garbles:
                return PageFailed(effect.scan, effect.page, fault.transient, fault.error)
            read = await super().perform(effect)
            if fault is not None and isinstance(read, PageRead):
                return garbled(read)
            return read
        return await super().perform(effect)
