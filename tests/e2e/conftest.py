"""Collections that many tests read and none changes: made once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .builders import Depot, a_varied_depot


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """Eight tables and five incrementals; read only."""
    return a_varied_depot(tmp_path_factory.mktemp("varied"))


@pytest.fixture
def damaged(varied: Depot, tmp_path: Path) -> Depot:
    """A copy of `varied` that the test may damage."""
    depot = Depot(tmp_path / "copy")
    shutil.copytree(varied.path, depot.path)
    depot.expected, depot.backups = varied.expected, varied.backups
    return depot
