"""One life of a node: from its start until it ends, or is ended without a last word.

Rules of this file:
- A crash fences first and cancels then. Cancelling alone is no crash: what a node does while it is
  cancelled must find every door closed (its endpoint, its store, its log).
- Whoever stands at a closed door waits there for the cancellation that is on its way.
- A paused life stands still at its next door; what is sent to it waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Sequence

    from increstore.protocol.messages import Message
    from increstore.runtime.drill.injector import DiskTrouble, Injector
    from increstore.transport.seam import Endpoint


class Life:
    """The `number`-th life of `node` (1-based); everything it does runs inside `scope`."""

    def __init__(self, node: str, number: int) -> None:
        self.node = node
        self.number = number
        self.scope = trio.CancelScope()
        self.is_over = False
        self.why = ""
        """Which fault ended it."""
        self._pauses: dict[str, None] = {}
        self._goes_on = trio.Event()

    def end(self, why: str) -> None:
        """Without a last word. Ending it twice is fine."""
        if not self.is_over:
            self.is_over = True
            self.why = why
            self.scope.cancel()

    def pause(self, fault: str) -> None:
        """Stand still, until every fault that wanted it lets go."""
        self._pauses[fault] = None

    def go_on(self, fault: str) -> None:
        self._pauses.pop(fault, None)
        self._goes_on.set()
        self._goes_on = trio.Event()

    async def passage(self) -> None:
        """Go on at once, after the pause, or never when this life is over."""
        while self._pauses and not self.is_over:
            await self._goes_on.wait()
        if self.is_over:
            await trio.sleep_forever()


class LifeEndpoint:
    """The mailbox of one life. `owed` has, for each message to be sent, the records of its step."""

    def __init__(
        self, inner: Endpoint, life: Life, injector: Injector, owed: deque[Sequence[str]]
    ) -> None:
        self._inner = inner
        self._life = life
        self._injector = injector
        self._owed = owed

    async def send(self, receiver: str, message: Message) -> None:
        await self._life.passage()
        records = self._owed.popleft()
        await self._inner.send(receiver, message)
        if await self._injector.crash_at(self._life.node, "after_send", records):
            await trio.sleep_forever()

    async def receive(self) -> tuple[str, Message]:
        received = await self._inner.receive()
        await self._life.passage()
        return received

    def close(self) -> None:
        self._inner.close()


class LifeGuard:
    """What stands before the store or log of one life; asked in the threads that write."""

    def __init__(
        self, life: Life, injector: Injector, keep: Callable[[], None] | None = None
    ) -> None:
        """`keep` is called before each write that is going to happen."""
        self._life = life
        self._injector = injector
        self._keep = keep

    def before(self, operation: str, records: Sequence[str]) -> DiskTrouble | None:
        """Raises: trio.Cancelled in the thread when this life is over."""
        trouble = trio.from_thread.run(self._before, operation, records)
        if self._keep is not None:
            self._keep()
        return trouble

    def after(self, operation: str, records: Sequence[str]) -> None:
        """Raises: trio.Cancelled in the thread when this life is over."""
        trio.from_thread.run(self._after, records)

    async def _before(self, operation: str, records: Sequence[str]) -> DiskTrouble | None:
        await self._life.passage()
        if await self._injector.crash_at(self._life.node, "before_append", records):
            await trio.sleep_forever()
        trouble = await self._injector.disk_fault(self._life.node, operation)
        if trouble is not None:
            # Here and not in the thread: a disk that stands still must not keep anyone from ending.
            await trio.sleep(trouble.by_ns / 1e9)
        return trouble

    async def _after(self, records: Sequence[str]) -> None:
        await self._life.passage()
        # A killed process loses nothing that was written: synced or not, it looks the same.
        for point in ("after_append", "after_sync"):
            if await self._injector.crash_at(self._life.node, point, records):
                await trio.sleep_forever()
