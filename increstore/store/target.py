"""The target directory: who it belongs to, who works in it now, and where everything lies.

    TARGET/<table>/part-00000.parquet     the restored rows, once published
    TARGET/.increstore/identity.json      which restore of which collection owns the target
    TARGET/.increstore/lock               held (flock) by the process that restores right now
    TARGET/.increstore/coordinator.db     the coordinator's history
    TARGET/.increstore/shards/<shard>/    one target shard's working files
    TARGET/.increstore/staged/<table>/    final rows nobody reads yet
    TARGET/.increstore/publication.json   the tables whose renames have begun

The kernel releases the lock when its process ends, however it ends.
"""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from increstore.chain.files import make_directories
from increstore.errors import StorageCorrupted, StorageFailed, TargetRefused
from increstore.store.files import file_name_of, told_as_storage_failed, write_atomically
from increstore.store.target_lock import take_lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

FORMAT = 1
WORK_NAME = ".increstore"
REMOVERS = 4
"""Threads that remove working files."""


@dataclass(frozen=True, slots=True)
class TargetIdentity:
    """Which restore owns a target: another collection, backup or plan may not continue it.

    `upto` is the name of the last backup restored; `fingerprint` names the whole plan, which the
    numbers of source and target shards and the chosen `tables` (none: all) make again.
    """

    collection: str
    restore: str
    upto: str
    fingerprint: str = ""
    sources: int = 1
    targets: int = 1
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetPaths:
    """Where everything of one target lies; touches nothing."""

    root: Path

    @property
    def work(self) -> Path:
        return self.root / WORK_NAME

    @property
    def identity(self) -> Path:
        return self.work / "identity.json"

    @property
    def lock(self) -> Path:
        return self.work / "lock"

    @property
    def coordinator_log(self) -> Path:
        return self.work / "coordinator.db"

    @property
    def publication(self) -> Path:
        return self.work / "publication.json"

    @property
    def shards(self) -> Path:
        return self.work / "shards"

    @property
    def staged(self) -> Path:
        return self.work / "staged"

    def shard(self, name: str) -> Path:
        """The working directory of the target shard `name`."""
        return self.shards / file_name_of(name)

    def staged_table(self, table: str) -> Path:
        return self.staged / file_name_of(table)

    def staged_file(self, table: str, number: int) -> Path:
        """Where target shard `number` (0-based, in key order) writes its final rows."""
        return self.staged_table(table) / f"part-{number:05d}.parquet"

    def table(self, table: str) -> Path:
        """The folder in which readers find the restored table."""
        return self.root / table


_IDENTITY_FIELDS: dict[str, type] = {
    "collection": str,
    "restore": str,
    "upto": str,
    "fingerprint": str,
    "sources": int,
    "targets": int,
    "tables": tuple,
}


