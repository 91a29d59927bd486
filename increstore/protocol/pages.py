"""Which pages of a scan to ask for, and in which order their answers count."""

from __future__ import annotations

from typing import TypeAlias

from increstore.protocol.ready import PageFailed, PageRead

Page: TypeAlias = PageRead | PageFailed


class PagesAhead:
    """Reads ahead by a few pages, and hands them on strictly by number, each once.

    Nothing is read ahead of the first page, which many small scans end with. Later a page beyond
    the last may have been asked for before the last one was known; whatever is answered for it is
    ignored.
    """

    __slots__ = (
        "_ahead_max",
        "_arrived",
        "_asked",
        "_bytes_max",
        "_largest_bytes",
        "_taken",
        "ended",
    )

    def __init__(self, ahead_max: int, bytes_max: int) -> None:
        self.ended = False
        self._ahead_max = ahead_max
        self._bytes_max = bytes_max
        self._asked = 0
        self._taken = 0
        self._arrived: dict[int, Page] = {}
        self._largest_bytes = 0

    def next_to_ask(self, bytes_held: int) -> int | None:
        """The page to ask for now, or None while memory or the read-ahead is used up.

        One page is always allowed when nothing is held and nothing is on its way, so that a page
        larger than the limit still passes.
        """
        under_way = self._asked - self._taken
        if self.ended or under_way >= (self._ahead_max if self._taken else 1):
            return None
        expected = bytes_held + under_way * self._largest_bytes
        if expected >= self._bytes_max and (under_way or bytes_held):
            return None
        self._asked += 1
        return self._asked - 1

    def arrive(self, page: Page) -> None:
        """Take in an answer of the driver; doubled and unasked ones change nothing."""
        if not self.ended and self._taken <= page.page < self._asked:
            self._arrived[page.page] = page

    def take(self) -> Page | None:
        """The next page by number, when it has arrived."""
        page = self._arrived.pop(self._taken, None)
        if page is None:
            return None
        self._taken += 1
        if isinstance(page, PageRead):
            size = 0
            for batch in page.batches:
                size += len(batch.payload)
            self._largest_bytes = max(self._largest_bytes, size)
            self.ended = page.last
        if self.ended:
            self._arrived.clear()
        return page
