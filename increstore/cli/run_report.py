"""What `increstore run` does and says: progress, one line a file, failures in full, a summary."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from increstore.cli.streams import show_over, tell
from increstore.cli.words import counted
from increstore.errors import ExitCode, IncrestoreError, StorageFailed, UsageError
from increstore.proving.campaign import (
    FileReport,
    NotAlike,
    Plan,
    find_scenarios,
    load_all,
    parity_faults,
    plan_campaign,
)
from increstore.proving.everywhere import plan_crashes
from increstore.proving.junit import write_junit
from increstore.proving.led_there import what_led_there
from increstore.proving.tasks import run_tasks
from increstore.proving.writing import require_file, require_folder
from increstore.stops import stopping_at_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from increstore.proving.tasks import Task
    from increstore.proving.verdict import Verdict

FAILURES_SHOWN_MAX = 3
PROGRESS_PERIOD_S = 0.2


@dataclass(frozen=True, slots=True)
class RunChoices:
    """What the command line asked for."""

    scenarios: tuple[Path, ...]
    mode: str | None
    seeds: range | None
    jobs: int
    crash_everywhere: bool
    crash_at: tuple[int, ...]
    shrink: bool
    out: Path
    junit: Path | None
    journal: Path | None
    as_json: bool
    serve: str | None = None
    takes_commands: bool = False
    """Whether those who look at a served run may break it."""

    @property
    def simulates_only(self) -> bool:
        return self.crash_everywhere or bool(self.crash_at) or self.shrink


def run_and_report(choices: RunChoices) -> ExitCode:
    """Run the campaign; returns the exit code. Raises: ScenarioError, UsageError, StorageFailed."""
    with stopping_at_once():
        plans = _plan(choices)
    started = time.monotonic()
    reports = [_run_plan(plan, choices) for plan in plans]
    faults = parity_faults(reports) if choices.mode == "all" else []
    return _conclude(choices, reports, faults, time.monotonic() - started)


def _plan(choices: RunChoices) -> list[Plan]:
    """What to run, once all is in order; says what is left out."""
    scenarios = load_all(find_scenarios(choices.scenarios))
    mode = "simulation" if choices.simulates_only else choices.mode
    plans, skipped = plan_campaign(scenarios, mode, choices.seeds)
    if choices.journal is not None or choices.serve is not None:
        _require_one_run(plans, "--journal" if choices.serve is None else "--serve")
    _require_room_for_results(choices, [path for path, _ in scenarios])
    for sentence in skipped:
        _say(f"skipped  {sentence}")
    return plans


def _require_room_for_results(choices: RunChoices, scenarios: list[Path]) -> None:
    """A result never takes the place of what it is a result of, nor of another one."""
    taken = {path.resolve(): "a scenario of this run" for path in scenarios}
    for option, path in (("--junit", choices.junit), ("--journal", choices.journal)):
        if path is None:
            continue
        if path.resolve() in taken:
            raise UsageError(f"{option}: {path} is {taken[path.resolve()]}; name another file")
        taken[path.resolve()] = f"the file of {option}"
        require_file(path)
    if choices.shrink:
        require_folder(choices.out)


def _require_one_run(plans: list[Plan], option: str) -> None:
    runs = sum(len(plan.seeds) for plan in plans)
    if runs != 1:
        raise UsageError(
            f"{option} is for one run, got {runs}: name one scenario, one mode (--on) and one "
            "seed (--seed)"
        )


def _run_plan(plan: Plan, choices: RunChoices) -> FileReport:
    report = FileReport(plan)
    started = time.monotonic()
    note = ""
    try:
        _count(report, _verdicts_of(plan, choices), len(plan.seeds), choices)
        if choices.crash_everywhere and report.is_green and report.first is not None:
            note = _crash_everywhere(report, choices)
    except (KeyboardInterrupt, IncrestoreError):
        # What is known by now is worth telling: it may have taken hours.
        if report.runs:
            _tell_file(report, time.monotonic() - started, "stopped before the end", good="stop")
        raise
    _tell_file(report, time.monotonic() - started, note)
    for point in choices.crash_at:
        if missed := report.never_passed.get(point):
            runs = counted(report.runs, "run")
            _say(f"      note: crash point {point} was never passed in {missed} of {runs}")
    return report


def _verdicts_of(plan: Plan, choices: RunChoices) -> Iterable[Verdict]:
    tasks = plan.tasks(choices.crash_at)
    if choices.serve is not None:
        from increstore.cli.run_served import run_served

        title, place, asks = plan.scenario.title, choices.serve, choices.takes_commands
        return [
            run_served(task, title, place, choices.journal, takes_commands=asks) for task in tasks
        ]
    if choices.journal is not None:
        from increstore.proving.journalled import run_with_journal

        return [run_with_journal(task, choices.journal) for task in tasks]
    return run_tasks(tasks, choices.jobs)


def _crash_everywhere(report: FileReport, choices: RunChoices) -> str:
    """Crash at each point of the plan's first seed; returns what was done, with K."""
    first = report.first
    assert first is not None
    crashes = plan_crashes(first.scenario, first.seed, first.points)
    tasks: Iterator[Task] = crashes.tasks()
    _count(report, run_tasks(tasks, choices.jobs), crashes.runs, choices)
    return f"K = {crashes.points} crash points, {len(crashes.pairs)} pairs"


def _count(
    report: FileReport, verdicts: Iterable[Verdict], expected: int, choices: RunChoices
) -> None:
    progress = Progress(report, expected)
    try:
        for verdict in verdicts:
            report.count(verdict)
            if choices.as_json:
                click.echo(json.dumps(verdict.as_json(), ensure_ascii=False))
            progress.show()
    finally:
        show_over("")


