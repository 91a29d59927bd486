"""Publication: the staged rows of every table become visible, table by table, by rename.

Before the first rename the names of the tables are written down (`publication.json`), so that
after a crash in the middle a folder that is already visible is known to be ours. Repeating is
harmless.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from increstore.chain.files import make_directories, sync_directory
from increstore.errors import StorageCorrupted, TargetRefused
from increstore.store.files import told_as_storage_failed, write_atomically
from increstore.store.target import WORK_NAME, TargetPaths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMAT = 1


def publish(target: Path, tables: Sequence[str]) -> None:
    """Make the final rows of `tables` visible under `target`; durable when it returns.

    Raises: TargetRefused when a table's folder exists and is not ours; StorageCorrupted when
    staged rows are gone; StorageFailed when a rename fails (some tables may then be visible).
    """
    paths = TargetPaths(target)
    ordered = sorted(set(tables))  # A table above another in the tree comes first.
    already = _written_down(paths)
    _refuse_strangers(paths, ordered, already)
    if not already.issuperset(ordered):
        content = json.dumps({"format": FORMAT, "tables": ordered}, indent=2) + "\n"
        with told_as_storage_failed(paths.publication, "recording the publication"):
            write_atomically(paths.publication, content.encode())
    for table in ordered:
        _show(paths, table)


def is_published(target: Path, table: str) -> bool:
    """Whether readers can see the table's rows."""
    paths = TargetPaths(target)
    return table in _written_down(paths) and not paths.staged_table(table).exists()


def _written_down(paths: TargetPaths) -> set[str]:
    """The tables of a publication begun earlier, none when there was none."""
    try:
        with told_as_storage_failed(paths.publication, "reading the publication"):
            if not paths.publication.exists():
                return set()
            found = json.loads(paths.publication.read_bytes())
        if found["format"] > FORMAT:
            raise TargetRefused(
                f"{paths.publication}: format {found['format']} is newer than this program reads "
                f"(expected {FORMAT}); upgrade increstore"
            )
        return {str(table) for table in found["tables"]}
    except (ValueError, TypeError, KeyError) as error:
        raise StorageCorrupted(
            f"{paths.publication}: expected the list of published tables, got something else "
            f"({error!r}); remove the target and start the restore again"
        ) from error


def _refuse_strangers(paths: TargetPaths, tables: Sequence[str], already: set[str]) -> None:
    for table in tables:
        _refuse_name(paths, table)
        folder, staged = paths.table(table), paths.staged_table(table)
        with told_as_storage_failed(folder, "looking at the table's folder"):
            is_staged, is_visible = staged.is_dir(), _holds_anything(folder)
        if is_staged and is_visible:
            raise TargetRefused(
                f"{folder}: expected no such folder, since the rows of table {table!r} are still "
                "to be published, got one that this restore did not make; move it away, then run "
                "the same command again; the table was not published"
            )
        if not is_staged and not (table in already and is_visible):
            raise StorageCorrupted(
                f"{staged}: expected the final rows of table {table!r}, got no such folder; "
                "remove the target and start the restore again"
            )


def _refuse_name(paths: TargetPaths, table: str) -> None:
    parts = table.split("/")
    if parts[0] == WORK_NAME or any(part in ("", ".", "..") for part in parts):
        raise TargetRefused(
            f"{paths.root}: a table cannot be published under the name {table!r}; expected "
            f"plain folder names, the first not {WORK_NAME!r}"
        )


def _holds_anything(folder: Path) -> bool:
    if folder.is_dir():
        return any(folder.iterdir())
    return folder.exists() or folder.is_symlink()


def _show(paths: TargetPaths, table: str) -> None:
    staged, folder = paths.staged_table(table), paths.table(table)
    with told_as_storage_failed(folder, f"publishing table {table!r}"):
        if staged.exists():
            make_directories(folder.parent)
            staged.replace(folder)
        # Also when the rename was done before: its crash may have come before these.
        sync_directory(folder.parent)
        sync_directory(paths.staged)


def staged_file(target: Path, table: str, number: int) -> Path:
    """Where target shard `number` (0-based, in key order) of `table` writes its final rows."""
    return TargetPaths(target).staged_file(table, number)
