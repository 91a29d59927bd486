"""What the coordinator and its phases share: the ledger, the outbox, the clock and the cap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.deadlines import deadlines_of
from increstore.protocol.ledger import RestoreState
from increstore.protocol.messages import CancelRestore, Reason
from increstore.protocol.outbox import Outbox
from increstore.protocol.records import RestoreFailed, RestorePaused

if TYPE_CHECKING:
    from increstore.protocol.deadlines import Deadline
    from increstore.protocol.ledger import Ledger
    from increstore.protocol.messages import Message, Refused
    from increstore.protocol.policy import CoordinatorConfig
    from increstore.protocol.records import CoordinatorRecord
    from increstore.protocol.topology import Topology


class Desk:
    """One coordinator's working place. `now` is that of the step at hand."""

    def __init__(self, ledger: Ledger, config: CoordinatorConfig, now: int, wall_now: int) -> None:
        self.ledger = ledger
        self.config = config
        self.now = now
        self.cap = config.scans_in_flight
        self.outbox = Outbox()
        self.dropped: dict[str, int] = {}
        self.superseded = ""
        """Who took over, once a shard has said so; from then on this coordinator is silent."""
        self._wall_offset = wall_now - now
        self._deadlines: tuple[Deadline, ...] | None = None

    @property
    def topology(self) -> Topology:
        return self.ledger.topology

    @property
    def generation(self) -> int:
        return self.ledger.generation

    @property
    def is_active(self) -> bool:
        """Whether shards may be asked for anything new."""
        return self.ledger.halt is None and not self.superseded

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        """The deadlines that run now; they follow from durable facts alone."""
        if self._deadlines is None:
            self._deadlines = deadlines_of(self.ledger, self.config)
        return self._deadlines

    def wall(self, now: int) -> int:
        """The wall clock at a monotonic moment: steps of the real one are not followed."""
        return now + self._wall_offset

    def monotonic(self, wall: int) -> int:
        return wall - self._wall_offset

    def record(self, record: CoordinatorRecord) -> None:
        """Decide a durable fact; the driver writes it before anything else of this step."""
        self.outbox.record(record)
        self.ledger.apply(record)
        self._deadlines = None

    def send(self, receiver: str, message: Message) -> None:
        self.outbox.send(receiver, message)

    def pause(self, reason: str) -> None:
        self.record(RestorePaused(reason, self.wall(self.now)))

    def fail(self, reason: str) -> None:
        """End without a result: readers see nothing, shards stop working."""
        self.record(RestoreFailed(reason, self.wall(self.now)))
        self.tell_all_to_stop()

    def tell_all_to_stop(self) -> None:
        for table in self.topology.tables:
            for shard in (*table.sources, *table.targets):
                self.tell_to_stop(shard)

    def tell_to_stop(self, shard: str) -> None:
        self.send(shard, CancelRestore(self.topology.restore, self.generation))

    def drop(self, why: str) -> None:
        """Count a message that changes nothing."""
        self.dropped[why] = self.dropped.get(why, 0) + 1

    def hear_fencing(self, sender: str, refused: Refused) -> bool:
        """Whether a shard says that a newer coordinator commands; we are then silent for good."""
        if refused.reason is not Reason.STALE_GENERATION:
            return False
        if self.ledger.halt is RestoreState.COMPLETED:
            return False  # Of what is over nothing can be taken over.
        self.superseded = f"another coordinator has taken over ({sender}: {refused.detail})"
        return True
