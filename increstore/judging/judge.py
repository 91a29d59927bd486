"""The judge of one restore: told of everything that is observed, it raises what must not be.

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
| `usurped` | the coordinator so far goes on beside a new one that starts from the same history |

`now` is in nanoseconds of one clock for all nodes that does not go back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.config import JudgeConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from increstore.protocol.messages import Message, ScanId, StreamEvidence
    from increstore.protocol.ready import Batch, Event, Ready
    from increstore.protocol.records import Record
    from increstore.protocol.target_state import TargetState
    from increstore.protocol.topology import Topology


class Judge:
    """Judges what it is told of one restore. Raises: InvariantViolated, from any method."""

    def __init__(self, topology: Topology, config: JudgeConfig | None = None) -> None:
        self.topology = topology
        self.config = config or JudgeConfig()

    # --- Lives.

    def started(self, now: int, node: str, incarnation: int, core: object = None) -> None:
        """A new life of this node begins; its incarnations rise."""

    def crashed(self, now: int, node: str) -> None:
        """The node is down; nothing of it may become durable until it has started again."""

    def recovered(self, now: int, node: str, state: TargetState | Sequence[Record]) -> None:
        """What a target's store, or a coordinator's log, holds durably at a start."""

    def rolled_back(self, now: int, node: str) -> None:
        """A fault took away durable data: what was acknowledged there may be gone."""

    def write_failed(self, now: int, node: str) -> None:
        """A durable write failed and is indeterminate; this life may write no more."""

    def clock_changed(self, now: int, node: str) -> None:
        """The node's wall clock has jumped or drifts; times it records prove nothing."""

    def usurped(self, now: int, overtaken: str) -> None:
        """The coordinator so far goes on under the name `overtaken`, with its history so far.

        Its records are told under that name; `coordinator` is the new one. Messages of both are
        sent by and to `coordinator`: their generation tells whose they are.
        """

    # --- What nodes do.

    def stepped(self, now: int, node: str, core: Any, event: Event, ready: Ready) -> None:
        """A core has taken an event; nothing of `ready` has been done yet."""

    def recorded(self, now: int, node: str, record: Record) -> None:
        """The record is durable."""

    def sent(self, now: int, sender: str, receiver: str, message: Message) -> None:
        """A core says something, after the records of the same step."""

    def received(self, now: int, sender: str, receiver: str, message: Message) -> None:
        """The message is given to the receiver's core."""

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
        """A source has read a page: what the scan owes to the targets."""

    def applied(
        self, now: int, node: str, scan: ScanId, order: int, rows: int, digest: int
    ) -> None:
        """A batch and its watermark are durable at a target."""

    def sealed(
        self, now: int, node: str, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        """A seal is durable at a target."""

    def finalized(self, now: int, node: str, rows: int, digest: int) -> None:
        """A target's final rows are durable, not yet visible."""

    def published(self, now: int) -> None:
        """The final rows of every table are visible to readers."""

    def operated(self, now: int, verb: str, value: int) -> None:
        """A person asks; `stepped` sees this for itself."""

    # --- What is known of the outcome.

    def tables(self, now: int, incremental: int, tables: Mapping[str, Mapping[Any, Any]]) -> None:
        """The rows by table and key, as folded from what counts up to `incremental`."""

    def ended(self, now: int, state: str, reason: str) -> None:
        """The driver stops here; `state` is "running" when it was only interrupted."""

    def healed(self, now: int) -> None:
        """Every fault has ended: from here on there must be progress."""

    def stalled(self, now: int, explanation: str) -> None:
        """The driver sees things happen, but no progress."""

    def deadlocked(self, now: int, explanation: str) -> None:
        """Nothing will ever happen again, and the restore has not ended."""

    def overdue(self, now: int, explanation: str) -> None:
        """The restore has not ended within its bound after the heal."""
