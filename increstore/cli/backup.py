"""`increstore backup`: make a full or an incremental backup from snapshots of tables.

Exit codes: 0 the backup was added; 2 usage; 3 a snapshot or the chain is bad; 4 the collection
cannot be written. `--json` writes one object on stdout; docs/JSON.md has its fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from increstore.chain.names import is_utf8
from increstore.cli.arguments import NOT_UTF8, PathArgument
from increstore.cli.streams import tell
from increstore.cli.words import counted
from increstore.errors import UsageError
from increstore.stops import imports_go_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from increstore.chain.backup import TableSource
    from increstore.chain.manifest import Manifest

# What people call a type, where Arrow prints another name or a misleading one.
TYPE_NAMES = {
    "text": "string",
    "str": "string",
    "int": "int64",
    "integer": "int64",
    "bigint": "int64",
    "boolean": "bool",
    "float32": "float",
    "float64": "double",
    "date": "date32[day]",
    "date32": "date32[day]",
    "timestamp": "timestamp[us]",
    "bytes": "binary",
}


@click.command(short_help="Add a full or incremental backup.")
@click.argument("collection", type=PathArgument())
@click.argument("tables", metavar="TABLE=FILE...", nargs=-1, required=True)
@click.option("--full", is_flag=True, help="Begin a new chain.")
@click.option("--incremental", is_flag=True, help="Add what changed since the last.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="TABLE=COL[,COL]",
    help="The key of a table; given with the full backup and remembered. A name that holds a "
    "comma stands in double quotes.",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TABLE.COL=TYPE",
    help="The type of a column, such as text, int64, double, bool, date, timestamp, "
    "'timestamp[us, tz=UTC]', 'decimal128(12, 2)'. Without it CSV columns are read as what all "
    "their values are, and remembered.",
)
@click.option("--json", "as_json", is_flag=True, help="What was done as a JSON object on stdout.")
def backup(
    collection: Path,
    tables: tuple[str, ...],
    full: bool,
    incremental: bool,
    keys: tuple[str, ...],
    types: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add a backup of tables to COLLECTION, from a snapshot file of each.

    FILE is CSV (.csv or .tsv, also .zst, .gz, .bz2, .lz4), .parquet, or a folder of .parquet
    files; its rows need not be sorted. An incremental holds the difference to what the chain
    makes; tables it does not name are recorded as unchanged. In CSV an empty field is NULL, and ""
    is the empty text.

    A snapshot may be larger than memory: meanwhile its rows are sorted in a folder of COLLECTION.
    Have twice as much room there as they take when lz4-compressed.

    \b
    increstore backup shop.backups --full orders=orders.csv --key orders=id
    increstore backup shop.backups --incremental orders=orders-today.csv
    """
    with imports_go_first():
        from increstore.chain.backup import backup_full, backup_incremental

    if full == incremental:
        raise click.UsageError("say --full or --incremental, one of the two")
    sources = _sources(tables, keys, types)
    make = backup_full if full else backup_incremental
    manifest = make(collection, sources)
    if as_json:
        _print_json(collection, manifest)
    else:
        _print_text(collection, manifest)


def _sources(tables: Sequence[str], keys: Sequence[str], types: Sequence[str]) -> list[TableSource]:
    from increstore.chain.backup import TableSource

    files = _pairs(tables, "TABLE=FILE")
    key_columns = {
        table: _key_columns(table, columns)
        for table, columns in _pairs(keys, "--key TABLE=COL[,COL]").items()
    }
    unknown = sorted(set(key_columns) - set(files))
    if unknown:
        raise UsageError(f"--key for table {unknown[0]!r}, which has no TABLE=FILE")
    column_types = _column_types(types, files)
    return [
        TableSource(table, Path(file), key_columns.get(table), column_types[table])
        for table, file in files.items()
    ]


