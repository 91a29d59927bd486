"""The judge of one restore: told of everything that is observed, it raises what must not be.

What it is told, and when, is said in `observer`. `now` is in nanoseconds of one clock for all nodes
that does not go back.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

from increstore.judging.catalogue import MONITORS, laws_by_observation
from increstore.judging.chains import CHAINS, TELLS
from increstore.judging.config import JudgeConfig
from increstore.judging.dispatch import RECEIVED, SENT
from increstore.judging.observer import Observer
from increstore.judging.truth import Truth
from increstore.protocol.coordinator import RestoreState
from increstore.protocol.ready import OperatorAsked, PageRead
from increstore.protocol.records import GenerationSeen, GenerationStarted, RestorePaused
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from increstore.judging.dispatch import Tellings
    from increstore.judging.observer import Tell
    from increstore.protocol.messages import Message, ScanId, StreamEvidence
    from increstore.protocol.ready import Batch, Event, Ready
    from increstore.protocol.records import Record
    from increstore.protocol.target_state import TargetState
    from increstore.protocol.topology import Topology

    Check = Callable[..., None]
    Checks = tuple[Check, ...]

__all__ = ["Judge", "JudgeConfig"]

_NO_PROGRESS = (GenerationStarted, RestorePaused)


class Judge(Observer):
    """Judges what it is told of one restore. Raises: InvariantViolated, from any method.

    `only` leaves out every invariant whose id is not named; `counting` has `counts` tell how often
    each was judged.
    """

    def __init__(
        self,
        topology: Topology,
        config: JudgeConfig | None = None,
        *,
        only: Sequence[str] | None = None,
        counting: bool = False,
    ) -> None:
        super().__init__()
        self.topology = topology
        self.config = config or JudgeConfig()
        self.truth = Truth(topology, self.config.scans_in_flight)
        self.counts: dict[str, int] = {}
        """How often each invariant was judged, by id; empty unless it is counting."""
        self._laws = laws_by_observation(None if only is None else tuple(only))
        self._monitors = {kind: kind(self.truth, self.config) for kind in MONITORS}
        self._is_chained = only is None and not counting
        if counting:
            laws = [law for those in self._laws.values() for law in those]
            self.counts = {identity: 0 for identity, _, _ in laws}
        self._checks: dict[str, Checks] = {}
        """What judges an observation that was asked for."""
        self.sendings = self._tellings(SENT)
        self.receipts = self._tellings(RECEIVED)
        self._recorded: dict[type, Checks] = {}
        self._applied = self._checks_of("applied")
        self._stepped = self._checks_of("stepped")
        self._stepped_by: dict[type, Checks] = {
            OperatorAsked: self._checks_of("stepped OperatorAsked")
        }
        if self.config.bytes_held_max is not None:
            self._stepped_by[PageRead] = self._checks_of("stepped PageRead")
        self._read = self._checks_of("scan_read")

    def _counting(self, identity: str, check: Check) -> Check:
        def counted(*told: Any) -> None:
            self.counts[identity] += 1
            check(*told)

        return counted

    def _checks_of(self, observation: str) -> Checks:
        """What judges this observation, made when it is first asked for."""
        checks = self._checks.get(observation)
        if checks is None:
            checks = self._checks[observation] = self._make_checks(observation)
        return checks

    def _tellings(self, tellings: Tellings) -> dict[type, Tell]:
        """Who is told of a message, by its class, and has it judged."""
        checks_of = self._checks_of
        found: dict[type, Tell] = {}
        for kind, observation, tell in tellings:
            if self._is_chained and observation in TELLS:
                found[kind] = TELLS[observation](self.truth, checks_of, self._monitors)
            else:
                found[kind] = tell(self.truth, checks_of(observation), checks_of)
        return found

    def _make_checks(self, observation: str) -> Checks:
        if self._is_chained and observation in CHAINS:
            return (CHAINS[observation](self._monitors),)
        laws, monitors = self._laws.get(observation, ()), self._monitors
        checks: list[Check] = [MethodType(law, monitors[monitor]) for _, monitor, law in laws]
        if self.counts:
            identities = (identity for identity, _, _ in laws)
            checks = list(map(self._counting, identities, checks))
        return tuple(checks)

    # --- Lives.

    def started(self, now: int, node: str, incarnation: int, core: object = None) -> None:
        """A new life of this node begins; its incarnations rise."""
        history = self.truth.histories.get(node)
        if history is not None:
            history.begin_life()
            self.truth.cap = self.config.scans_in_flight  # What a person asked for is not durable.
            return
        shard = self.truth.sources.get(node) or self.truth.targets[node]
        shard.is_up = True
        shard.is_blind = False
        shard.incarnation = max(incarnation, shard.incarnation + 1)
        shard.forget()

    def crashed(self, now: int, node: str) -> None:
        """The node is down; nothing of it may become durable until it has started again."""
        history = self.truth.histories.get(node)
        if history is not None:
            history.untold = {}  # Who died before it could tell them has not ended the restore.
        shard = self.truth.sources.get(node) or self.truth.targets.get(node)
        if shard is not None:
            shard.is_up = False

    def recovered(self, now: int, node: str, state: TargetState | Sequence[Record]) -> None:
        """What a target's store, or a coordinator's log, holds durably at a start."""
        for check in self._checks_of("recovered"):
            check(now, node, state)
        target = self.truth.targets.get(node)
        if target is None:
            self.truth.recover_history(now, node, state)  # type: ignore[arg-type]
        else:
            self.truth.recover_target(target, state)  # type: ignore[arg-type]
            target.is_blind = False
            target.is_up = True

    def rolled_back(self, now: int, node: str) -> None:
        """A fault took away durable data: what was acknowledged there may be gone."""
        self.truth.rolled_back[node] = None

    def write_failed(self, now: int, node: str) -> None:
        """A durable write failed and is indeterminate; this life may write no more."""
        target = self.truth.targets.get(node)
        if target is not None:
            target.has_failed = True

    def clock_changed(self, now: int, node: str) -> None:
        """The node's wall clock has jumped or drifts; times it records prove nothing."""
        self.truth.clocks_changed[node] = None

    def lost_sight(self, now: int, node: str) -> None:
        """From here on a shard may do what the driver cannot tell, until its next life is told."""
        shard = self.truth.sources.get(node) or self.truth.targets.get(node)
        if shard is not None:
            shard.is_blind = True

    def usurped(self, now: int, overtaken: str) -> None:
        """The coordinator so far goes on under the name `overtaken`, with its history so far.

        Its records are told under that name; `coordinator` is the new one. Messages of both are
        sent by and to `coordinator`: their generation tells whose they are.
        """
        self.truth.usurp(overtaken)

    # --- What nodes do.

    def stepped(self, now: int, node: str, core: Any, event: Event, ready: Ready) -> None:
        """A core has taken an event; nothing of `ready` has been done yet."""
        if node == COORDINATOR:
            self.truth.decided_at = now
        for check in self._stepped:
            check(now, node, core, event, ready)
        if type(event) in self._stepped_by:
            for check in self._stepped_by[type(event)]:
                check(now, node, core, event, ready)
            if isinstance(event, OperatorAsked):
                self.operated(now, event.verb, event.value)

    def recorded(self, now: int, node: str, record: Record) -> None:
        """The record is durable."""
        kind = type(record)
        checks = self._recorded.get(kind)
        if checks is None:
            checks = self._recorded[kind] = self._checks_of_record(kind)
        if kind is GenerationSeen:
            target = self.truth.targets[node]
            for check in checks:
                check(now, target, record)
            target.generation = record.generation  # type: ignore[union-attr]
            target.heard = max(target.heard, target.generation)
            return
        history = self.truth.histories[node]
        for check in checks:
            check(now, history, record)
        self.truth.record(now, history, record)
        if kind not in _NO_PROGRESS:
            self.truth.moved_at = now

    def _checks_of_record(self, kind: type) -> Checks:
        own = self._checks_of(f"recorded {kind.__name__}")
        return own if kind is GenerationSeen else (*self._checks_of("recorded *"), *own)

    def sent(self, now: int, sender: str, receiver: str, message: Message) -> None:
        """A core says something, after the records of the same step."""
        self.sendings[type(message)].tell(now, sender, receiver, message)

    def received(self, now: int, sender: str, receiver: str, message: Message) -> None:
        """The message is given to the receiver's core."""
        self.receipts[type(message)].tell(now, sender, receiver, message)

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
        """A source has read a page (also an empty one): what the scan owes to the targets."""
        if scan.restore != self.truth.restore:
            return
        for check in self._read:
            check(now, node, scan, page, rows, batches, last)
        reads = self.truth.sources[node].reads
        key = (scan.incremental, scan.attempt, page)
        reads[key] = reads.get(key, 0) + 1
        self.truth.read(scan, page, batches, last)

    def applied(
        self, now: int, node: str, scan: ScanId, order: int, rows: int, digest: int
    ) -> None:
        """A batch and its watermark are durable at a target."""
        stream = self.truth.stream(node, scan)
        if stream is None:
            self._applied_elsewhere(now, node, scan)
            return
        for check in self._applied:
            check(now, stream, order, rows, digest)
        rows_new = stream.take(order, rows, digest)
        if rows_new:
            self.truth.count_applied(stream, rows_new)
        self.truth.moved_at = now

    def _applied_elsewhere(self, now: int, node: str, scan: ScanId) -> None:
        for check in self._checks_of("applied elsewhere"):
            check(now, node, scan)

    def sealed(
        self, now: int, node: str, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        """A seal is durable at a target."""
        target = self.truth.targets[node]
        for check in self._checks_of("sealed"):
            check(now, target, incremental, streams)
        target.sealed[incremental] = tuple(streams)
        target.find_due()
        self.truth.moved_at = now

    def finalized(self, now: int, node: str, rows: int, digest: int) -> None:
        """A target's final rows are durable, not yet visible."""
        target = self.truth.targets[node]
        for check in self._checks_of("finalized"):
            check(now, target, rows, digest)
        target.finalized = (rows, digest)
        self.truth.moved_at = now

    def published(self, now: int) -> None:
        """The final rows of every table are visible to readers."""
        for check in self._checks_of("published"):
            check(now)
        self.truth.is_published = True
        self.truth.moved_at = now

    def operated(self, now: int, verb: str, value: int) -> None:
        """A person asks; `stepped` sees this for itself."""
        if verb == "cap" and (value == -1 or value >= 1):
            self.truth.cap = value

    def close(self) -> None:
        """Nothing more will be observed: what refers to each other lets go."""
        for target in self.truth.targets.values():
            target.streams.clear()
            target.by_incremental.clear()

    # --- What is known of the outcome.

    def tables(self, now: int, incremental: int, tables: Mapping[str, Mapping[Any, Any]]) -> None:
        """The rows by table and key, as folded from what counts up to `incremental`."""
        for check in self._checks_of("tables"):
            check(now, incremental, tables)

    def ended(self, now: int, state: str | RestoreState, reason: str) -> None:
        """The driver stops here; `state` is "running" when it was only interrupted."""
        told = state.value if isinstance(state, RestoreState) else state
        for check in self._checks_of("ended"):
            check(now, told, reason)

    def healed(self, now: int) -> None:
        """Every fault has ended: from here on there must be progress."""
        if self.config.progress_within_ns is not None and not self.truth.is_healed:
            self._stepped += self._checks_of("stepped and bounded")
        self.truth.is_healed = True
        self.truth.moved_at = max(now, self.truth.moved_at)

    def stalled(self, now: int, explanation: str) -> None:
        """The driver sees things happen, but no progress."""
        for check in self._checks_of("stalled"):
            check(now, explanation)

    def deadlocked(self, now: int, explanation: str) -> None:
        """Nothing will ever happen again, and the restore has not ended."""
        for check in self._checks_of("deadlocked"):
            check(now, explanation)

    def overdue(self, now: int, explanation: str) -> None:
        """The restore has not ended within its bound after the heal."""
        for check in self._checks_of("overdue"):
            check(now, explanation)
