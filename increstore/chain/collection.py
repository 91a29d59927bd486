"""A backup collection on disk, and the chain a restore follows.

Layout: `COLLECTION/<backup>/manifest.json` and `COLLECTION/<backup>/<table>/part-00000.parquet`,
.. . A folder without a manifest is no backup: it is what an interrupted copy leaves behind.
Opening reads manifests only and judges nothing but their text; `validate` judges the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from increstore.chain.manifest import MANIFEST_NAME, Manifest, parse_manifest
from increstore.chain.names import Kind, kind_of_name
from increstore.errors import BackupChainBroken, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup folder that has a manifest. `manifest` is None when `problems` say why."""

    name: str
    path: Path
    kind: Kind
    manifest: Manifest | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """Every backup of a collection in name order.

    `incomplete` are folders named like a backup that have no manifest; they do not count.
    """

    path: Path
    backups: tuple[Backup, ...]
    incomplete: tuple[str, ...]

    @classmethod
    def open(cls, path: Path | str) -> Collection:
        """Read the collection at `path`.

        Raises: BackupChainBroken when it is not a readable directory.
        """
        path = Path(path)
        names = _backup_folders(path)
        complete = [name for name in names if _has_manifest(path / name)]
        return cls(
            path=path,
            backups=tuple(_read_backup(path / name) for name in complete),
            incomplete=tuple(name for name in names if name not in complete),
        )

    def chain(self, upto: str | None = None, tables: Sequence[str] | None = None) -> BackupChain:
        """The last full backup up to `upto` and every incremental after it, up to `upto`.

        `upto` is a backup's name or an unambiguous beginning of one; None is the last backup.
        `tables` of None is every table of the chain.

        Raises: UsageError for an unknown backup or table; BackupChainBroken without a full backup.
        """
        if not self.backups:
            raise BackupChainBroken(self._nothing_here())
        last = len(self.backups) - 1 if upto is None else self._position(upto)
        fulls = [n for n, backup in enumerate(self.backups[: last + 1]) if backup.kind == "full"]
        if not fulls:
            raise BackupChainBroken(
                f"{self.path}: no full backup before {self.backups[0].name} (expected a chain to "
                "begin with one); bring it back from its origin, or take a new full backup"
            )
        chain = BackupChain(self, self.backups[fulls[-1] : last + 1], None)
        return chain if tables is None else chain.only(tables)

    def _nothing_here(self) -> str:
        text = f"{self.path}: no backups here"
        if self.incomplete:
            return f"{text}, only incomplete ones without {MANIFEST_NAME}: {self.incomplete[0]} .."
        return f"{text} (expected folders such as 20260131T120000.000000Z_full)"

    def _position(self, upto: str) -> int:
        names = [backup.name for backup in self.backups]
        if upto in names:
            return names.index(upto)
        matches = [n for n, name in enumerate(names) if upto and name.startswith(upto)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            found = ", ".join(names[n] for n in matches)
            raise UsageError(f"{self.path}: {upto!r} is the beginning of several backups: {found}")
        raise UsageError(f"{self.path}: no backup {upto!r} (expected one of: {', '.join(names)})")


@dataclass(frozen=True, slots=True)
class BackupChain:
    """A full backup (position 0) and the incrementals 1..N that follow it, as found by name.

    Nothing is checked yet: `validate.require_valid` is for that. `tables` is the choice of tables,
    None for all.
    """

    collection: Collection
    backups: tuple[Backup, ...]
    tables: tuple[str, ...] | None

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """Raises: BackupChainBroken when one cannot be read."""
        problems = tuple(text for backup in self.backups for text in backup.problems)
        if problems:
            raise BackupChainBroken(problems)
        return tuple(backup.manifest for backup in self.backups if backup.manifest is not None)

    @property
    def table_names(self) -> tuple[str, ...]:
        """The chosen tables, sorted. Raises: BackupChainBroken as `manifests` does."""
        return tuple(sorted(self.manifests[0].tables if self.tables is None else self.tables))

    def only(self, tables: Sequence[str]) -> BackupChain:
        """The same chain for some of its tables. Raises: UsageError for an unknown table."""
        known = sorted(self.manifests[0].tables)
        for name in tables:
            if name not in known:
                raise UsageError(
                    f"{self.collection.path}: no table {name!r} in {self.backups[0].name} "
                    f"(it has: {', '.join(known)})"
                )
        return BackupChain(self.collection, self.backups, tuple(tables))


def _backup_folders(path: Path) -> list[str]:
    try:
        return sorted(
            entry.name
            for entry in path.iterdir()
            if kind_of_name(entry.name) is not None and entry.is_dir()
        )
    except FileNotFoundError as error:
        raise BackupChainBroken(f"{path}: no such collection; check the path") from error
    except NotADirectoryError as error:
        raise BackupChainBroken(f"{path}: is a file (expected a collection's folder)") from error
    except OSError as error:
        raise BackupChainBroken(f"{path}: cannot be read: {error.strerror}") from error


def _has_manifest(path: Path) -> bool:
    try:
        return (path / MANIFEST_NAME).exists()
    except OSError:
        return True  # It may have one that we may not see: reading it will say what is wrong.


def _read_backup(path: Path) -> Backup:
    kind = kind_of_name(path.name)
    assert kind is not None, path
    manifest_path = path / MANIFEST_NAME
    manifest: Manifest | None = None
    problems: tuple[str, ...] = ()
    try:
        manifest = parse_manifest(manifest_path.read_bytes(), str(manifest_path))
    except OSError as error:
        problems = (f"{manifest_path}: cannot be read: {error.strerror}",)
    except BackupChainBroken as error:
        problems = error.problems
    return Backup(path.name, path, kind, manifest, problems)
