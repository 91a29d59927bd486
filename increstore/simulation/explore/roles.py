"""A source shard and the coordinator: the work they ask for, and the laws of their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol.ledger import RestoreState
from increstore.protocol.messages import (
    ApplyChanges,
    CompletionNotification,
    Evidence,
    Refused,
    StartScan,
    Status,
)
from increstore.protocol.ready import (
    OperatorAsked,
    PageFailed,
    PublishFailed,
    PublishTables,
    ReadPage,
    Received,
    TablesPublished,
)
from increstore.protocol.records import ScanReported
from increstore.protocol.topology import COORDINATOR, table_of
from increstore.simulation.explore.kept import History, LiveStream
from increstore.simulation.explore.laws import LawBroken, expect
from increstore.simulation.explore.role import WALL, Deed, Node, Role
from increstore.simulation.explore.target_role import TargetRole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from increstore.protocol.messages import ScanId
    from increstore.protocol.ready import Event, Ready
    from increstore.simulation.explore.small_world import SmallWorld


class SourceRole(Role):
    """Reads pages in any order, and keeps nothing."""

    def __init__(self, world: SmallWorld, name: str) -> None:
        super().__init__(world, name)
        self._table = world.topology.table(table_of(name))

    def first(self) -> None:
        return None

    def begin(self, node: Node) -> Any:
        return self.world.source(self.name, self._table)

    def deeds(self, node: Node, core: Any) -> Iterator[Deed]:
        for place, effect in enumerate(node.pending):
            assert isinstance(effect, ReadPage)
            rest = node.pending[:place] + node.pending[place + 1 :]
            page = self.world.page(effect.scan, effect.page)
            yield Deed(f"reads page {effect.page}", None, rest, page)
            failed = PageFailed(effect.scan, effect.page, True, "the disk hiccups")
            yield Deed(f"cannot read page {effect.page}", None, rest, failed, "failures")

    def check(self, before: Any, core: Any, event: Event, ready: Ready, kept: Any) -> None:
        window = self.world.shape.window
        for stream in core.view().streams:
            told = f"{self.name} has {stream.sent - stream.watermark} batches under way"
            expect(stream.sent - stream.watermark <= window, "R2", told)
        for target, message in ready.messages:
            if isinstance(message, ApplyChanges):
                self._check_batch(target, message)
            elif isinstance(message, CompletionNotification) and message.status is Status.SUCCESS:
                self._check_evidence(message)

    def _check_batch(self, target: str, message: ApplyChanges) -> None:
        owed = self.world.owed(self.name, message.scan.incremental, target)
        batch = owed[message.order - 1] if message.order <= len(owed) else None
        told = f"{self.name} sends another batch as order {message.order} to {target}"
        expect(batch == (message.rows, message.digest), "E2", told)

    def _check_evidence(self, report: CompletionNotification) -> None:
        scan, found = report.scan, {evidence.target: evidence for evidence in report.evidence}
        for target in self._table.targets:
            owed = LiveStream(scan, self.world.owed(self.name, scan.incremental, target)).state()
            expected = Evidence(target, owed.rows, owed.watermark, owed.digest)
            told = f"{self.name} reports {_counts(found.get(target))}; expected {_counts(expected)}"
            expect(found.get(target) == expected, "C7", told)


class CoordinatorRole(Role):
    """Appends to its history, publishes, and is asked things by an operator."""

    def first(self) -> History:
        return History()

    def begin(self, node: Node) -> Any:
        return self.world.coordinator(node.kept.records, node.now, WALL + node.now)

    def append(self, kept: Any, records: Sequence[Any]) -> Any:
        return kept.append(tuple(records), self.world) if records else kept

    def deeds(self, node: Node, core: Any) -> Iterator[Deed]:
        for effect in node.pending:
            assert isinstance(effect, PublishTables)
            kept = node.kept
            yield Deed("has published the tables", kept, (), TablesPublished(), is_published=True)
            failed = PublishFailed("the disk hiccups")
            yield Deed("cannot publish", kept, (), failed, "failures")
        if core.state in (RestoreState.RUNNING, RestoreState.FINALIZING):
            for verb in ("pause", "cancel"):
                asked = OperatorAsked(verb)
                yield Deed(f"is told to {verb}", node.kept, node.pending, asked, "operator")
        elif core.state is RestoreState.PAUSED:
            # Not a fault: whoever paused it, or saw it pause, goes on some time.
            asked = OperatorAsked("resume")
            yield Deed("is told to resume", node.kept, node.pending, asked)

    def check(self, before: Any, core: Any, event: Event, ready: Ready, kept: Any) -> None:
        for record in ready.records:
            if isinstance(record, ScanReported):
                self._check_report(before, event, record)
        for _, message in ready.messages:
            if isinstance(message, StartScan):
                self._check_start(kept, message)
        cap = self.world.shape.in_flight
        told = f"{core.in_flight} scans are in flight, the cap is {cap}"
        expect(cap == -1 or core.in_flight <= cap, "R1", told)
        if core.state is RestoreState.FAILED:
            raise LawBroken("X2", f"the restore failed: {core.reason}")

    @staticmethod
    def _check_report(before: History, event: Event, record: ScanReported) -> None:
        assert isinstance(event, Received), "a report comes as a message"
        sender, message = event.sender, event.message
        assert isinstance(message, CompletionNotification | Refused)
        told = f"a report made for generation {message.generation} counts in"
        current = before.facts.generation
        expect(message.generation == current, "S1", f"{told} {current}")
        expect(sender == record.scan.source, "S2", f"{sender} reports for {record.scan.source}")
        counted = f"{_told(message.scan)} counts as one on {_told(record.scan)}"
        expect(message.scan == record.scan, "S2", f"a report on {counted}")
        status = getattr(message, "status", Status.FATAL)
        told = f"{sender} reported {status.value}, recorded is {record.status.value}"
        expect(record.status is status, "C3", told)

    def _check_start(self, kept: History, message: StartScan) -> None:
        scan, facts = message.scan, kept.facts
        told = f"{scan.source} is asked for incremental {scan.incremental}"
        expect(facts.all_succeeded_before(scan.incremental, self.world), "O1", f"{told} too early")
        again = (scan.incremental, scan.source) in facts.succeeded
        expect(not again, "K3", f"{told}, which has succeeded")


def _counts(evidence: Evidence | None) -> str:
    if evidence is None:
        return "nothing"
    told = f"{evidence.batches} batches, {evidence.rows} rows, digest {evidence.digest:016x},"
    return f"{told} for {evidence.target}"


def _told(scan: ScanId | None) -> str:
    if scan is None:
        return "no scan"
    return f"incremental {scan.incremental}, attempt {scan.attempt},"


def role_of(world: SmallWorld, name: str) -> Role:
    """The role that a node of this name plays."""
    if name == COORDINATOR:
        return CoordinatorRole(world, name)
    is_source = name in world.topology.table(table_of(name)).sources
    return SourceRole(world, name) if is_source else TargetRole(world, name)
