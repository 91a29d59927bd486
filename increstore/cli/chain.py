"""`increstore chain`: what a collection's chain holds, and everything that is wrong with it.

Exit codes: 0 the chain can be restored; 3 it has problems; 2 an unknown backup or table. `--json`
writes one object a line on stdout: chain, backup, table, overwrites, problem, notice and, last,
result; docs/JSON.md has their fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from increstore.cli.arguments import PathArgument
from increstore.cli.aside import work_aside
from increstore.cli.streams import reader_may_leave
from increstore.cli.words import counted
from increstore.errors import BackupChainBroken, ExitCode
from increstore.stops import imports_go_first

if TYPE_CHECKING:
    from pathlib import Path

    from increstore.chain.report import ChainReport, TableLine


@click.command(short_help="Show and check a chain of backups.")
@click.argument("collection", type=PathArgument())
@click.option(
    "--upto",
    metavar="BACKUP",
    help="The last backup to look at: its name or the beginning of it.",
)
@click.option("--table", "tables", multiple=True, metavar="T", help="Only this table; repeatable.")
@click.option("--quick", is_flag=True, help="Leave data files unread: no checksums, no keys.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.pass_context
def chain(
    context: click.Context,
    collection: Path,
    upto: str | None,
    tables: tuple[str, ...],
    quick: bool,
    as_json: bool,
) -> None:
    """Show and validate the chain in COLLECTION: the last full backup and what follows it.

    Every problem is listed at once, each with its place and what to do. Exit code 0: the chain can
    be restored. 3: it has problems. Changes nothing.
    """
    with imports_go_first():
        from increstore.chain.collection import Collection
        from increstore.chain.report import report_chain

    try:
        opened = Collection.open(collection)
        report = work_aside(
            lambda: report_chain(opened, upto=upto, tables=tables or None, quick=quick)
        )
    except BackupChainBroken as error:
        if not as_json:
            raise
        _print_json([_no_chain_as_json(text) for text in error.problems])
        context.exit(ExitCode.BAD_INPUT)
    with reader_may_leave():
        if as_json:
            _print_json(report.as_json())
        else:
            print_report(report)
    context.exit(ExitCode.BAD_INPUT if report.problems else ExitCode.DONE)


def show_chain(collection: Path) -> None:
    """Print the report on the last chain of `collection` for people, on stdout."""
    with imports_go_first():
        from increstore.chain.collection import Collection
        from increstore.chain.report import report_chain

    print_report(report_chain(Collection.open(collection)))


def _no_chain_as_json(text: str) -> dict[str, object]:
    where, _, what = text.partition(": ")
    return {"event": "problem", "kind": "no chain", "where": where, "text": what}


def _print_json(objects: list[dict[str, object]]) -> None:
    import json

    for item in objects:
        click.echo(json.dumps(item))


# --- For people.


def print_report(report: ChainReport) -> None:
    """The report in at most 80 columns, unless names are long."""
    backups = report.chain.backups
    incrementals = counted(len(backups) - 1, "incremental")
    click.echo(
        f"{report.chain.collection.path}: a full backup and {incrementals}, "
        f"{size_text(report.bytes)}"
    )
    for table, lines in report.tables.items():
        _print_table(report, table, lines)
    for notice in report.notices:
        click.echo(f"\nnote: {notice}")
    if report.problems:
        click.echo(f"\n{counted(len(report.problems), 'problem')}:")
        for problem in report.problems:
            click.echo(f"  - {problem}")
    else:
        click.echo("\nno problems: the chain can be restored")


def _print_table(report: ChainReport, table: str, lines: tuple[TableLine, ...]) -> None:
    last = lines[-1].entry
    click.echo(
        f"\n{table}: key {', '.join(last.key)}; {counted(len(last.columns), 'column')}; "
        f"{counted(last.rows, 'row')}"
    )
    has_resets = any(line.entry.resets for line in lines)
    titles = ["", "backup", "upserts", *["resets"] * has_resets, "erases", "rows after", "size"]
    rows = [_cells(line, has_resets) for line in lines]
    widths = [max(len(row[n]) for row in [titles, *rows]) for n in range(len(titles))]
    click.echo(_aligned(titles, widths))
    for line, row in zip(lines, rows, strict=True):
        click.echo(_aligned(row, widths))
        if line.step:
            click.echo(f"{' ' * (widths[0] + 4)}schema: {line.step}")
    counts = report.overwrites.get(table)
    if counts is not None and counts.changes:
        share = counts.overwritten / counts.changes
        click.echo(
            f"  {counts.overwritten:,} of {counts.changes:,} changes ({share:.0%}) are overwritten "
            "later"
        )


def _cells(line: TableLine, has_resets: bool) -> list[str]:
    entry = line.entry
    name = f"{line.backup.partition('_')[0]} {'full' if line.position == 0 else ''}".rstrip()
    if entry.change == "unchanged":
        changes = ["unchanged", *[""] * has_resets, ""]
    else:
        numbers = [line.upserts, *[entry.resets] * has_resets, entry.erases]
        changes = [f"{number:,}" if number else "-" for number in numbers]
    size = size_text(line.bytes) if line.bytes else ""
    return [str(line.position), name, *changes, f"{entry.rows:,}", size]


def _aligned(cells: list[str], widths: list[int]) -> str:
    """Names to the left, numbers to the right."""
    number, name, *others = cells
    aligned = [f"{number:>{widths[0]}}", f"{name:<{widths[1]}}"]
    aligned += [f"{cell:>{width}}" for cell, width in zip(others, widths[2:], strict=True)]
    return ("  " + "  ".join(aligned)).rstrip()


def size_text(size: int) -> str:
    """A number of bytes for people: three digits and a unit."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"
