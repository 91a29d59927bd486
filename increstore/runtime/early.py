"""The first pages of a restore, read while the rest of the program is still being imported.

Reading is safe before anything else is: what is read stays here until a scan asks for its page. A
page that cannot be read is left to the scan, which will find, and tell, the same.

Quick to import: neither trio nor Arrow.
"""

from __future__ import annotations

import threading
from itertools import zip_longest
from typing import TYPE_CHECKING

from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.chain.plan import Page, RestorePlan, TablePlan
    from increstore.chain.reader import Slice

BYTES_EARLY_MAX = 48 << 20
"""No page is begun beyond it: less than what a process may hold unapplied."""


class EarlyPages:
    """Reads the first pages of the full backup in a thread, from `start` until `stop`."""

    def __init__(self) -> None:
        self._read: dict[Page, tuple[Slice, ...]] = {}
        self._is_enough = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, plan: RestorePlan) -> None:
        """Begin to read, in a thread of its own."""
        self._thread = threading.Thread(
            target=self.read, args=(plan,), name="early-pages", daemon=True
        )
        self._thread.start()

    def read(self, plan: RestorePlan) -> None:
        """What the thread does: read until there is enough, or `stop`."""
        from increstore.chain.reader import read_page  # Arrow comes with it.

        for table, page in _first_pages(plan):
            if self._is_enough.is_set() or self.bytes_held >= BYTES_EARLY_MAX:
                return
            try:
                self._read[page] = read_page(table, table.steps[0], page)
            except (OSError, BackupChainBroken):
                return

    def stop(self) -> None:
        """Read no other page; returns when the one that is being read is done."""
        self._is_enough.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def bytes_held(self) -> int:
        """The bytes of the pages that nobody has taken yet."""
        return sum(len(piece.payload) for slices in self._read.values() for piece in slices)

    def take(self, page: Page) -> tuple[Slice, ...] | None:
        """What was read of this page; it is handed over, and held no longer."""
        return self._read.pop(page, None)


def _first_pages(plan: RestorePlan) -> Iterator[tuple[TablePlan, Page]]:
    """The pages of the full backup in the order in which the scans will ask for them."""
    scans = [
        [(table, page) for page in table.steps[0].part(source, plan.sources)]
        for table in plan.tables
        for source in range(plan.sources)
    ]
    for wave in zip_longest(*scans):
        yield from (entry for entry in wave if entry is not None)