class Progress:
    """One line that is written over; nothing at all in a pipe."""

    def __init__(self, report: FileReport, expected: int) -> None:
        self._report = report
        self._done_before = report.runs
        self._expected = expected
        self._started = self._shown_at = time.monotonic()

    def show(self) -> None:
        now = time.monotonic()
        if now - self._shown_at < PROGRESS_PERIOD_S:
            return
        self._shown_at = now
        done = self._report.runs - self._done_before
        rate = done / (now - self._started)
        text = (
            f"{self._report.plan.path} on {self._report.plan.mode}: {done}/{self._expected} runs, "
            f"{rate:,.0f}/s, {len(self._report.failures)} failed"
        )
        show_over(text)


def _tell_file(report: FileReport, took_s: float, note: str, good: str = "ok  ") -> None:
    plan = report.plan
    word = good if report.is_green else "FAIL"
    runs = counted(report.runs, "run")
    failed = f", {len(report.failures)} failed" if report.failures else ""
    more = f", {note}" if note else ""
    _say(f"{word}  {plan.path} on {plan.mode}: {runs}{failed}, {took_s:.1f} s{more}")
    for verdict in report.failures[:FAILURES_SHOWN_MAX]:
        _tell_failure(verdict)
    if len(report.failures) > FAILURES_SHOWN_MAX:
        seeds = sorted({verdict.seed for verdict in report.failures})
        shown = ", ".join(map(str, seeds[:20])) + (" .." if len(seeds) > 20 else "")
        _say(f"      .. and {len(report.failures) - FAILURES_SHOWN_MAX} more (seeds {shown})")


def _tell_failure(verdict: Verdict) -> None:
    """The invariant by name, what led there, the barrier's own words, the replay command."""
    failure = verdict.failure
    assert failure is not None
    where = f" at crash point {', '.join(map(str, verdict.crash_at))}" * bool(verdict.crash_at)
    _say(f"      seed {verdict.seed}{where}: {failure.name}")
    _say(f"        {failure.node + ': ' if failure.node else ''}{failure.says}")
    led_there = what_led_there(verdict)
    if led_there.lines:
        _say("        what led there:")
    for line in led_there.lines:
        _say(f"        {line}")
    if led_there.waits and verdict.state != "completed":
        word = "the coordinator" if verdict.state == "running" else "the coordinator's last wait"
        _say(f"        {word}: {led_there.waits}")
    _say(f"        replay: {verdict.replay_command()}")


def _conclude(
    choices: RunChoices, reports: list[FileReport], faults: list[NotAlike], took_s: float
) -> ExitCode:
    failures = [verdict for report in reports for verdict in report.failures]
    runs = sum(report.runs for report in reports)
    moments = sum(report.moments for report in reports)
    for fault in faults:
        _say(f"parity: {fault.says}")
    code = _exit_code(failures, faults)
    unwritten = _write_junit(choices.junit, reports)
    if unwritten is not None and code is ExitCode.DONE:
        code = unwritten.exit_code
    events = f", {moments:,} events" if moments else ""
    files = len({report.plan.path for report in reports})
    _say(
        f"{counted(runs, 'run')} of {counted(files, 'scenario')}: "
        f"{f'{len(failures)} failed' if failures or faults else 'all green'}"
        f"{', but the JUnit file is not written' if unwritten else ''}"
        f"{f', {len(faults)} not alike in all modes' if faults else ''}"
        f" ({took_s:.1f} s{events})"
    )
    if unwritten is not None:
        _say(f"error: {unwritten}")
    commands = [wrong.replay_command() for wrong in failures[:1]]
    commands += [fault.replay_command() for fault in faults[:1]]
    if failures and choices.shrink:
        commands = [_shrink_first(failures, choices)]
    elif choices.shrink:
        _say("nothing failed, so there is nothing to shrink")
    if choices.as_json:
        click.echo(json.dumps(_summary(reports, faults, code, took_s, unwritten)))
    if commands:
        _say(commands[0])
    return code


def _write_junit(path: Path | None, reports: list[FileReport]) -> StorageFailed | None:
    """Write it, when it was asked for; what went wrong, for how the runs ended is told as well."""
    if path is None:
        return None
    try:
        write_junit(path, reports)
    except StorageFailed as error:
        return error
    return None


def _exit_code(failures: list[Verdict], faults: list[NotAlike]) -> ExitCode:
    """The gravest failure decides; kinds are ordered by gravity."""
    found = sorted((v.failure for v in failures if v.failure), key=lambda failure: failure.kind)
    if found:
        return found[0].exit_code
    return ExitCode.VERIFICATION_FAILED if faults else ExitCode.DONE


def _summary(
    reports: list[FileReport],
    faults: list[NotAlike],
    code: ExitCode,
    took_s: float,
    unwritten: StorageFailed | None,
) -> dict[str, Any]:
    return {
        "event": "summary",
        "runs": sum(report.runs for report in reports),
        "failed": sum(len(report.failures) for report in reports),
        "not_alike": [fault.says for fault in faults],
        "seconds": round(took_s, 3),
        "error": None if unwritten is None else str(unwritten),
        "exit_code": int(code),
    }


def _shrink_first(failures: list[Verdict], choices: RunChoices) -> str:
    """Shrink the failure that is small already; returns the command that shows what is left."""
    from increstore.proving.shrunk_file import shrink_to_file

    first = min(failures, key=lambda verdict: (len(verdict.crash_at), verdict.moments))
    shrunk = shrink_to_file(first, choices.out, say=_say)
    _say(shrunk.as_text())
    if choices.as_json:
        click.echo(json.dumps(shrunk.as_json(), ensure_ascii=False))
    return shrunk.command()


def _say(text: str) -> None:
    """For people: to stderr, so that stdout stays JSON or empty."""
    tell(text)
