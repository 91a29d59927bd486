"""Where in the chain a target shard stands: what it has sealed, and what is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.messages import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from increstore.protocol.fence import Objection
    from increstore.protocol.messages import StreamEvidence


class ChainPosition:
    """`due` is the first incremental of the table without a seal; None when all are sealed.

    Invariant: what is sealed is a prefix of `incrementals`, and only what is due is being sealed.
    """

    __slots__ = ("_name", "due", "incrementals", "sealed", "sealing")

    def __init__(
        self,
        name: str,
        incrementals: tuple[int, ...],
        sealed: Mapping[int, tuple[StreamEvidence, ...]],
    ) -> None:
        self._name = name
        self.incrementals = incrementals
        self.sealed = dict(sealed)
        self.sealing: tuple[StreamEvidence, ...] | None = None
        """The streams of the seal that is being written."""
        self.due = self._first_unsealed()

    @property
    def last(self) -> int:
        return self.incrementals[-1]

    def objection_to_changes(self, incremental: int) -> Objection | None:
        """Why changes of `incremental` are refused now, or None."""
        is_being_sealed = incremental == self.due and self.sealing is not None
        if incremental in self.sealed or is_being_sealed:
            return Reason.STALE_INCREMENTAL, f"{self._name} has sealed incremental {incremental}"
        return self.objection_to_turn(incremental)

    def objection_to_turn(self, incremental: int | None) -> Objection | None:
        """Why it is not the turn of `incremental` (None: of the final rows)."""
        if incremental == self.due:
            return None
        if self.due is None:
            return Reason.INCREMENTAL_NOT_DUE, f"{self._name} has sealed every incremental"
        waits = f"{self._name} waits for incremental {self.due} to be sealed first"
        return Reason.INCREMENTAL_NOT_DUE, waits

    def finish_sealing(self, incremental: int) -> None:
        """The seal is durable; the next incremental is due."""
        assert incremental == self.due, "only what is due is ever sealed"
        assert self.sealing is not None, "a seal is asked for before it is answered"
        self.sealed[incremental] = self.sealing
        self.sealing = None
        self.due = self._first_unsealed()

    def _first_unsealed(self) -> int | None:
        return next((n for n in self.incrementals if n not in self.sealed), None)
