"""Words that several commands share."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number with what it counts, in the plural where that is due: "1 row", "2,000 rows"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
