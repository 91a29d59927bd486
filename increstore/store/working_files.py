"""Whether a target still holds what its history tells of, before anybody goes on with it.

One look at folders: what is in the files is for the recovery of each shard to find out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.errors import StorageCorrupted
from increstore.protocol.records import RestoreCompleted, TargetSealed
from increstore.store.files import told_as_storage_failed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.protocol.records import CoordinatorRecord
    from increstore.store.target import TargetPaths

_AGAIN = (
    "somebody removed it, or brought back an older copy; remove the target and start the restore "
    "again; nothing was changed"
)


def require_working_files(paths: TargetPaths, history: Sequence[CoordinatorRecord]) -> None:
    """`history` is the coordinator's, of the restore that owns the target.

    Raises: StorageCorrupted when it is lost, or what a shard has applied; StorageFailed.
    """
    if any(isinstance(record, RestoreCompleted) for record in history):
        return  # They are no longer needed, and may be gone.
    if not history:
        _require_no_work(paths)
    for shard in sorted({record.target for record in history if isinstance(record, TargetSealed)}):
        folder = paths.shard(shard)
        if not _holds_files(folder):
            raise StorageCorrupted(
                f"{folder}: expected what target shard {shard} has applied, got no files; {_AGAIN}"
            )


def _require_no_work(paths: TargetPaths) -> None:
    with told_as_storage_failed(paths.shards, "looking for working files"):
        folders = sorted(paths.shards.iterdir()) if paths.shards.is_dir() else []
    for folder in folders:
        if _holds_files(folder):
            raise StorageCorrupted(
                f"{paths.coordinator_log}: expected the history of this restore, of which {folder} "
                f"holds files, got none; {_AGAIN}"
            )


def _holds_files(folder: Path) -> bool:
    with told_as_storage_failed(folder, "looking for working files"):
        return folder.is_dir() and any(folder.iterdir())
