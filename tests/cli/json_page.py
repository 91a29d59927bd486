"""docs/JSON.md as a contract: what a command writes is described in its section."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "JSON.md"


def section_of(command):
    """The text under `increstore COMMAND --json`, up to the next command."""
    _, found, after = PAGE.read_text(encoding="utf-8").partition(
        f"## `increstore {command} --json`"
    )
    assert found, f"docs/JSON.md has no section for {command}"
    return after.partition("\n## ")[0]


def undescribed(command, objects):
    """Event names and fields of these objects that the section does not name."""
    section = section_of(command)
    words = {found["event"] for found in objects} | {name for one in objects for name in one}
    return sorted(word for word in words if f"`{word}`" not in section)
