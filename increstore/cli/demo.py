"""`increstore demo`: the shipped chain of real releases, restored and verified."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from increstore.cli.arguments import PathArgument
from increstore.stops import imports_go_first

_SHARDS = click.IntRange(1, 100)


@click.command(short_help="Restore and verify ten real releases, to see it work.")
@click.option(
    "--into",
    "target",
    type=PathArgument(),
    help="Keep the result in this directory  [default: a temporary one, removed afterwards]",
)
@click.option("--sources", type=_SHARDS, default=3, show_default=True, help="Source shards.")
@click.option("--targets", type=_SHARDS, default=2, show_default=True, help="Target shards.")
@click.option(
    "--on",
    type=click.Choice(["memory", "tcp"]),
    default="memory",
    show_default=True,
    help="Where the shards live: in this process, or in workers on loopback TCP.",
)
@click.option("--plain", is_flag=True, help="One fact a line, also on a terminal.")
@click.pass_context
def demo(
    ctx: click.Context, target: Path | None, sources: int, targets: int, on: str, plain: bool
) -> None:
    """Restore ten real releases of a table of airports, verify them, say what happened.

    The collection comes with the program: a full backup and nine incrementals with inserts,
    updates, deletes and a column that appears half-way.
    """
    from importlib.resources import as_file, files

    folder = None if target else Path(tempfile.mkdtemp(prefix="increstore-demo-"))
    where = target or (folder / "restored" if folder else Path())
    try:
        with as_file(files("increstore") / "demo" / "airports") as collection:
            code = _demonstrate(collection, where, sources, targets, on, plain)
        if folder is not None and not code:
            click.echo("these tables are removed now; keep them with: increstore demo --into DIR")
        ctx.exit(code)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _demonstrate(
    collection: Path, target: Path, sources: int, targets: int, on: str, plain: bool
) -> int:
    with imports_go_first():
        from increstore.cli.chain import show_chain
        from increstore.cli.restore import restore_and_show
        from increstore.cli.verify import verify_and_show
        from increstore.runtime.request import RestoreRequest

    click.secho("The chain", bold=True)
    show_chain(collection)
    click.secho("\nThe restore", bold=True)
    request = RestoreRequest(collection, target, sources=sources, targets=targets, on=on)
    code = restore_and_show(request, as_json=False, plain=plain)
    if code:
        return code
    click.secho("\nThe verification, by another way", bold=True)
    return verify_and_show(target, collection)
