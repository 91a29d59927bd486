"""The driver of source shards: reads pages in worker threads within the process's byte budget."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from increstore.chain.reader import read_page
from increstore.errors import BackupChainBroken
from increstore.protocol.ready import Batch, PageFailed, PageRead, ReadPage
from increstore.protocol.topology import target_name
from increstore.runtime.node import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.chain.plan import Page, TablePlan, TableStep
    from increstore.chain.reader import Slice
    from increstore.journal import Journal
    from increstore.protocol.ready import Effect, Event
    from increstore.protocol.records import Record
    from increstore.protocol.source_shard import SourceShard
    from increstore.runtime.early import EarlyPages
    from increstore.transport.seam import Endpoint

PAGE_BYTES_GUESS = 8 << 20


class ByteBudget:
    """The bytes that all source shards of a process may hold unapplied, together.

    A page is admitted when it fits, or when nothing else is held: a single page larger than the
    budget must not wait for ever.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held: dict[str, int] = {}
        self._reserved = 0
        self._freed = trio.Event()

    @property
    def used(self) -> int:
        return sum(self._held.values()) + self._reserved

    def hold(self, node: str, unapplied_bytes: int) -> None:
        """Tell what one node holds now."""
        self._held[node] = unapplied_bytes
        self._wake()

    async def reserve(self, bytes_wanted: int) -> None:
        """Wait until a page of this size may be read."""
        while self.used and self.used + bytes_wanted > self._bytes_max:
            await self._freed.wait()
        self._reserved += bytes_wanted

    def try_reserve(self, bytes_wanted: int) -> bool:
        """Reserve only when there is ample room: what is not needed yet must not be in the way."""
        if 2 * (self.used + bytes_wanted) > self._bytes_max:
            return False
        self._reserved += bytes_wanted
        return True

    def take(self, bytes_held: int) -> None:
        """Count what is held already, whether it fits or not."""
        self._reserved += bytes_held

    def release(self, bytes_wanted: int) -> None:
        self._reserved -= bytes_wanted
        self._wake()

    def _wake(self) -> None:
        # One event for all who wait now: each looks again, the first that fits goes on.
        self._freed.set()
        self._freed = trio.Event()


@dataclass(slots=True)
class ReadAhead:
    """A page that was read before it was asked for; no slices when it could not be read."""

    page: Page
    slices: tuple[Slice, ...] | None = None
    done: trio.Event = field(default_factory=trio.Event)


class PagePerformer:
    """Reads one source shard's pages, and one page ahead into the incremental that comes next.

    Reading is safe before the barrier, applying is not: what is read ahead stays here until the
    core asks for it, so that the next incremental starts with a page in hand.
    """

    def __init__(
        self,
        plan: TablePlan,
        number: int,
        sources: int,
        budget: ByteBudget,
        limiter: trio.CapacityLimiter,
        early: EarlyPages | None = None,
    ) -> None:
        self._plan = plan
        self._number = number
        self._sources = sources
        self._budget = budget
        self._limiter = limiter
        self._early = early
        self._ahead: ReadAhead | None = None

    async def append(self, records: Sequence[Record]) -> Event | None:
        raise AssertionError("a source shard keeps no durable records")

    def queue(self, effect: Effect) -> None:
        """Nothing here rests on the order of effects."""

    async def perform(self, effect: Effect) -> Event | None:
        assert isinstance(effect, ReadPage)
        step = self._plan.step(effect.scan.incremental)
        pages = step.part(self._number, self._sources)
        if effect.page >= len(pages):
            # Asked ahead, or a part without a row: either way nothing follows.
            return PageRead(effect.scan, effect.page, rows=0, batches=(), last=True)
        page = pages[effect.page]
        slices = self._take_early(page) or await self._take_ahead(page)
        if slices is None:
            await self._budget.reserve(PAGE_BYTES_GUESS)
            try:
                slices = await self._read(step, page)
            except OSError as error:
                text = f"{page.path}: cannot be read ({error.strerror}); mend it and run again"
                return PageFailed(effect.scan, effect.page, transient=True, error=text)
            except BackupChainBroken as error:
                return PageFailed(effect.scan, effect.page, transient=False, error=str(error))
            finally:
                self._budget.release(PAGE_BYTES_GUESS)
        return PageRead(
            scan=effect.scan,
            page=effect.page,
            rows=page.rows,
            batches=tuple(
                Batch(target_name(self._plan.table, s.target), s.rows, s.digest, s.payload)
                for s in slices
            ),
            last=effect.page + 1 == len(pages),
        )

    async def read_ahead(self, effect: ReadPage) -> None:
        """After the last page of one incremental: read the first page of the next."""
        step = self._plan.step(effect.scan.incremental)
        following = self._plan.step_after(step)
        if effect.page + 1 != len(step.part(self._number, self._sources)) or following is None:
            return
        pages = following.part(self._number, self._sources)
        if not pages or self._ahead is not None or not self._budget.try_reserve(PAGE_BYTES_GUESS):
            return
        self._ahead = ahead = ReadAhead(pages[0])
        # Whatever is wrong with the page is found, and told, when it is asked for.
        with contextlib.suppress(OSError, BackupChainBroken):
            ahead.slices = await self._read(following, ahead.page)
        ahead.done.set()

    def _take_early(self, page: Page) -> tuple[Slice, ...] | None:
        """What was read before the restore began, if it is this page."""
        slices = self._early.take(page) if self._early is not None else None
        if slices is not None:
            self._budget.release(PAGE_BYTES_GUESS)
        return slices

    async def _take_ahead(self, page: Page) -> tuple[Slice, ...] | None:
        """What was read ahead, if it is this page; another page's is of no use any more."""
        if self._ahead is None:
            return None
        ahead, self._ahead = self._ahead, None
        await ahead.done.wait()
        self._budget.release(PAGE_BYTES_GUESS)
        return ahead.slices if ahead.page == page else None

    async def _read(self, step: TableStep, page: Page) -> tuple[Slice, ...]:
        return await trio.to_thread.run_sync(
            read_page, self._plan, step, page, limiter=self._limiter, abandon_on_cancel=True
        )


class SourceNode(Node):
    """A source shard with its reader; tells the budget what it holds after each step."""

    def __init__(
        self,
        name: str,
        core: SourceShard,
        endpoint: Endpoint,
        performer: PagePerformer,
        journal: Journal,
        budget: ByteBudget,
    ) -> None:
        super().__init__(name, core, endpoint, performer, journal)
        self._source = core
        self._pages = performer
        self._budget = budget

    async def _step(self, nursery: trio.Nursery, event: Event) -> int | None:
        wake_at = await super()._step(nursery, event)
        self._budget.hold(self.name, self._source.unapplied_bytes)
        return wake_at

    async def _perform(self, effect: Effect) -> None:
        await super()._perform(effect)
        if isinstance(effect, ReadPage):
            await self._pages.read_ahead(effect)