def _key_columns(table: str, text: str) -> tuple[str, ...]:
    """As in a CSV header: spaces around a name do not count, but those inside quotes do."""
    import csv

    [names] = csv.reader([text], skipinitialspace=True)
    if '"' not in text:
        names = [name.strip() for name in names]
    if "" in names:
        raise UsageError(f"--key {table}={text}: a column without a name")
    if len(set(names)) < len(names):
        raise UsageError(f"--key {table}={text}: a column is named twice")
    return tuple(names)


def _pairs(arguments: Iterable[str], form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for argument in arguments:
        if not is_utf8(argument):
            raise UsageError(f"{argument!r} {NOT_UTF8}")
        name, equals, value = argument.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{argument!r} is not of the form {form}")
        if name in pairs:
            raise UsageError(f"{name!r} is given twice ({form})")
        pairs[name] = value
    return pairs


def _column_types(types: Sequence[str], tables: Iterable[str]) -> dict[str, dict[str, pa.DataType]]:
    found: dict[str, dict[str, pa.DataType]] = {table: {} for table in tables}
    for place, name in _pairs(types, "--type TABLE.COL=TYPE").items():
        # Names may hold dots: the longest table that fits is meant.
        fitting = [table for table in found if place.startswith(f"{table}.")]
        if not fitting:
            raise UsageError(f"--type {place}={name}: {place!r} is not TABLE.COL of a table given")
        table = max(fitting, key=len)
        found[table][place[len(table) + 1 :]] = _type_of(place, name)
    return found


def _type_of(place: str, name: str) -> pa.DataType:
    from increstore.chain.schema import stored_type, type_from_name

    if name == "float":
        raise UsageError(f"--type {place}=float: say float64 (or double), or float32")
    try:
        kind = stored_type(type_from_name(TYPE_NAMES.get(name, name)))
        _refuse_unknown_zone(kind)
        return kind
    except ValueError as error:
        raise UsageError(
            f"--type {place}={name}: {error} (such as {', '.join(sorted(TYPE_NAMES))}, "
            "decimal128(12, 2))"
        ) from error


def _refuse_unknown_zone(kind: pa.DataType) -> None:
    """Raises: ValueError for a time zone that no reader would know."""
    import pyarrow as pa

    if not pa.types.is_timestamp(kind) or kind.tz is None:
        return
    try:
        pa.scalar(0, pa.timestamp("s", tz="UTC")).cast(pa.string())
    except ValueError:
        return  # This system has no list of zones: none is known here.
    pa.scalar(0, kind).cast(pa.string())


def _print_json(collection: Path, manifest: Manifest) -> None:
    import json

    tables = {
        name: {
            "change": entry.change,
            "upserts": entry.rows if entry.change == "full" else entry.upserts,
            "resets": entry.resets,
            "erases": entry.erases,
            "rows": entry.rows,
            "bytes": sum(file.bytes for file in entry.files),
            "columns": {column.name: column.type for column in entry.columns},
        }
        for name, entry in manifest.tables.items()
    }
    facts = {
        "event": "backup",
        "path": str(collection),
        "backup": manifest.name,
        "kind": manifest.kind,
        "id": manifest.id,
        "parent": manifest.parent,
        "tables": tables,
    }
    click.echo(json.dumps(facts))


def _print_text(collection: Path, manifest: Manifest) -> None:
    from increstore.cli.chain import size_text

    tell(f"{collection}: added {manifest.name}")
    width = max(len(name) for name in manifest.tables)
    for name, entry in manifest.tables.items():
        if entry.change == "unchanged":
            text = "unchanged"
        elif entry.change == "full":
            text = counted(entry.rows, "row")
        else:
            text = f"{counted(entry.upserts, 'upsert')}, {counted(entry.erases, 'erase')}"
        size = f", {size_text(sum(file.bytes for file in entry.files))}" if entry.files else ""
        left = "" if entry.change == "full" else f", {counted(entry.rows, 'row')} now"
        tell(f"  {name:<{width}}  {text}{size}{left}")
