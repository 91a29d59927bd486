"""The first pages of a restore, read while the rest of the program is still being imported.

Reading is safe before anything else is: what is read stays here until a scan asks for its page. A
page that cannot be read is left to the scan, which will find, and tell, the same.

Quick to import: no trio.
"""

from __future__ import annotations

import threading
from itertools import zip_longest
from typing import TYPE_CHECKING

from increstore.chain.reader import read_page
from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.chain.plan import Page, RestorePlan, TablePlan
    from increstore.chain.reader import Slice

PAGES_EARLY_MAX = 6
"""Of the usual size (8 MiB at most), less than what a process may hold unapplied."""


class EarlyPages:
    """Reads the first pages of the full backup in a thread, from `start` until `stop`."""

    def __init__(self, plan: RestorePlan) -> None:
        self._plan = plan
        self._read: dict[Page, tuple[Slice, ...]] = {}
        self._is_enough = threading.Event()
        self._thread = threading.Thread(target=self.read, name="early-pages", daemon=True)

    def start(self) -> None:
        """Begin to read, in a thread of its own."""
        self._thread.start()

    def read(self) -> None:
        """What the thread does: read until there is enough, or `stop`."""
        for table, page in _first_pages(self._plan):
            if self._is_enough.is_set() or len(self._read) >= PAGES_EARLY_MAX:
                return
            try:
                self._read[page] = read_page(table, table.steps[0], page)
            except (OSError, BackupChainBroken):
                return

    def stop(self) -> None:
        """Read no other page; returns when the one that is being read is done."""
        self._is_enough.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __len__(self) -> int:
        """The pages that are held."""
        return len(self._read)

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
