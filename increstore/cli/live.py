"""The live display of a restore on a terminal: one bar for the chain, one a table, the barrier."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from increstore.cli.display import (
    TABLES_SHOWN_MAX,
    abandoned_lines,
    done_before,
    opening,
    summary_lines,
)
from increstore.cli.facts import FactLines
from increstore.runtime.progress import RestoreProgress

if TYPE_CHECKING:
    from types import TracebackType

    from increstore.journal import JournalEvent
    from increstore.runtime.prepare import Prepared
    from increstore.runtime.restore import Outcome

REFRESHES_A_SECOND = 8


class LiveDisplay:
    """Redraws itself a few times a second; facts scroll past above it."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.progress = RestoreProgress(prepared.plan)
        self.progress.count_done(done_before(prepared))
        self._facts = FactLines(prepared.plan, self.progress)
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[rows]:>13}"),
            TextColumn("{task.fields[speed]}"),
            console=self._console,
        )
        self._chain = self._bars.add_task("starting", total=None, rows="", speed="")
        self._tables = self._add_tables()
        self._live = Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=REFRESHES_A_SECOND,
            transient=True,
        )
        self._shards = sum(len(table.bounds) + 1 for table in prepared.plan.tables)
        self._began = time.monotonic()

    def _add_tables(self) -> dict[str, TaskID]:
        shown = sorted(self.progress.tables.items(), key=lambda item: -item[1].rows)
        return {
            name: self._bars.add_task(f"  {name}", total=max(1, table.rows), rows="", speed="")
            for name, table in shown[:TABLES_SHOWN_MAX]
        }

    def __enter__(self) -> LiveDisplay:
        self._console.print(opening(self.prepared))
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)
        for line in self._facts.left():
            self._console.print(Text(line))

    def __call__(self, event: JournalEvent) -> None:
        self.progress(event)
        for line in self._facts.lines_of(event):
            self._live.console.print(Text(line))
        if event.name == "restore.abandoned":
            self._live.stop()  # Nobody else gives the terminal its cursor back.
            for line in abandoned_lines(self.prepared):
                self._console.print(Text(line))

    def summarize(self, outcome: Outcome, code: int) -> None:
        for line in summary_lines(self.prepared, outcome, time.monotonic() - self._began):
            self._console.print(Text(line))

    def _render(self) -> Group:
        self._update_chain()
        for name, task in self._tables.items():
            table = self.progress.tables[name]
            self._bars.update(task, completed=table.rows_applied, rows=f"{table.rows_applied:,}")
        return Group(self._bars, Text(self.progress.waits, style="dim", overflow="ellipsis"))

    def _update_chain(self) -> None:
        progress = self.progress
        last = len(self.prepared.plan.backups) - 1
        what = (
            f"merging {progress.shards_merged}/{self._shards}"
            if progress.state == "merging"
            else f"incremental {progress.incremental}/{last}"
            if progress.incremental
            else "full backup"
        )
        rate, left = progress.rate(), progress.seconds_left()
        speed = f"{rate:,.0f}/s" if rate and progress.state != "merging" else ""
        if left is not None and left >= 1:
            speed += f", {left:.0f} s left"
        self._bars.update(
            self._chain,
            description=what,
            total=max(1, progress.rows),
            completed=progress.rows_applied,
            rows=f"{progress.rows_applied:,}",
            speed=speed,
        )
