"""docs/DASHBOARD.md says what the dashboard does."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from increstore.cli.program import group
from increstore.tui.keys import KEYS, Key, key_names
from increstore.tui.widgets.event_log import LOOK_BACK_MAX
from increstore.tui.widgets.space_time import WINDOW_EVENTS

PAGE = (Path(__file__).parents[2] / "docs" / "DASHBOARD.md").read_text(encoding="utf-8")


def line_of(key: Key) -> str:
    where = f" (on the {key.where})" if key.is_own else ""
    names = " ".join(f"`{name}`" for name in key_names(key.keys).split())
    return f"| {names} | {key.does}{where} | {key.ability} |"


def test_the_table_of_keys_is_the_one_that_the_dashboard_has():
    """Copy what is expected here into the page."""
    table = PAGE.partition("<!-- keys: begin -->\n")[2].partition("<!-- keys: end -->")[0]

    expected = ["| key | does | needs |", "|---|---|---|", *[line_of(key) for key in KEYS]]

    assert table.splitlines() == expected


def test_every_option_of_the_command_is_told():
    text = CliRunner().invoke(group, ["watch", "--help"]).output
    options = set(re.findall(r"--[a-z-]+", text)) - {"--help"}

    assert len(options) >= 5
    assert sorted(option for option in options if option not in PAGE) == []


def test_the_limits_are_those_of_the_code():
    assert f"{LOOK_BACK_MAX:,} events" in PAGE
    assert f"of messages over {WINDOW_EVENTS:,}" in PAGE
