"""Who is told of everything that is observed of a restore: a judge, or somebody who looks away.

A driver calls one method for each thing that happens, in the order in which things happen:

| method | when |
|---|---|
| `recovered`, then `started` | a node comes up: with what it found durable, before its first step |
| `crashed` | a node goes down |
| `rolled_back` | a fault took durable data away: until the next `recovered` nothing is expected |
| `received` | a message is given to the core of its receiver |
| `stepped` | a core has made a step (simulation only) |
| `recorded` | a record of a coordinator or target is durable, before what rests on it is sent |
| `sent` | a core has said something (whether or not it ever arrives) |
| `scan_read` | a source shard was given a page |
| `applied`, `sealed`, `finalized` | it is durable at a target, whether or not its core knows |
| `published` | the tables are visible |
| `tables` | their rows as they were folded, to be compared with the oracle |
| `ended` | the driver stops, and believes that this is how the restore stands |
| `lost_sight` | the driver cannot tell for sure what a shard does, until it has recovered |
| `usurped` | the coordinator so far goes on beside a new one that starts from the same history |

`now` is in nanoseconds of one clock for all nodes that does not go back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from increstore.protocol.messages import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from increstore.protocol.coordinator import RestoreState
    from increstore.protocol.messages import ScanId, StreamEvidence
    from increstore.protocol.ready import Batch, Event, Ready
    from increstore.protocol.records import Record
    from increstore.protocol.target_state import TargetState


class Tell:
    """Who is told of one kind of message."""

    def tell(self, now: int, sender: str, receiver: str, message: Any) -> None:
        """Nothing is thought of it."""


_UNJUDGED: Final[dict[type, Tell]] = dict.fromkeys(get_args(Message), Tell())


class Observer:
    """Is told of everything, and thinks nothing of it."""

    def __init__(self) -> None:
        self.sendings: dict[type, Tell] = _UNJUDGED
        """Who is told of a message that is sent, by its class."""
        self.receipts: dict[type, Tell] = _UNJUDGED
        """The same for one that is received."""

    def started(self, now: int, node: str, incarnation: int, core: object = None) -> None:
        pass

    def crashed(self, now: int, node: str) -> None:
        pass

    def recovered(self, now: int, node: str, state: TargetState | Sequence[Record]) -> None:
        pass

    def rolled_back(self, now: int, node: str) -> None:
        pass

    def write_failed(self, now: int, node: str) -> None:
        pass

    def clock_changed(self, now: int, node: str) -> None:
        pass

    def usurped(self, now: int, overtaken: str) -> None:
        pass

    def stepped(self, now: int, node: str, core: Any, event: Event, ready: Ready) -> None:
        pass

    def recorded(self, now: int, node: str, record: Record) -> None:
        pass

    def scan_read(
        self,
        now: int,
        node: str,
        scan: ScanId,
        page: int,
        rows: int,
        batches: Sequence[Batch],
        last: bool,
    ) -> None:
        pass

    def applied(
        self, now: int, node: str, scan: ScanId, order: int, rows: int, digest: int
    ) -> None:
        pass

    def sealed(
        self, now: int, node: str, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        pass

    def finalized(self, now: int, node: str, rows: int, digest: int) -> None:
        pass

    def published(self, now: int) -> None:
        pass

    def close(self) -> None:
        pass

    def tables(self, now: int, incremental: int, tables: Mapping[str, Mapping[Any, Any]]) -> None:
        pass

    def ended(self, now: int, state: str | RestoreState, reason: str) -> None:
        pass

    def healed(self, now: int) -> None:
        pass

    def stalled(self, now: int, explanation: str) -> None:
        pass

    def deadlocked(self, now: int, explanation: str) -> None:
        pass

    def overdue(self, now: int, explanation: str) -> None:
        pass
