"""Whether what the manifests of a chain say of each table adds up, without opening a data file."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from increstore.chain.keys import Key, decode_key
from increstore.chain.names import check_table_names, is_file_name
from increstore.chain.problems import Problem
from increstore.chain.schema import OP_COLUMN, SET_COLUMN, TableSchema, is_key_type, schema_step
from increstore.errors import BackupChainBroken, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from increstore.chain.collection import Backup
    from increstore.chain.manifest import FileEntry, TableEntry

AGAIN = "copy the backup again from its origin"


def table_problems(backups: Sequence[Backup], tables: Sequence[str] | None) -> list[Problem]:
    """Every problem of the entries, in chain order; `tables` of None is every table."""
    checks: dict[str, _TableCheck] = {}
    problems = []
    for position, backup in enumerate(backups):
        if backup.manifest is None:
            for check in checks.values():
                check.before = None  # Unknown, so the next entry is compared with nothing.
            continue
        is_compared = position > 0 and (bool(checks) or backups[0].manifest is not None)
        problems += list(_presence_problems(backup, checks if is_compared else None, tables))
        for name, entry in backup.manifest.tables.items():
            if tables is None or name in tables:
                check = checks.setdefault(name, _TableCheck())
                problems += list(check.problems(f"{backup.path}: table {name!r}", position, entry))
    return problems


def _presence_problems(
    backup: Backup, known: Collection[str] | None, tables: Sequence[str] | None
) -> Iterator[Problem]:
    """`known` are the tables of the backups before; None when nothing is known of them."""
    assert backup.manifest is not None
    present = backup.manifest.tables
    try:
        check_table_names(list(present))
    except UsageError as error:
        yield Problem("table name", str(backup.path), str(error))
    for name in known or ():
        if name not in present:
            yield Problem(
                "table missing",
                str(backup.path),
                f"says nothing about table {name!r}, which the full backup has (expected its "
                f"changes, or 'unchanged'); {AGAIN}, or take a new full backup",
            )
    for name in present:
        if known is not None and name not in known and (tables is None or name in tables):
            yield Problem(
                "table unknown",
                str(backup.path),
                f"has table {name!r}, which the full backup lacks; take a new full backup",
            )


class _TableCheck:
    """Walks one table along the chain; `before` is its entry and schema one backup earlier."""

    def __init__(self) -> None:
        self.before: tuple[TableEntry, TableSchema] | None = None

    def problems(self, where: str, position: int, entry: TableEntry) -> Iterator[Problem]:
        schema = None
        try:
            schema = _readable_schema(entry)
        except ValueError as error:
            yield Problem("schema", where, f"{error}; {AGAIN}")
        yield from _count_problems(where, position, entry)
        if schema is not None:
            yield from _file_list_problems(where, entry.files, schema)
            if self.before is not None and position:
                yield from _step_problems(where, self.before, entry, schema)
        self.before = None if schema is None else (entry, schema)


def _readable_schema(entry: TableEntry) -> TableSchema:
    schema = entry.schema_of()
    if len(set(schema.names)) != len(schema.names):
        raise ValueError("a column is named twice")
    reserved = {OP_COLUMN, SET_COLUMN} & set(schema.names)
    if reserved:
        raise ValueError(f"column name {min(reserved)!r} is reserved")
    if not schema.key:
        raise ValueError("the table has no key")
    for name in schema.key:
        if name not in schema.names:
            raise ValueError(f"key column {name!r} is not a column")
        if not is_key_type(schema.type_of(name)):
            raise ValueError(f"key column {name!r} has type {schema.type_of(name)}")
    if schema.hash() != entry.schema_hash:
        raise ValueError(
            f"the schema was altered: its hash is {schema.hash()} (expected {entry.schema_hash})"
        )
    return schema


def _count_problems(where: str, position: int, entry: TableEntry) -> Iterator[Problem]:
    rows = sum(file.rows for file in entry.files)
    counted = entry.upserts + entry.resets + entry.erases
    allowed = ("changes", "unchanged") if position else ("full",)
    if entry.change not in allowed:
        yield Problem(
            "wrong kind",
            where,
            f"holds {entry.change!r} (expected {' or '.join(allowed)}); {AGAIN}",
        )
    elif entry.change == "full" and rows != entry.rows:
        yield _counts(where, f"its files have {rows:,} rows (expected {entry.rows:,})")
    elif entry.change == "changes" and rows != counted:
        yield _counts(
            where,
            f"its files have {rows:,} rows (expected {counted:,}: {entry.upserts:,} upserts, "
            f"{entry.resets:,} resets, {entry.erases:,} erases)",
        )
    elif entry.change == "unchanged" and (entry.files or counted):
        yield _counts(where, "is unchanged, but has files or changes")
    if (entry.resets or entry.erases) and not entry.has_op:
        yield _counts(where, "has resets or erases, but no __op column")


def _counts(where: str, text: str) -> Problem:
    return Problem("counts", where, f"{text}; {AGAIN}")


def _file_list_problems(
    where: str, files: Sequence[FileEntry], schema: TableSchema
) -> Iterator[Problem]:
    last: Key | None = None
    for file in files:
        place = f"{where}, file {file.path!r}"
        if not is_file_name(file.path):
            yield Problem("file list", place, f"is not a plain file name; {AGAIN}")
            continue
        try:
            starts = [decode_key(group.first_key, schema) for group in file.row_groups]
            first, file_last = (decode_key(key, schema) for key in (file.first_key, file.last_key))
        except ValueError as error:
            yield Problem("file list", place, f"{error}; {AGAIN}")
            continue
        fault = _range_fault(file, starts, first, file_last, last)
        if fault is not None:
            yield Problem("file list", place, f"{fault}; {AGAIN}")
        last = file_last


def _range_fault(
    file: FileEntry, starts: list[Key], first: Key, file_last: Key, last: Key | None
) -> str | None:
    if sum(group.rows for group in file.row_groups) != file.rows:
        return f"its row groups do not have {file.rows:,} rows together"
    if not starts or starts[0] != first or first > file_last:
        return "its first key is not the first of its row groups, or above its last key"
    if starts[-1] > file_last or any(b <= a for a, b in pairwise(starts)):
        return "its row groups are not in ascending order of keys"
    if last is not None and first <= last:
        return "its keys do not come after those of the file before it"
    return None


def _step_problems(
    where: str, before: tuple[TableEntry, TableSchema], entry: TableEntry, schema: TableSchema
) -> Iterator[Problem]:
    old, old_schema = before
    try:
        schema_step(old_schema, schema, where)
    except BackupChainBroken as error:
        for text in error.problems:
            yield Problem("schema step", where, text.removeprefix(f"{where}: "))
    same = (old.schema_hash, old.rows, old.digest) == (entry.schema_hash, entry.rows, entry.digest)
    if entry.change == "unchanged" and not same:
        yield Problem(
            "counts",
            where,
            "is unchanged, but its schema, rows or digest are not those of the backup before; "
            f"{AGAIN}",
        )
    added = entry.upserts + entry.resets
    if entry.change == "changes" and not old.rows - entry.erases <= entry.rows <= old.rows + added:
        yield _counts(
            where,
            f"{old.rows:,} rows before, {added:,} upserts and resets and {entry.erases:,} erases "
            f"cannot leave {entry.rows:,} rows",
        )
