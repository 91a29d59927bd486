"""What a restore shows: a live display on a terminal, plain lines in a pipe, or JSON lines.

People's text goes to stderr; stdout carries only what a program asked for with `--json`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

import click

from increstore.cli.facts import FactLines
from increstore.cli.refusal import summary
from increstore.cli.streams import leave_stdout, tell
from increstore.cli.words import counted
from increstore.errors import IncrestoreError, StorageFailed
from increstore.runtime.prepare import resume_command
from increstore.runtime.progress import RestoreProgress

if TYPE_CHECKING:
    from types import TracebackType

    from increstore.chain.plan import RestorePlan
    from increstore.journal import JournalEvent
    from increstore.runtime.prepare import Prepared
    from increstore.runtime.restore import Outcome

PROGRESS_LINE_EVERY_S = 5.0
TABLES_SHOWN_MAX = 8


class Display(Protocol):
    """A journal subscriber that shows a restore while it is entered."""

    def __call__(self, event: JournalEvent) -> None: ...
    def __enter__(self) -> Display: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def summarize(self, outcome: Outcome, code: int) -> None: ...


def choose_display(prepared: Prepared, *, as_json: bool, plain: bool) -> Display:
    if as_json:
        return JsonLines(prepared)
    if plain or not sys.stderr.isatty():
        return PlainLines(prepared)
    from increstore.cli.live import LiveDisplay

    return LiveDisplay(prepared)


class PlainLines:
    """One fact a line on stderr: for pipes, logs and screen readers."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.progress = RestoreProgress(prepared.plan)
        self.progress.count_done(done_before(prepared))
        self._facts = FactLines(prepared.plan, self.progress)
        self._began = time.monotonic()
        self._last_progress = self._began

    def __enter__(self) -> PlainLines:
        self.say(opening(self.prepared))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for line in self._facts.left():
            self.say(line)

    def __call__(self, event: JournalEvent) -> None:
        self.progress(event)
        for line in self._facts.lines_of(event):
            self.say(line)
        if event.name == "barrier.waits":
            self._say_progress()
        elif event.name == "restore.abandoned":
            for line in abandoned_lines(self.prepared):
                tell(line)

    def _say_progress(self) -> None:
        """Now and then how far it is; the barrier's sentence when nothing moves."""
        now = time.monotonic()
        if now - self._last_progress < PROGRESS_LINE_EVERY_S:
            return
        self._last_progress = now
        self.say(progress_line(self.progress))
        self.say(self._facts.shortened(self.progress.waits))

    def say(self, line: str) -> None:
        tell(f"{time.monotonic() - self._began:8.2f} s  {line}")

    def summarize(self, outcome: Outcome, code: int) -> None:
        for line in summary_lines(self.prepared, outcome, time.monotonic() - self._began):
            tell(line)


class JsonLines:
    """Every event as one JSON object a line on stdout, then one `summary`.

    A reader that goes away (`| head`) does not end the restore: nobody is told any more. A file
    that cannot be written does, by StorageFailed: what it lacks cannot be told later.
    """

    def __init__(self, prepared: Prepared | None) -> None:
        """Without `prepared`: of a drill, which prepares inside; to be set once it has."""
        self.prepared = prepared
        self._began = time.monotonic()
        self._has_reader = True

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, IncrestoreError) and self.prepared is not None:
            self._write_summary("stopped", str(error), int(error.exit_code))

    def __call__(self, event: JournalEvent) -> None:
        self._write(event.as_json())

    def summarize(self, outcome: Outcome, code: int) -> None:
        self._write_summary(state_told(outcome), outcome.reason, code)

    def _write_summary(self, state: str, reason: str, code: int) -> None:
        assert self.prepared is not None, "what has begun has been prepared"
        seconds = time.monotonic() - self._began
        self._write(summary_of(self.prepared, state, reason, code, seconds))

    def _write(self, line: dict[str, Any]) -> None:
        if self._has_reader:
            try:
                click.echo(json.dumps(line, ensure_ascii=False, default=str))
            except BrokenPipeError:
                self._has_reader = False
                leave_stdout()
            except OSError as error:
                self._has_reader = False
                leave_stdout()
                raise StorageFailed(
                    f"stdout cannot be written: {error.strerror}; free some space, or send it "
                    "elsewhere, and run the same command again"
                ) from error


def summary_of(
    prepared: Prepared, state: str, reason: str, code: int, seconds: float
) -> dict[str, Any]:
    """The `summary` object of a restore that has begun."""
    return summary(
        state,
        reason,
        [reason] if reason else [],
        code,
        seconds,
        restore=prepared.job.restore,
        upto=prepared.plan.backups[-1],
        newer_backups=prepared.newer_backups,
        tables=[{"table": table.table, "rows": table.rows} for table in prepared.plan.tables],
        resume=None if code == 0 else resume_command(prepared.request),
    )


def state_told(outcome: Outcome) -> str:
    """The state as a program reads it: one that was stopped while running is "interrupted"."""
    return "interrupted" if outcome.state.value == "running" else outcome.state.value


def done_before(prepared: Prepared) -> list[int]:
    """The incrementals that an earlier run completed."""
    from increstore.protocol.records import IncrementalCompleted

    return [r.incremental for r in prepared.history if isinstance(r, IncrementalCompleted)]


