"""A few kills of tools/kill_soak.py with a fixed seed; the tool itself makes hundreds."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "kill_soak.py"


def _tool():
    spec = importlib.util.spec_from_file_location("kill_soak", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Its dataclasses look for it there.
    spec.loader.exec_module(module)
    return module


def test_restores_killed_at_random_moments_complete_with_every_value(tmp_path: Path):
    kill_soak = _tool()
    chain = kill_soak.a_generated_chain(tmp_path, rows=6_000, incrementals=3)
    tally = kill_soak.soak([chain], tmp_path, kills=6, seed=1, say=lambda _line: None)
    assert tally.kills >= 6
