"""How far a restore is, folded from its journal events. Plain data: every display reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from increstore.protocol.topology import table_of

if TYPE_CHECKING:
    from increstore.chain.plan import RestorePlan
    from increstore.journal import JournalEvent

RATE_WINDOW_NS = 10_000_000_000
RATE_SAMPLES_MAX = 64
_ENDS = {f"restore.{end}" for end in ("completed", "failed", "paused", "cancelled", "interrupted")}


@dataclass(slots=True)
class TableProgress:
    """Rows of one table: to scan over the chain, applied in finished and in running scans."""

    rows: int
    rows_done: int = 0
    rows_running: dict[str, int] = field(default_factory=dict)

    @property
    def rows_applied(self) -> int:
        return min(self.rows, self.rows_done + sum(self.rows_running.values()))


class RestoreProgress:
    """A journal subscriber that knows what is done, how fast, and how long the rest may take."""

    def __init__(self, plan: RestorePlan) -> None:
        self.tables = {
            table.table: TableProgress(sum(step.rows for step in table.steps))
            for table in plan.tables
        }
        self.incremental = 0
        self.incrementals_done = 0
        self.shards_merged = 0
        self.state = "starting"
        self.waits = ""
        self._rows_of_step = {
            (table.table, step.incremental): step.rows
            for table in plan.tables
            for step in table.steps
        }
        self._backups = len(plan.backups)
        self._samples: list[tuple[int, int]] = []

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    @property
    def rows_applied(self) -> int:
        return sum(table.rows_applied for table in self.tables.values())

    def rows_of_incremental(self, incremental: int) -> int:
        return sum(
            rows for (_, number), rows in self._rows_of_step.items() if number == incremental
        )

    def count_done(self, incrementals: list[int]) -> None:
        """Take as done what an earlier run completed."""
        for incremental in incrementals:
            self._complete(incremental)
        if self.incrementals_done == self._backups:
            self.state = "merging"

    def __call__(self, event: JournalEvent) -> None:
        """Fold one event."""
        facts = event.facts
        match event.name:
            case "incremental.started":
                self._begin(facts["incremental"])
            case "scan.asked" if facts["incremental"] > self.incremental:
                self._begin(facts["incremental"])  # Started by an earlier run: told only there.
            case "scan.progress" if facts["incremental"] == self.incremental:
                table = self.tables[table_of(facts["source"])]
                table.rows_running[facts["source"]] = facts["rows_applied"]
                self._sample(event.at)
            case "scan.reported" if facts["status"] == "success":
                table = self.tables[table_of(facts["source"])]
                table.rows_running[facts["source"]] = facts["rows"]
                self._sample(event.at)
            case "incremental.completed":
                self._complete(facts["incremental"])
                self._sample(event.at)
            case "barrier.waits":
                self.waits = facts["says"]
            case _:
                self._finish(event.name)

    def _finish(self, name: str) -> None:
        """Fold what comes after the last incremental, or ends it all before."""
        if name == "restore.finalizing":
            self.state, self.waits = "merging", ""
        elif name == "target.finalized":
            self.shards_merged += 1
        elif name in _ENDS:
            self.state = name.removeprefix("restore.")

    def _begin(self, incremental: int) -> None:
        self.state, self.incremental = "applying", incremental

    def rate(self) -> float | None:
        """Rows applied a second over the last seconds; None before it can be told."""
        if len(self._samples) < 2:
            return None
        (first_at, first_rows), (last_at, last_rows) = self._samples[0], self._samples[-1]
        elapsed = (last_at - first_at) / 1e9
        return (last_rows - first_rows) / elapsed if elapsed > 0 else None

    def seconds_left(self) -> float | None:
        """At the present rate; the final merge is not in it. None before it can be told."""
        rate = self.rate()
        return (self.rows - self.rows_applied) / rate if rate else None

    def _complete(self, incremental: int) -> None:
        self.incrementals_done += 1
        self.waits = ""
        for (table, number), rows in self._rows_of_step.items():
            if number == incremental:
                self.tables[table].rows_done += rows
                self.tables[table].rows_running.clear()

    def _sample(self, at: int) -> None:
        self._samples.append((at, self.rows_applied))
        while len(self._samples) > RATE_SAMPLES_MAX or (
            len(self._samples) > 2 and self._samples[0][0] < at - RATE_WINDOW_NS
        ):
            del self._samples[0]
