"""What the backups say about each table: its schemas, its files, and which values count.

Read from the manifests alone. Only what the verdict stands on is checked here (lineage, sizes,
checksums, row counts, schemas); `increstore chain` explains everything that may be wrong.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from increstore.chain.manifest import MANIFEST_NAME, Manifest, parse_manifest
from increstore.chain.schema import TableSchema, schema_step
from increstore.errors import BackupChainBroken, UsageError
from increstore.verification.data_file import DataFile, as_read, open_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.chain.manifest import FileEntry, TableEntry

_LOOK = "run `increstore chain` on the collection for everything that is wrong with it"
_COPY_AGAIN = "the backup is damaged: copy it again from its origin"


@dataclass(frozen=True, slots=True)
class Step:
    """One table in one backup; `incremental` is its place in the chain, 0 for the full."""

    incremental: int
    folder: Path
    schema: TableSchema
    entry: TableEntry

    def open_files(self) -> list[DataFile]:
        """The data files, checked against the manifest.

        Raises: BackupChainBroken naming every file that is not what the manifest says.
        """
        files: list[DataFile] = []
        problems: list[str] = []
        for entry in self.entry.files:
            try:
                files.append(self._open(entry))
            except BackupChainBroken as error:
                problems += error.problems
        if problems:
            raise BackupChainBroken(tuple(problems))
        return files

    def _open(self, entry: FileEntry) -> DataFile:
        path = self.folder / _inside(entry.path, f"{self.folder}: data file")
        _check_bytes(path, entry)
        file = open_file(path, BackupChainBroken, _COPY_AGAIN)
        has_op, has_set = self.entry.has_op, self.entry.has_set
        expected = as_read(self.schema.change_arrow(has_op=has_op, has_set=has_set))
        if (file.schema.names, file.schema.types) != (expected.names, expected.types):
            raise BackupChainBroken(
                f"{path}: expected the columns {_show(expected)}, got {_show(file.schema)}; {_LOOK}"
            )
        if file.rows != entry.rows:
            raise BackupChainBroken(
                f"{path}: expected {entry.rows} rows as the manifest says, got {file.rows}; {_LOOK}"
            )
        return file


@dataclass(frozen=True, slots=True)
class TableHistory:
    """One table through the chain.

    `schema` is the last one. `since` gives, per column of it, the incremental from which its
    values count: a column dropped and added again starts anew. `rows` is what the last manifest
    claims that the table holds.
    """

    name: str
    schema: TableSchema
    since: dict[str, int]
    steps: tuple[Step, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class ChainHistory:
    """The chain from its full backup up to and with the backup `upto`."""

    collection: str
    upto: str
    tables: tuple[TableHistory, ...]


def read_history(folder: Path, upto: str | None, tables: Sequence[str]) -> ChainHistory:
    """The chain that ends with `upto` (a name or its beginning; None: the last backup).

    `tables` limits it to some tables; empty means all.

    Raises: UsageError for a backup or table that does not exist; BackupChainBroken when the
    backups do not follow each other.
    """
    names = _backup_names(folder)
    last = _chosen(names, upto, folder)
    chain = _chain_up_to(folder, names[: names.index(last) + 1])
    _check_lineage(folder, chain)
    unknown = [name for name in tables if name not in chain[-1].tables]
    if unknown:
        raise UsageError(
            f"{folder}: the backup {last} has no table {unknown[0]!r}; "
            f"it has {', '.join(chain[-1].tables)}"
        )
    chosen = [name for name in chain[-1].tables if not tables or name in tables]
    histories = tuple(_table_history(folder, chain, name) for name in chosen)
    return ChainHistory(chain[-1].collection, last, histories)


def _backup_names(folder: Path) -> list[str]:
    """The complete backups, in order: a folder without a manifest does not exist."""
    try:
        children = sorted(child.name for child in folder.iterdir())
    except OSError as error:
        raise BackupChainBroken(
            f"{folder}: not a readable backup collection ({error.strerror}); name the folder that "
            "holds the backups"
        ) from error
    names = [
        name
        for name in children
        if name.endswith(("_full", "_incremental")) and not name.startswith(".")
        if (folder / name / MANIFEST_NAME).is_file()
    ]
    if not names:
        raise BackupChainBroken(f"{folder}: holds no complete backup; name another folder")
    return names


def _chosen(names: list[str], upto: str | None, folder: Path) -> str:
    if upto is None:
        return names[-1]
    found = [name for name in names if name == upto] or [n for n in names if n.startswith(upto)]
    if len(found) == 1:
        return found[0]
    problem = "matches no backup" if not found else f"matches {len(found)} backups"
    raise UsageError(f"{folder}: --upto {upto} {problem}; there are {', '.join(found or names)}")


def _chain_up_to(folder: Path, names: list[str]) -> list[Manifest]:
    """The last full backup among `names` and all that follow it."""
    chain: list[Manifest] = []
    for name in reversed(names):
        path = folder / name / MANIFEST_NAME
        try:
            manifest = parse_manifest(path.read_bytes(), str(path))
        except OSError as error:
            raise BackupChainBroken(f"{path}: cannot be read ({error.strerror})") from error
        if manifest.name != name:
            raise BackupChainBroken(
                f"{path}: says that it is {manifest.name}; the folder was renamed or copied: give "
                "it back its name"
            )
        chain.insert(0, manifest)
        if manifest.kind == "full":
            return chain
    raise BackupChainBroken(f"{folder}: no full backup up to {names[-1]}; copy the missing one")


def _check_lineage(folder: Path, chain: list[Manifest]) -> None:
    for before, after in pairwise(chain):
        where = f"{folder}/{after.name}"
        if after.parent != before.id:
            raise BackupChainBroken(
                f"{where}: follows the backup with id {after.parent}, but {before.name} before it "
                f"has id {before.id}; {_LOOK}"
            )
        if after.collection != before.collection:
            raise BackupChainBroken(f"{where}: belongs to another collection; {_LOOK}")
        if set(after.tables) != set(before.tables):
            odd = ", ".join(sorted(set(after.tables) ^ set(before.tables)))
            raise BackupChainBroken(f"{where}: tables appear or are missing: {odd}; {_LOOK}")


def _table_history(folder: Path, chain: list[Manifest], name: str) -> TableHistory:
    steps: list[Step] = []
    since: dict[str, int] = {}
    relative = _inside(name, f"{folder}: table")
    for incremental, manifest in enumerate(chain):
        entry, where = manifest.tables[name], f"{folder}/{manifest.name}: table {name!r}"
        try:
            schema = entry.schema_of()
        except ValueError as error:
            raise BackupChainBroken(f"{where}: {error}; {_LOOK}") from error
        if steps:
            schema_step(steps[-1].schema, schema, where)
        since = {column: since.get(column, incremental) for column in schema.names}
        steps.append(Step(incremental, folder / manifest.name / relative, schema, entry))
    last = steps[-1]
    return TableHistory(name, last.schema, since, tuple(steps), last.entry.rows)


def _inside(path: str, what: str) -> PurePosixPath:
    """A manifest is input: it may not lead out of its backup."""
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise BackupChainBroken(f"{what} {path!r} leads out of the backup; {_LOOK}")
    return relative


def _check_bytes(path: Path, entry: FileEntry) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupChainBroken(
            f"{path}: cannot be read ({error.strerror}); {_COPY_AGAIN}"
        ) from error
    if size != entry.bytes:
        raise BackupChainBroken(f"{path}: expected {entry.bytes} bytes, got {size}; {_COPY_AGAIN}")
    if sha256 != entry.sha256:
        raise BackupChainBroken(
            f"{path}: expected the sha256 {entry.sha256}, got {sha256}; {_COPY_AGAIN}"
        )


def _show(schema: object) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)  # type: ignore[attr-defined]
