"""What the journal tells of a restore that never began."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from increstore.errors import IncrestoreError
from increstore.journal import JournalEvent
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.journal import Journal


@contextlib.contextmanager
def refusals_told(journal: Journal) -> Iterator[None]:
    """Have an error that ends a restore before it begins be the last event of its journal.

    A detail: who reads the command's own output is told by its summary.
    """
    try:
        yield
    except IncrestoreError as error:
        facts = {"reason": str(error), "exit_code": int(error.exit_code)}
        event = JournalEvent(journal.clock(), COORDINATOR, "restore.refused", facts, is_detail=True)
        journal.relay(event)
        raise
