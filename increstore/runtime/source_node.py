"""The driver of source shards: reads pages in worker threads within the process's byte budget."""

from __future__ import annotations

import contextlib
from collections import deque
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
"""What a page is counted as while it is read, when nobody knows its size yet."""

PAGES_AHEAD_MAX = 2
"""Pages of later incrementals that a source shard reads before it is asked for them."""


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

    step: TableStep
    page: Page
    slices: tuple[Slice, ...] | None = None
    done: trio.Event = field(default_factory=trio.Event)


class PagePerformer:
    """Reads one source shard's pages, and the first pages of the incrementals that come next.

    Reading is safe before the barrier, applying is not: what is read ahead stays here until the
    core asks for it, so that the next incremental starts with a page in hand, and the one after it
    is read while the barrier between them is passed.
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
        self._parts: dict[int, tuple[Page, ...]] = {}
        """By incremental: finding them looks at every page of the backup."""
        self._ahead: deque[ReadAhead] = deque()
        self._is_reading_ahead = False
        self._newest_asked = 0
        """The latest incremental of which a page was asked for: only later ones are read ahead."""

    async def append(self, records: Sequence[Record]) -> Event | None:
        raise AssertionError("a source shard keeps no durable records")

    def queue(self, effect: Effect) -> None:
        """Nothing here rests on the order of effects."""

    async def perform(self, effect: Effect) -> Event | None:
        assert isinstance(effect, ReadPage)
        self._newest_asked = max(self._newest_asked, effect.scan.incremental)
        step = self._plan.step(effect.scan.incremental)
        pages = self._part(step)
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
        """After the last page of one incremental: read the first pages of those that follow."""
        step = self._plan.step(effect.scan.incremental)
        if self._is_reading_ahead or effect.page + 1 != len(self._part(step)):
            return
        self._is_reading_ahead = True
        last = self._ahead[-1].step if self._ahead else step
        try:
            while (ahead := self._next_ahead(last)) is not None:
                self._ahead.append(ahead)
                last = ahead.step  # Remembered here: the page may be taken while it is read.
                # Whatever is wrong with the page is found, and told, when it is asked for.
                with contextlib.suppress(OSError, BackupChainBroken):
                    ahead.slices = await self._read(ahead.step, ahead.page)
                ahead.done.set()
        finally:
            self._is_reading_ahead = False

    def _next_ahead(self, last: TableStep) -> ReadAhead | None:
        """What to read after `last`, its room taken; None when enough is read, or room is short."""
        following = self._plan.step_after(last)
        while following is not None and not self._may_be_ahead(following):
            following = self._plan.step_after(following)
        if following is None or len(self._ahead) == PAGES_AHEAD_MAX:
            return None
        if not self._budget.try_reserve(PAGE_BYTES_GUESS):
            return None
        return ReadAhead(following, self._part(following)[0])

    def _may_be_ahead(self, step: TableStep) -> bool:
        # A page that was asked for before it was here is read by then, and would stay for ever.
        return step.incremental > self._newest_asked and bool(self._part(step))

    def _part(self, step: TableStep) -> tuple[Page, ...]:
        part = self._parts.get(step.incremental)
        if part is None:
            part = self._parts[step.incremental] = step.part(self._number, self._sources)
        return part

    def _take_early(self, page: Page) -> tuple[Slice, ...] | None:
        """What was read before the restore began, if it is this page."""
        slices = self._early.take(page) if self._early is not None else None
        if slices is not None:
            self._budget.release(sum(len(piece.payload) for piece in slices))
        return slices

    async def _take_ahead(self, page: Page) -> tuple[Slice, ...] | None:
        """What was read ahead, if it is this page; what was to come before it is of no use now."""
        if page not in [ahead.page for ahead in self._ahead]:
            return None
        while True:
            ahead = self._ahead.popleft()
            await ahead.done.wait()
            self._budget.release(PAGE_BYTES_GUESS)
            if ahead.page == page:
                return ahead.slices

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