class TargetDirectory:
    """The target of one restore, held by this process alone until `close`."""

    def __init__(self, paths: TargetPaths, lock: int, identity: TargetIdentity | None) -> None:
        self.paths = paths
        self.identity = identity
        """Whose target it is; None when it is new."""
        self._lock = lock

    @classmethod
    def open(cls, root: Path) -> TargetDirectory:
        """Create `root` when it is missing, and take it for this process.

        Raises: TargetRefused when it cannot be a target or another restore works in it;
        StorageFailed when it cannot be written; StorageCorrupted when its identity is damaged.
        """
        paths = TargetPaths(root)
        examine_target(root)
        try:
            make_directories(paths.work)
            handle = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise TargetRefused(_unusable(root, "written", error)) from error
        try:
            take_lock(handle, paths.root, paths.lock)
            # Only now is what we read our own: another restore may have claimed it meanwhile.
            return cls(paths, handle, examine_target(root))
        except BaseException:
            os.close(handle)
            raise

    def claim(self, wanted: TargetIdentity) -> None:
        """Make this target `wanted`'s own, durably; nothing happens when it already is.

        Raises: TargetRefused when it belongs to another collection, backup or plan.
        """
        if self.identity is None:
            content = json.dumps({"format": FORMAT, **asdict(wanted)}, indent=2) + "\n"
            with told_as_storage_failed(self.paths.identity, "claiming the target"):
                write_atomically(self.paths.identity, content.encode())
            self.identity = wanted
        elif self.identity != wanted:
            raise TargetRefused(_foreign(self.paths.root, self.identity, wanted))

    def remove_working_files(self) -> None:
        """Remove the shards' working files of a completed restore; identity and history stay.

        Not synced: nothing rests on it, and what a power cut brings back the same command removes.
        """
        with told_as_storage_failed(self.paths.shards, "removing working files"):
            if self.paths.shards.exists():
                _remove_all(sorted(self.paths.shards.iterdir()))
        for folder in (self.paths.shards, self.paths.staged):
            with told_as_storage_failed(folder, "removing working files"):
                if folder.exists():
                    shutil.rmtree(folder)

    def require_in_place(self) -> None:
        """Raises: StorageFailed when the target is no longer the directory that was taken."""
        try:
            if os.path.samestat(os.stat(self.paths.lock), os.fstat(self._lock)):  # noqa: PTH116
                return
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StorageFailed(_unusable(self.paths.root, "read", error)) from error
        raise StorageFailed(
            f"{self.paths.root}: expected the target of this restore, got none or another one: it "
            "was removed, moved or replaced while the restore worked in it; "
            "bring it back, or start again, with the same command"
        )

    @property
    def lock_fd(self) -> int:
        """The open file that holds the lock: a process that inherits it holds the target too."""
        return self._lock

    def close(self) -> None:
        """Let go of the target; closing twice is fine."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> TargetDirectory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def examine_target(root: Path) -> TargetIdentity | None:
    """Whose target `root` is, None when it is free to take. Writes nothing.

    Raises: TargetRefused when it can never be a target as it is; StorageCorrupted when its
    identity cannot be understood.
    """
    paths = TargetPaths(root)
    try:
        if not root.exists():
            _refuse_loose_link(root)
            return None
        if not root.is_dir():
            raise TargetRefused(f"{root}: expected a directory, got a file; choose another target")
        names = sorted(os.listdir(root))  # noqa: PTH208 - names are all we need, not paths.
        if WORK_NAME in names and paths.identity.exists():
            return _parse_identity(paths)
        entries = sorted(os.listdir(paths.work)) if WORK_NAME in names else []  # noqa: PTH208
    except OSError as error:
        raise TargetRefused(_unusable(root, "read", error)) from error
    strangers = [name for name in names if name != WORK_NAME]
    # A start that died before it claimed the target leaves the lock, and no more.
    strangers += [name for name in entries if not name.startswith(("lock", "identity.json"))]
    if strangers:
        raise TargetRefused(
            f"{root}: expected a new or empty directory, or the target of an earlier restore; "
            f"got one that holds {_listed(strangers)}; choose another target, or empty it yourself"
        )
    return None


def _refuse_loose_link(root: Path) -> None:
    if root.is_symlink():
        raise TargetRefused(
            f"{root}: expected a directory, got a link to {os.readlink(root)}, which does not "  # noqa: PTH115
            "exist; make that folder, or choose another target"
        )


def _parse_identity(paths: TargetPaths) -> TargetIdentity:
    try:
        found: Any = json.loads(paths.identity.read_bytes())
        if isinstance(found, dict) and isinstance(found.get("format"), int):
            number = found.pop("format")
            if number > FORMAT:
                raise TargetRefused(
                    f"{paths.identity}: format {number} is newer than this program reads "
                    f"(expected {FORMAT}); upgrade increstore"
                )
            found["tables"] = tuple(found.get("tables", ()))
            if all(isinstance(found.get(name), kind) for name, kind in _IDENTITY_FIELDS.items()):
                return TargetIdentity(**found)
        problem = "fields are missing or of another type"
    except (ValueError, TypeError) as error:
        problem = str(error)
    raise StorageCorrupted(
        f"{paths.identity}: expected the identity of a restore, got something else ({problem}); "
        "remove the target, or choose another one"
    )


def _foreign(root: Path, found: TargetIdentity, wanted: TargetIdentity) -> str:
    if found.collection != wanted.collection:
        difference = f"collection {wanted.collection}", f"collection {found.collection}"
    elif found.upto != wanted.upto:
        difference = f"a restore up to {wanted.upto}", f"one up to {found.upto}"
    else:
        difference = f"restore {wanted.restore}", f"restore {found.restore}"
    return (
        f"{root}: this target belongs to another restore: expected {difference[0]}, "
        f"got {difference[1]}; choose another target, or repeat the command that began it; "
        "nothing was changed"
    )


def _remove_all(folders: Sequence[Path]) -> None:
    """Side by side: freeing what the system keeps of a large file takes it a while."""
    with ThreadPoolExecutor(REMOVERS) as pool:
        for _ in pool.map(shutil.rmtree, folders):
            pass


def _unusable(root: Path, verb: str, error: OSError) -> str:
    reason = error.strerror or str(error)
    return (
        f"{root}: the target cannot be {verb}: {reason}; give this user access to it, "
        "or choose another target; nothing was restored"
    )


def _listed(names: list[str], most: int = 3) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
