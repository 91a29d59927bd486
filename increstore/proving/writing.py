"""Whether what a campaign is to write can be written, asked before it runs for an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.errors import StorageFailed

if TYPE_CHECKING:
    from pathlib import Path


def require_file(path: Path) -> None:
    """Raises: StorageFailed when this file cannot be written. What it holds stays, for now."""
    is_new = not path.exists()
    try:
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        raise StorageFailed(
            f"{path}: cannot be written ({error.strerror}); name another file"
        ) from error


def require_folder(path: Path) -> None:
    """Make the folder when it is not there. Raises: StorageFailed when that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(
            f"{path}: the folder cannot be written ({error.strerror}); name another one"
        ) from error
