"""The nodes that live in this process, each life by life: ended, kept away, and started again."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import trio

from increstore.runtime.drill.life import Life

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from increstore.journal import Journal
    from increstore.scenario.actions import Crash, Pause


class Cast:
    """Nodes by name. A node that is down, or was never here, is left alone by every order."""

    def __init__(
        self,
        journal: Journal,
        nursery: trio.Nursery,
        after_death: Callable[[Crash], None] | None = None,
        first_life: int = 1,
    ) -> None:
        """`after_death` is called when nothing of a crashed life runs any more."""
        self._journal = journal
        self._nursery = nursery
        self._after_death = after_death
        self._first_life = first_life
        self._lives: dict[str, Life] = {}
        self._returns: dict[str, trio.Event] = {}
        self._crashes: dict[str, Crash] = {}

    def __contains__(self, node: str) -> bool:
        return node in self._lives

    async def play(self, node: str, live: Callable[[Life], Awaitable[None]]) -> None:
        """Run `live` for each life of the node, until one ends of itself."""
        for number in count(self._first_life):
            life = self._lives[node] = Life(node, number)
            self._returns[node] = trio.Event()
            self._journal.emit(node, "node.started", incarnation=number)
            with life.scope:
                await live(life)
            if not life.is_over:
                del self._lives[node]
                return
            if self._after_death is not None:
                self._after_death(self._crashes.pop(node))
            await self._returns[node].wait()

    def crash(self, crash: Crash) -> bool:
        """End a life at once; whether there was one to end."""
        life = self._lives.get(crash.node)
        if life is None or life.is_over:
            return False
        self._crashes[crash.node] = crash
        life.end(crash.fault)
        self._journal.emit(crash.node, "node.crashed", incarnation=life.number, fault=crash.fault)
        if crash.restart_after_ns is not None:
            self._nursery.start_soon(self._return_later, life, crash.restart_after_ns)
        return True

    def restart(self, node: str) -> None:
        """Let a node that is down come back now."""
        life = self._lives.get(node)
        if life is not None and life.is_over:
            self._returns[node].set()

    def pause(self, pause: Pause) -> None:
        life = self._lives.get(pause.node)
        if life is not None:
            life.pause(pause.fault)
            if pause.duration_ns is not None:
                self._nursery.start_soon(self._go_on_later, life, pause.fault, pause.duration_ns)

    def unpause(self, node: str, fault: str) -> None:
        life = self._lives.get(node)
        if life is not None:
            life.go_on(fault)

    async def _return_later(self, life: Life, after_ns: int) -> None:
        await trio.sleep(after_ns / 1e9)
        if self._lives.get(life.node) is life:  # Else it has come back before, by an order.
            self.restart(life.node)

    async def _go_on_later(self, life: Life, fault: str, after_ns: int) -> None:
        await trio.sleep(after_ns / 1e9)
        life.go_on(fault)
