"""`increstore check`: does a journal prove that its run kept to every invariant?

Exit codes: 0 none is broken; 5 one is, or the rows differ; 3 the file is no journal or tells
nothing to judge by, or the collection cannot be judged by. `--json` writes one object for each
invariant and one for the whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from increstore.cli.streams import tell
from increstore.cli.words import counted
from increstore.errors import ExitCode, UsageError
from increstore.stops import imports_go_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from increstore.judging.from_journal import JournalVerdict
    from increstore.judging.monitor import Invariant
    from increstore.protocol.topology import Topology
    from increstore.verification.history import ChainHistory


@click.command(short_help="Judge a run by its journal.")
@click.argument("journal", required=False, type=click.Path(path_type=Path))
@click.option(
    "--against",
    "collection",
    type=click.Path(path_type=Path),
    metavar="COLLECTION",
    help="The backup collection that was restored: its changes are counted too.",
)
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="Where it was restored: its rows are compared with --against, value by value.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.option("--list", "lists", is_flag=True, help="List the invariants, and judge nothing.")
@click.option("--markdown", is_flag=True, help="With --list: as docs/INVARIANTS.md has them.")
@click.pass_context
def check(
    context: click.Context,
    journal: Path | None,
    collection: Path | None,
    target: Path | None,
    as_json: bool,
    lists: bool,
    markdown: bool,
) -> None:
    """Judge the runs in JOURNAL by every invariant that it tells enough for.

    JOURNAL is what `increstore restore --journal FILE` or `increstore run --journal FILE` has
    written. All its runs are judged, also those that were killed and taken up again. Exit code 5:
    an invariant is broken; its law, and the events that led there, are shown.
    """
    if markdown and not lists:
        raise click.UsageError("--markdown is for the list of invariants: give --list, too")
    if lists and (journal is not None or target is not None or collection is not None):
        raise click.UsageError("--list judges nothing: leave out the journal and its options")
    if lists:
        _list(as_json=as_json, markdown=markdown)
        return
    if journal is None:
        raise click.UsageError("name a journal (or --list the invariants)")
    if target is not None and collection is None:
        raise click.UsageError("--target is compared with a collection: name it by --against")
    context.exit(_check(journal, collection, target, as_json=as_json))


def _check(journal: Path, collection: Path | None, target: Path | None, *, as_json: bool) -> int:
    with imports_go_first():
        from increstore.judging.from_journal import check_journal

    oracle_of = None if collection is None else _oracle_from(collection)
    verdict = check_journal(journal, oracle_of)
    code = _exit_code(verdict)
    if not as_json:
        _print_text(journal, verdict)
    rows_code = 0
    if target is not None and collection is not None and code is ExitCode.DONE:
        from increstore.cli.verify import verify_and_show

        rows_code = verify_and_show(target, collection, as_json=as_json)
    if as_json:
        _print_json(journal, verdict)
    return int(code) or rows_code


def _exit_code(verdict: JournalVerdict) -> ExitCode:
    """A journal that tells nothing to judge by proves nothing: it is bad input and not sound."""
    if verdict.violation is not None:
        return ExitCode.VERIFICATION_FAILED
    return ExitCode.DONE if any(verdict.counts.values()) else ExitCode.BAD_INPUT


# --- What the chain says.


@dataclass(frozen=True, slots=True)
class CollectionOracle:
    """The changes that the backups of a collection hold, by their manifests."""

    history: ChainHistory

    def changes(self, table: str, incremental: int) -> int:
        """How many changes the incremental holds for the table; 0 when it has none of it."""
        for found in self.history.tables:
            for step in found.steps if found.name == table else ():
                if step.incremental == incremental:
                    return sum(file.rows for file in step.entry.files)
        return 0

    def rows_after(self, incremental: int) -> Mapping[str, Mapping[Any, Any]]:
        """Rows are compared in the target, not here."""
        raise AssertionError("a journal tells no rows")


def _oracle_from(collection: Path) -> Any:
    with imports_go_first():
        from increstore.verification.history import read_history

    def oracle_of(topology: Topology, last_backup: str | None) -> CollectionOracle:
        if last_backup is not None and not (collection / last_backup).is_dir():
            raise UsageError(
                f"{collection}: has no backup {last_backup}, which the journal tells of; name the "
                "collection that was restored"
            )
        tables = [table.table for table in topology.tables]
        return CollectionOracle(read_history(collection, last_backup, tables))

    return oracle_of


# --- What is shown.


def _list(*, as_json: bool, markdown: bool) -> None:
    from increstore.judging.catalogue import INVARIANTS, NOT_JUDGED

    if markdown:
        from increstore.judging.page import invariants_page

        click.echo(invariants_page(), nl=False)
    elif as_json:
        for law in INVARIANTS:
            click.echo(json.dumps({"event": "invariant", **_as_json(law), "why_not": None}))
        for left in NOT_JUDGED:
            told = {"id": left.id, "name": left.name, "group": None, "law": left.law}
            click.echo(json.dumps({"event": "invariant", **told, "why_not": left.why}))
    else:
        for group, laws in groupby(INVARIANTS, key=lambda law: law.group):
            click.echo(f"\n{group}")
            for law in laws:
                click.echo(_wrapped(f"  {law.id:<3} {law.name}: ", law.law))
        click.echo("\nnot judged by a monitor")
        for left in NOT_JUDGED:
            click.echo(_wrapped(f"  {left.id:<3} {left.name}: ", f"{left.law} {left.why}"))


def _wrapped(head: str, text: str) -> str:
    import textwrap

    return textwrap.fill(head + text, width=100, subsequent_indent="      ")


def _as_json(law: Invariant) -> dict[str, Any]:
    return {"id": law.id, "name": law.name, "group": law.group, "law": law.law}


def _print_json(journal: Path, verdict: JournalVerdict) -> None:
    from increstore.judging.catalogue import INVARIANTS

    broken = _broken(verdict)
    for law in INVARIANTS:
        told = {"event": "invariant.judged", "id": law.id, "name": law.name, "group": law.group}
        count = verdict.counts.get(law.id, 0)
        click.echo(json.dumps({**told, "times": count, "broken": law.id == broken}))
    violation = verdict.violation
    click.echo(
        json.dumps(
            {
                "event": "check.completed",
                "journal": str(journal),
                "sound": _exit_code(verdict) is ExitCode.DONE,
                "restores": verdict.restores,
                "runs": verdict.ends,
                "events": verdict.events,
                "torn": verdict.torn,
                "unknown": verdict.unknown,
                "notes": verdict.notes,
                "invariant": violation and violation.invariant,
                "node": violation and violation.node,
                "says": violation and violation.says,
                "line": verdict.line or None,
                "led_there": [line.number for line in verdict.led_there],
            },
            ensure_ascii=False,
        )
    )


def _broken(verdict: JournalVerdict) -> str:
    return "" if verdict.violation is None else verdict.violation.invariant.partition(" ")[0]


def _print_text(journal: Path, verdict: JournalVerdict) -> None:
    click.echo(f"{journal}: {_runs_told(verdict)}, {verdict.events:,} events")
    for note in (*verdict.notes, *_oddities(verdict)):
        tell(f"note: {note}")
    _print_counts(verdict)
    if not any(verdict.counts.values()):
        click.echo("\nnothing could be judged: the journal proves nothing")
    elif verdict.violation is None:
        judged = sum(count > 0 for count in verdict.counts.values())
        times = sum(verdict.counts.values())
        click.echo(f"\nsound: {judged} invariants judged {times:,} times, none is broken")
    else:
        _print_violation(verdict)


def _runs_told(verdict: JournalVerdict) -> str:
    return f"{counted(verdict.runs, 'run')} ({', '.join(verdict.ends)})"


def _oddities(verdict: JournalVerdict) -> list[str]:
    found = [f"line {number} is half a line; its run was killed" for number in verdict.torn]
    if verdict.unknown:
        told = ", ".join(f"{name} ({count})" for name, count in sorted(verdict.unknown.items()))
        found.append(f"events that this version does not know were left out: {told}")
    return found


def _print_counts(verdict: JournalVerdict) -> None:
    from increstore.judging.catalogue import INVARIANTS

    click.echo("")
    for group, laws in groupby(INVARIANTS, key=lambda law: law.group):
        judged = [law.id for law in laws if verdict.counts.get(law.id)]
        if judged:
            times = sum(verdict.counts[identity] for identity in judged)
            click.echo(f"  {group:<18} {times:>9,}  {' '.join(judged)}")
    unjudged = [law.id for law in INVARIANTS if not verdict.counts.get(law.id)]
    if unjudged:
        click.echo(f"  {'nothing to judge':<18} {'':>9}  {' '.join(unjudged)}")


def _print_violation(verdict: JournalVerdict) -> None:
    from increstore.judging.catalogue import INVARIANTS

    violation = verdict.violation
    assert violation is not None
    law = next(law.law for law in INVARIANTS if law.id == _broken(verdict))
    click.echo(f"\nBROKEN in line {verdict.line}: {violation.invariant}")
    click.echo(f"  {violation.node}: {violation.says}")
    click.echo(_wrapped("  the law: ", law))
    click.echo("  the events that led there:")
    since = verdict.led_there[0].at
    for line in verdict.led_there:
        click.echo(f"    line {line.number:>6}  {line.as_line(since)}")
