"""How long a restore may take: deadlines counted from durable wall times.

No restart resets them, and none counts twice; a person who resumes gives the full time again,
because that is a decision, while a crash is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from increstore.protocol.ledger import Ledger
    from increstore.protocol.policy import CoordinatorConfig

DEADLINE = "deadline"
"""How the reason of a pause begins when a deadline made it."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """`what` may run for `limit_ns` from the wall time `since`."""

    what: str
    since: int
    limit_ns: int

    @property
    def at(self) -> int:
        return self.since + self.limit_ns

    def reason(self, wall: int) -> str:
        """The sentence of the pause it makes."""
        return (
            f"{DEADLINE}: {self.what} has run for {(wall - self.since) / 10**9:.1f} s "
            f"(limit {self.limit_ns / 10**9:g} s)"
        )


def deadlines_of(ledger: Ledger, config: CoordinatorConfig) -> tuple[Deadline, ...]:
    """The deadlines that are set and running now."""
    if config.overall_deadline_ns is None and config.stage_deadline_ns is None:
        return ()
    deadlines = []
    if config.overall_deadline_ns is not None and ledger.accepted_at is not None:
        since = max(ledger.accepted_at, ledger.resumed_at)
        deadlines.append(Deadline("the restore", since, config.overall_deadline_ns))
    in_stage = ledger.is_finalizing or ledger.is_incremental_open
    if config.stage_deadline_ns is not None and in_stage:
        since = max(ledger.stage_started_at, ledger.resumed_at)
        stage = "finalizing" if ledger.is_finalizing else f"incremental {ledger.incremental}"
        deadlines.append(Deadline(stage, since, config.stage_deadline_ns))
    return tuple(deadlines)
