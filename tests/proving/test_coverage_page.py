"""docs/COVERAGE.md names scenarios and tests; each of them must be there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/COVERAGE.md").read_text("utf-8")


def _has(file, test):
    return re.search(rf"^(?:async )?def {test}\(", file.read_text("utf-8"), re.MULTILINE)


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"(tests/[\w/]+\.py)::(test_\w+)", PAGE)

    missing = [(file, test) for file, test in named if not _has(ROOT / file, test)]

    assert len(named) > 40
    assert missing == []


def test_every_scenario_that_the_page_names_exists():
    spoken = re.findall(r"scenarios? ((?:`\w+`(?:, | and )?)+)", PAGE)
    named = [name for names in spoken for name in re.findall(r"`(\w+)`", names) if name != "NAME"]

    assert len(named) > 40
    assert [name for name in named if not (ROOT / f"scenarios/{name}.toml").exists()] == []


def test_every_row_of_the_page_says_what_shows_it_or_why_nothing_does():
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    told = [row for row in rows if row[0] != "| behaviour"]

    assert len(told) > 50
    assert [
        row[0]
        for row in told
        if not re.search(r"scenarios? `|tests/|does not exist here: |not there yet: ", row[2])
    ] == []
