"""`increstore replay`: run a recorded run again, and say whether it is the same one.

Exit codes: 0 the same events to the last, and the run was green; 5 the same, and it is red again;
4 it went otherwise: the first difference is shown; 3 the file is no journal of a simulated run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from increstore.errors import ExitCode

if TYPE_CHECKING:
    from increstore.proving.journalled import Difference


@click.command(short_help="Run a recorded simulation again, or compare two.")
@click.argument("journal", type=click.Path(path_type=Path))
@click.option(
    "--diff",
    "other",
    type=click.Path(path_type=Path),
    metavar="OTHER",
    help="Do not run: show the first difference between JOURNAL and OTHER (of any mode).",
)
@click.option("--show", is_flag=True, help="Print every event, as people read it.")
@click.pass_context
def replay(context: click.Context, journal: Path, other: Path | None, show: bool) -> None:
    """Run again what JOURNAL recorded, and compare event by event.

    JOURNAL was written by `increstore run SCENARIO --on simulation --seed N --journal JOURNAL`; it
    holds the scenario itself, so nothing else is needed. With another version of the program the
    first difference shows where behaviour has changed.
    """
    if other is not None:
        context.exit(_compare(journal, other))
    context.exit(_run_again(journal, show=show))


def _run_again(journal: Path, *, show: bool) -> ExitCode:
    from increstore.proving.journalled import first_difference, read_lines, read_recorded
    from increstore.proving.journalled import replay as replay_recorded

    recorded = read_recorded(journal)
    lines: list[str] = []
    verdict = replay_recorded(recorded, lines)
    if show:
        _show(lines)
    difference = first_difference(read_lines(journal), lines)
    if difference is not None:
        click.echo(f"{journal}: the run went otherwise than recorded", err=True)
        _tell(difference, str(journal), "now")
        return ExitCode.RESTORE_FAILED
    word = "green" if verdict.is_green else "red"
    click.echo(f"{len(lines) - 1:,} events, all as recorded; the run is {word}", err=True)
    if verdict.failure is not None:
        click.echo(f"{verdict.failure.what}: {verdict.failure.says}", err=True)
        return verdict.failure.exit_code
    return ExitCode.DONE


def _compare(journal: Path, other: Path) -> ExitCode:
    from increstore.proving.journalled import first_difference, read_lines

    difference = first_difference(read_lines(journal), read_lines(other))
    if difference is None:
        click.echo("equal to the last event", err=True)
        return ExitCode.DONE
    _tell(difference, str(journal), str(other))
    return ExitCode.RESTORE_FAILED


def _tell(difference: Difference, first: str, second: str) -> None:
    click.echo(f"first difference in line {difference.line}:", err=True)
    for line in difference.before:
        click.echo(f"    {line}", err=True)
    click.echo(f"  {first}: {difference.first or '(ends here)'}", err=True)
    click.echo(f"  {second}: {difference.second or '(ends here)'}", err=True)


def _show(lines: list[str]) -> None:
    import json

    from increstore.journal import DETAIL_EVENTS, JournalEvent

    began: int | None = None
    for line in lines[1:]:
        found = json.loads(line)
        if found["event"] in DETAIL_EVENTS:
            continue
        at = round(found.pop("t") * 1e9)
        began = at if began is None else began
        event = JournalEvent(at, found.pop("node"), found.pop("event"), found)
        click.echo(event.as_line(began))
