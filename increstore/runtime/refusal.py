"""What the journal tells of a restore that never began."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from increstore.errors import IncrestoreError
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.journal import Journal


@contextlib.contextmanager
def refusals_told(journal: Journal) -> Iterator[None]:
    """Have an error that ends a restore before it begins be the last event of its journal."""
    try:
        yield
    except IncrestoreError as error:
        code = int(error.exit_code)
        journal.emit(COORDINATOR, "restore.refused", reason=str(error), exit_code=code)
        raise
