"""docs/PROTOCOL.md says nothing that no test stands for."""

from __future__ import annotations

import re
from pathlib import Path

from increstore.protocol import messages

PAGE = (Path(__file__).parents[2] / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists():
    here = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py")
    )
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 40
    assert sorted(name for name in named if f"def {name}(" not in here) == []


def test_every_message_is_explained_by_the_page():
    kinds = [kind.__name__ for kind in messages.Message.__args__]

    assert [name for name in kinds if f"`{name}" not in PAGE] == []
