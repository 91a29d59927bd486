"""Which coordinator a shard obeys: the one with the highest generation, unless it cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from increstore.protocol.messages import Reason

if TYPE_CHECKING:
    from increstore.protocol.messages import CancelRestore

Objection: TypeAlias = tuple[Reason, str]
"""Why something is refused: the reason, and the sentence that says it to a person."""


class Fence:
    """The gate in front of a shard. `restore` None: the first one admitted is the one."""

    __slots__ = ("_cancelled_generation", "_name", "generation", "restore")

    def __init__(self, name: str, restore: str | None, generation: int) -> None:
        self.restore = restore
        self.generation = generation
        self._name = name
        self._cancelled_generation = 0

    def objection(self, restore: str, generation: int) -> Objection | None:
        """Why a request of this restore and generation is refused, or None."""
        if self.restore is not None and restore != self.restore:
            return Reason.UNKNOWN_RESTORE, f"{self._name} works for restore {self.restore}"
        if generation < self.generation:
            return Reason.STALE_GENERATION, f"{self._name} obeys generation {self.generation}"
        if generation <= self._cancelled_generation:
            return Reason.STALE_GENERATION, f"generation {generation} cancelled the restore"
        return None

    def adopt(self, restore: str, generation: int) -> bool:
        """Obey a coordinator that nothing was objected to; True when it is a newer one."""
        assert generation >= self.generation
        is_newer = generation > self.generation
        self.restore = restore
        self.generation = generation
        return is_newer

    def cancel(self, message: CancelRestore) -> bool:
        """Obey nobody up to this generation; False when the message is not for us or late."""
        if message.restore != self.restore or message.generation < self.generation:
            return False
        self._cancelled_generation = max(self._cancelled_generation, message.generation)
        return True
