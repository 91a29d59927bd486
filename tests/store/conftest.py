"""Folders for tests that write a file a thousand times."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def quick_folder(tmp_path):
    """A folder in memory where the system has one: what is read back is the same, fsync is free."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)
