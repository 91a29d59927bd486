"""The folders that runs on real files work in: gone with the run, however it is interrupted."""

from __future__ import annotations

import atexit
import contextlib
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "increstore-run-"

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
    """Remove those whose own removal was interrupted."""
    for folder in tuple(_made):
        shutil.rmtree(folder, ignore_errors=True)
        _made.discard(folder)


atexit.register(remove_left_folders)
