"""Where a step ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.journal import JournalEvent

NOTIFICATIONS = frozenset({"scan.reported", "completion.received"})
INCREMENTALS = frozenset(
    {"incremental.started", "incremental.completed", "restore.finalizing", "restore.completed"}
)

STEPS: dict[str, Callable[[JournalEvent], bool]] = {
    "event": lambda _: True,
    "notification": lambda event: event.name in NOTIFICATIONS,
    "incremental": lambda event: event.name in INCREMENTALS,
}
"""For each kind of step: whether it ends with this event."""