def opening(prepared: Prepared) -> str:
    plan = prepared.plan
    done = len(done_before(prepared))
    all_backups = counted(len(plan.backups), "backup")
    begun = f"resuming after {done} of {all_backups}" if prepared.resumes else "start"
    return (
        f"{begun}: {counted(len(plan.tables), 'table')}, {all_backups}, "
        f"{counted(plan.change_rows, 'row')}; {plan.sources} to {plan.targets} shards "
        f"{'in memory' if prepared.request.on == 'memory' else 'over TCP'}"
    )


def progress_line(progress: RestoreProgress) -> str:
    share = progress.rows_applied / progress.rows if progress.rows else 1.0
    rate = progress.rate()
    speed = f", {rate:,.0f} rows/s" if rate else ""
    return f"{progress.state}: {progress.rows_applied:,} rows ({share:.0%}){speed}{_eta(progress)}"


def _eta(progress: RestoreProgress) -> str:
    left = progress.seconds_left()
    return f", about {left:.0f} s left" if left is not None and left >= 1 else ""


def summary_lines(prepared: Prepared, outcome: Outcome, seconds: float) -> list[str]:
    """What happened, and what to do next."""
    from increstore.protocol.coordinator import RestoreState

    plan, request = prepared.plan, prepared.request
    if outcome.state is RestoreState.COMPLETED:
        return [*_completed_lines(prepared, outcome, seconds), *_newer_line(prepared)]
    if outcome.state is RestoreState.FAILED:
        return [
            f"restore failed: {outcome.reason}",
            f"readers of {request.target} see nothing of it; once the cause is mended, go on with:",
            f"  {resume_command(request)}",
        ]
    why = outcome.reason or "interrupted"
    return [
        f"restore stopped: {why}",
        f"all that was applied of {plan.backups[-1]} and before it is kept; go on with:",
        f"  {resume_command(request)}",
    ]


def abandoned_lines(prepared: Prepared) -> list[str]:
    """The last words after a second signal."""
    return [
        "restore stopped at once; what was durable is kept, go on with:",
        f"  {resume_command(prepared.request)}",
    ]


def _completed_lines(prepared: Prepared, outcome: Outcome, seconds: float) -> list[str]:
    plan, target = prepared.plan, prepared.request.target
    if outcome.was_complete:
        head = f"{target} is already restored up to {plan.backups[-1]}; nothing was done"
    else:
        head = f"restored up to {plan.backups[-1]}"
    width = max(len(table.table) for table in plan.tables)
    return [head, *_work_line(prepared, outcome, seconds)] + [
        f"  {table.table:<{width}}  {table.rows:>12,} rows  {target / table.table}/*.parquet"
        for table in plan.tables
    ]


def _work_line(prepared: Prepared, outcome: Outcome, seconds: float) -> list[str]:
    """What this run did: after a resume that is less than the whole chain."""
    if outcome.was_complete:
        return []
    rows = rows_to_scan(prepared)
    rate = f" ({rows / seconds:,.0f} rows/s)" if rows and seconds > 0 else ""
    kept = prepared.plan.change_rows - rows
    before = f", {kept:,} in earlier runs" if kept else ""
    scanned = f"{counted(rows, 'row')} scanned{rate}{before}"
    return [f"  in {seconds:.2f} s: {scanned}; counts and digests agree"]


def rows_to_scan(prepared: Prepared) -> int:
    """Rows of the backups that no earlier run has completed."""
    done = set(done_before(prepared))
    steps = (step for table in prepared.plan.tables for step in table.steps)
    return sum(step.rows for step in steps if step.incremental not in done)


def _newer_line(prepared: Prepared) -> list[str]:
    if not prepared.newer_backups:
        return []
    return [
        f"the collection has {counted(prepared.newer_backups, 'newer backup')}; "
        "restore into a new target to get them"
    ]


def show_plan(plan: RestorePlan, *, resumes: bool, newer: int, as_json: bool) -> None:
    """What a restore would do: the output of `--dry-run`, on stdout."""
    for number, backup in enumerate(plan.backups):
        steps = {t.table: t.step(number).rows for t in plan.tables if _changes(t, number)}
        if as_json:
            click.echo(json.dumps({"event": "plan.backup", "backup": backup, "rows": steps}))
        else:
            tables = ", ".join(f"{table} {rows:,}" for table, rows in steps.items())
            click.echo(f"{number:4}  {backup}  {tables or 'nothing changed'}")
    summary = {
        "event": "plan",
        "resumes": resumes,
        "sources": plan.sources,
        "targets": plan.targets,
        "rows": plan.change_rows,
        "newer_backups": newer,
        "tables": [{"table": t.table, "rows": t.rows} for t in plan.tables],
    }
    if as_json:
        click.echo(json.dumps(summary))
    else:
        click.echo(
            f"{'would resume' if resumes else 'would restore'} "
            f"{counted(len(plan.tables), 'table')} "
            f"from {counted(plan.change_rows, 'row')}, "
            f"with {counted(plan.sources, 'source shard')} and "
            f"{counted(plan.targets, 'target shard')} a table; nothing was written"
        )


def _changes(table: Any, number: int) -> bool:
    return any(step.incremental == number for step in table.steps)
