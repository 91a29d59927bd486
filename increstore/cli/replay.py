"""`increstore replay`: run a recorded run again, and say whether it is the same one.

Exit codes: 0 the same events to the last, and the run was green; 5 the same, and it is red again (6
when it never ends, 70 when the program itself fails); 4 it went otherwise: the first difference is
shown, or that the journal is cut off; 3 the file is no journal of a simulated run. Of `--diff`: 0
the journals are equal; 4 they are not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from increstore.cli.streams import tell
from increstore.errors import ExitCode
from increstore.stops import imports_go_first

if TYPE_CHECKING:
    from increstore.proving.journalled import Difference


_SHOWN_AROUND = 120
"""Characters of a long line that are shown on each side of the place where it differs."""


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
    with imports_go_first():
        from increstore.proving.journalled import first_difference, read_lines, read_recorded
        from increstore.proving.journalled import replay as replay_recorded

    recorded = read_recorded(journal)
    lines: list[str] = []
    verdict = replay_recorded(recorded, lines)
    if show:
        _show(lines)
    difference = first_difference(read_lines(journal), lines)
    if difference is not None:
        _tell_otherwise(difference, str(journal))
        return ExitCode.RESTORE_FAILED
    word = "green" if verdict.is_green else "red"
    tell(f"{len(lines) - 1:,} events, all as recorded; the run is {word}")
    if verdict.failure is not None:
        tell(f"{verdict.failure.what}: {verdict.failure.says}")
        return verdict.failure.exit_code
    return ExitCode.DONE


def _compare(journal: Path, other: Path) -> ExitCode:
    with imports_go_first():
        from increstore.proving.journalled import first_difference, read_lines

    difference = first_difference(read_lines(journal), read_lines(other))
    if difference is None:
        tell("equal to the last event")
        return ExitCode.DONE
    _tell(difference, str(journal), str(other))
    return ExitCode.RESTORE_FAILED


def _tell_otherwise(difference: Difference, journal: str) -> None:
    if difference.is_cut_off:
        tell(
            f"{journal}: is cut off after line {difference.line - 1}; "
            "up to there all is as recorded, what came then is not known",
        )
        return
    tell(f"{journal}: the run went otherwise than recorded")
    _tell(difference, journal, "now")


def _tell(difference: Difference, first: str, second: str) -> None:
    tell(f"first difference in line {difference.line}:")
    for line in difference.before:
        tell(f"    {_around(line, 0)}")
    one, two = difference.first, difference.second
    place = _parting(one or "", two or "")
    for name, told in ((first, one), (second, two)):
        tell(f"  {name}: {'(ends here)' if told is None else _around(told, place)}")


def _parting(one: str, two: str) -> int:
    """The first place where two texts differ, or where the shorter one ends."""
    pairs = enumerate(zip(one, two, strict=False))
    shorter = min(len(one), len(two))
    return next((place for place, (left, right) in pairs if left != right), shorter)


def _around(line: str, place: int) -> str:
    """The part of a line around a place; a first line holds a whole scenario."""
    from increstore.judging.journal_text import readable

    first, last = max(place - _SHOWN_AROUND, 0), place + _SHOWN_AROUND
    shown = readable(line[first:last])
    return (".. " if first else "") + shown + (" .." if last < len(line) else "")


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
