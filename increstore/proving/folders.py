"""The folders that runs on real files work in: gone with the run, however it is interrupted."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from increstore.stops import at_the_end

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "increstore-run-"
TRIES_MAX = 100

_made: set[Path] = set()


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """A new folder for the block. Raises: OSError."""
    folder = Path(tempfile.gettempdir()) / f"{PREFIX}{secrets.token_hex(8)}"
    _made.add(folder)  # Before it is there: an interruption may come between any two steps.
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder)
        _made.discard(folder)


def remove_left_folders() -> None:
    """Remove those whose own removal was interrupted, or has not come.

    A run that goes on in another thread may write while its folder is removed.
    """
    for folder in tuple(_made):
        for _ in range(TRIES_MAX):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
        _made.discard(folder)


at_the_end(remove_left_folders)
