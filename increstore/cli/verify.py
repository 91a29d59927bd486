"""`increstore verify`: does the target hold exactly what the chain says?

Exit codes: 0 equal; 5 different, or the target holds nothing to compare; 3 the collection cannot be
judged by; 2 a backup or table that does not exist. `--json` writes, on stdout, one object a line
for each table and one for the whole: their fields are in `increstore.verification.report`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from increstore.cli.arguments import PathArgument
from increstore.cli.streams import reader_may_leave, show_over, tell
from increstore.cli.words import counted
from increstore.errors import ExitCode
from increstore.stops import imports_go_first

if TYPE_CHECKING:
    from pathlib import Path

    from increstore.verification.report import TableReport, VerificationReport


@click.command(short_help="Compare restored tables with their chain.")
@click.argument("target", type=PathArgument())
@click.option(
    "--against",
    "collection",
    type=PathArgument(),
    required=True,
    metavar="COLLECTION",
    help="The backup collection that the target was restored from.",
)
@click.option(
    "--upto",
    metavar="BACKUP",
    help="The last backup to apply: its name or the beginning of it. Without it: the one the "
    "target was restored up to.",
)
@click.option("--table", "tables", multiple=True, metavar="T", help="Only this table; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.pass_context
def verify(
    context: click.Context,
    target: Path,
    collection: Path,
    upto: str | None,
    tables: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare the restored tables in TARGET with what the backups say, value by value.

    The expected rows are computed anew from the collection, by other code than the restore's.
    Exit code 0: every table is equal. 5: something differs; up to five examples of each kind are
    shown. Changes nothing, and may run beside readers of the target.
    """
    context.exit(verify_and_show(target, collection, upto=upto, tables=tables, as_json=as_json))


def verify_and_show(
    target: Path,
    collection: Path,
    *,
    upto: str | None = None,
    tables: tuple[str, ...] = (),
    as_json: bool = False,
) -> int:
    """Verify and print the report; the exit code it deserves."""
    with imports_go_first():
        from increstore.verification.verify import verify as verify_target

    report = verify_target(target, collection, upto=upto, tables=tables, progress=_show_progress)
    with reader_may_leave():
        if as_json:
            _print_json(report)
        else:
            _print_text(report)
    return int(ExitCode.DONE if report.is_equal else ExitCode.VERIFICATION_FAILED)


def _show_progress(table: str, done: int, ranges: int) -> None:
    """One line on the terminal, written over; gone when the table is done."""
    show_over(f"verifying {table}: key range {done + 1} of {ranges}" if done < ranges else "")


def _print_json(report: VerificationReport) -> None:
    import json

    for table in report.tables:
        click.echo(json.dumps(table.as_json()))
    click.echo(json.dumps(report.as_json()))


def _print_text(report: VerificationReport) -> None:
    width = max([5, *(len(table.table) for table in report.tables)])
    click.echo(f"{report.target} against {report.collection} up to {report.upto}\n")
    click.echo(f"{'table':{width}}  {'expected':>12}  {'restored':>12}  result")
    for table in report.tables:
        expected = f"{table.rows_expected:,}" if table.is_compared else "?"
        click.echo(
            f"{table.table:{width}}  {expected:>12}  {table.rows_actual:>12,}  {_result(table)}"
        )
    for table in report.tables:
        _print_differences(table)
    for notice in report.notices:
        tell(f"note: {notice}")
    click.echo(f"\n{_verdict(report)}")


def _result(table: TableReport) -> str:
    if table.is_equal:
        return "equal"
    if not table.is_compared:
        return "NOT COMPARED"
    counts = {
        "missing": table.missing,
        "surplus": table.surplus,
        "duplicate": table.duplicates,
        "differing": table.differing,
    }
    found = [f"{count:,} {kind}" for kind, count in counts.items() if count]
    return "DIFFERENT: " + (", ".join(found) or "see below")


def _print_differences(table: TableReport) -> None:
    if table.is_equal:
        return
    click.echo(f"\n{table.table}:")
    for problem in table.problems:
        click.echo(f"  {problem}")
    for column, rows in table.columns.items():
        click.echo(f"  column {column} differs in {counted(rows, 'row')}")
    for example in table.examples:
        click.echo(f"  {example}")


def _verdict(report: VerificationReport) -> str:
    tables = counted(len(report.tables), "table")
    if report.is_equal:
        assert report.rows_expected is not None, "what is equal has been compared"
        rows = counted(report.rows_expected, "row")
        return f"equal: {tables}, {rows}, every value compared in {report.seconds:.1f} s"
    different = sum(not table.is_equal for table in report.tables)
    return f"DIFFERENT: {different} of {tables}, in {report.seconds:.1f} s"
