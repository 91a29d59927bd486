"""One line of a journal, told to a judge as what it says happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.judging import journal_words as words
from increstore.protocol.topology import COORDINATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.judging.journal_lines import JournalLine
    from increstore.judging.judge import Judge

IGNORED = frozenset(
    {
        "barrier.waits", "batch.rejected", "changes.applied", "completion.received",
        "disk.power_lost", "events.lost", "fault.ended", "fault.injected", "fault.skipped",
        "message.lost", "node.crashed", "node.restarted", "node.started", "page.failed", "refused",
        "restore.abandoned", "restore.interrupted", "restore.refused", "scan.asked",
        "scan.progress", "shard.restarting", "storage.corrupted", "worker.died",
    }
)  # fmt: skip
"""Events that say nothing a judge needs; only ever asked for membership."""


class Player:
    """Tells a judge what a line says. Raises: InvariantViolated; KeyError .. for a wrong line."""

    def __init__(self, judge: Judge, unknown: dict[str, int]) -> None:
        self._judge = judge
        self._unknown = unknown
        self._restore = judge.topology.restore

    def tell(self, line: JournalLine) -> None:
        if line.event in words.RECORDS:
            self._tell_record(line)
            return
        play = PLAYED.get(line.event)
        if play is not None:
            play(self, line)
        elif line.event not in IGNORED:
            self._unknown[line.event] = self._unknown.get(line.event, 0) + 1

    def _tell_record(self, line: JournalLine) -> None:
        if line.node in self._judge.truth.histories or line.node in self._judge.truth.targets:
            record = words.record_of(line.event, line.facts, self._restore)
            self._judge.recorded(line.at, line.node, record)

    def _recovered_history(self, line: JournalLine) -> None:
        if line.node in self._judge.truth.histories:
            found = [
                words.record_of(told["event"], told, self._restore)
                for told in line.facts["records"]
            ]
            self._judge.recovered(line.at, line.node, found)

    def _recovered_shard(self, line: JournalLine) -> None:
        if line.node in self._judge.truth.targets:
            self._judge.recovered(line.at, line.node, words.state_of(line.facts))

    def _began_life(self, line: JournalLine) -> None:
        truth = self._judge.truth
        if line.node in truth.histories or line.node in truth.sources or line.node in truth.targets:
            self._judge.started(line.at, line.node, 0)

    def _sent(self, line: JournalLine) -> None:
        message = words.message_of(line.facts)
        if message is None:
            self._count_kind(line)
        else:
            self._judge.sent(line.at, line.node, line.facts["to"], message)

    def _received(self, line: JournalLine) -> None:
        message = words.message_of(line.facts)
        if message is None:
            self._count_kind(line)
        else:
            self._judge.received(line.at, line.facts["from"], line.node, message)

    def _count_kind(self, line: JournalLine) -> None:
        name = f"{line.event} of {line.facts['kind']}"
        self._unknown[name] = self._unknown.get(name, 0) + 1

    def _read(self, line: JournalLine) -> None:
        facts = line.facts
        self._judge.scan_read(
            line.at,
            line.node,
            words.scan_of(facts),
            facts["page"],
            facts["rows"],
            words.batches_of(facts),
            facts["last"],
        )

    def _applied(self, line: JournalLine) -> None:
        facts = line.facts
        scan, digest = words.scan_of(facts), int(facts["digest"], 16)
        self._judge.applied(line.at, line.node, scan, facts["order"], facts["rows"], digest)

    def _sealed(self, line: JournalLine) -> None:
        if "streams" in line.facts:
            streams = words.streams_of(line.facts)
            self._judge.sealed(line.at, line.node, line.facts["incremental"], streams)

    def _finalized(self, line: JournalLine) -> None:
        digest = int(line.facts["digest"], 16)
        self._judge.finalized(line.at, line.node, line.facts["rows"], digest)

    def _published(self, line: JournalLine) -> None:
        if line.node == COORDINATOR:
            self._judge.published(line.at)

    def _operated(self, line: JournalLine) -> None:
        self._judge.operated(line.at, line.facts["verb"], line.facts["value"])

    def _failed(self, line: JournalLine) -> None:
        if line.facts.get("ends_life"):
            self._judge.write_failed(line.at, line.node)

    def _lost_data(self, line: JournalLine) -> None:
        self._judge.rolled_back(line.at, line.node)

    def _changed_clock(self, line: JournalLine) -> None:
        self._judge.clock_changed(line.at, line.node)

    def _usurped(self, line: JournalLine) -> None:
        self._judge.usurped(line.at, line.facts["overtaken"])

    def _planned(self, line: JournalLine) -> None:
        """Read before the run."""


PLAYED: dict[str, Callable[[Player, JournalLine], None]] = {
    "restore.planned": Player._planned,
    "history.recovered": Player._recovered_history,
    "shard.recovered": Player._recovered_shard,
    "life.began": Player._began_life,
    "message.sent": Player._sent,
    "message.received": Player._received,
    "page.read": Player._read,
    "batch.applied": Player._applied,
    "run.sealed": Player._sealed,
    "rows.finalized": Player._finalized,
    "tables.published": Player._published,
    "operator.asked": Player._operated,
    "storage.failed": Player._failed,
    "data.lost": Player._lost_data,
    "clock.changed": Player._changed_clock,
    "coordinator.usurped": Player._usurped,
}
