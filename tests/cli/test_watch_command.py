"""What `increstore watch` opens."""

from __future__ import annotations

from pathlib import Path

from increstore.cli.watching import SHIPPED

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_who_has_no_scenarios_chooses_from_those_that_are_shipped_with_the_package():
    assert SHIPPED.is_dir()
    assert {path.name for path in SHIPPED.glob("*.toml")} == {
        path.name for path in SCENARIOS.glob("*.toml")
    }
