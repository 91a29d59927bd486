"""What was restored: the published files of each table, and what the target says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from increstore.errors import VerificationFailed
from increstore.verification.data_file import DataFile, as_read, open_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from increstore.chain.schema import TableSchema

OWN_FOLDER = ".increstore"
IDENTITY_NAME = "identity.json"
_AGAIN = "run `increstore restore` again"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the restore wrote down about itself; None where it is silent.

    `tables` are those it was limited to; none means all.
    """

    collection: str | None
    upto: str | None
    tables: tuple[str, ...]


def read_identity(target: Path) -> Identity:
    """What the target says of itself; damage here is no reason not to compare the rows."""
    try:
        raw = json.loads((target / OWN_FOLDER / IDENTITY_NAME).read_bytes())
    except (OSError, ValueError):
        raw = None
    known: dict[str, Any] = raw if isinstance(raw, dict) else {}
    texts = {name: value for name, value in known.items() if isinstance(value, str)}
    tables = known.get("tables")
    chosen = tuple(map(str, tables)) if isinstance(tables, list) else ()
    return Identity(texts.get("collection"), texts.get("upto"), chosen)


def require_target(target: Path) -> None:
    """Raises: VerificationFailed when there is nothing that could be compared."""
    if not target.is_dir():
        raise VerificationFailed(
            f"{target}: there is no such folder, so nothing was compared; name the folder given "
            "to `increstore restore --into`"
        )


def table_files(target: Path, table: str) -> list[DataFile]:
    """The published Parquet files of a table, in name order.

    Raises: VerificationFailed when there are none, or one cannot be read.
    """
    folder = target / table
    paths = [path for path in sorted(folder.glob("*.parquet")) if not path.name.startswith(".")]
    if not paths:
        unfinished = (target / OWN_FOLDER).is_dir()
        state = "the restore is not completed" if unfinished else "the table was not restored"
        raise VerificationFailed(f"{folder}: holds no Parquet file: {state}; {_AGAIN}")
    return [open_file(path, VerificationFailed, _AGAIN) for path in paths]


def other_tables(target: Path, known: Sequence[str]) -> list[str]:
    """Folders with Parquet files that belong to none of the known tables."""
    folders = {path.parent for path in target.rglob("*.parquet")}
    names = (folder.relative_to(target).as_posix() for folder in sorted(folders))
    return [n for n in names if n not in known and not n.startswith(OWN_FOLDER)]


def schema_problems(files: Sequence[DataFile], schema: TableSchema) -> list[str]:
    """Every way in which a file's columns are not the expected ones, each with its file."""
    expected = as_read(schema.arrow())
    return [problem for file in files for problem in _problems_of(file, expected)]


def _problems_of(file: DataFile, expected: pa.Schema) -> list[str]:
    names, wanted = file.schema.names, expected.names
    problems = [f"{file.path}: column {name!r} is missing" for name in wanted if name not in names]
    problems += [f"{file.path}: column {n!r} is not in the chain" for n in names if n not in wanted]
    problems += [
        f"{file.path}: column {name!r} occurs {names.count(name)} times"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    problems += [
        f"{file.path}: column {field.name!r} is {file.schema.field(field.name).type}, expected "
        f"{field.type}; its values were not compared"
        for field in expected
        if names.count(field.name) == 1 and file.schema.field(field.name).type != field.type
    ]
    if not problems and names != wanted:
        problems.append(
            f"{file.path}: the columns stand in the order {', '.join(names)}, expected "
            f"{', '.join(wanted)}"
        )
    return problems


def comparable_columns(files: Sequence[DataFile], schema: TableSchema) -> list[str]:
    """The columns that every file holds once and with the expected type."""
    expected = as_read(schema.arrow())
    return [
        field.name
        for field in expected
        if all(_holds(file.schema, field) for file in files)
    ]  # fmt: skip


def _holds(schema: pa.Schema, field: pa.Field) -> bool:
    once = schema.names.count(field.name) == 1
    return once and bool(schema.field(field.name).type == field.type)
