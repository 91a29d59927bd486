"""How many shards are in which state, in the words that a title has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style

if TYPE_CHECKING:
    from increstore.tui.widgets.painting import Part

SEVERITY = ("alarm", "bad", "cut", "wait", "busy", "calm", "good")
"""Roles of states, what a person must see first: what does not fit is of the last ones."""
APART = 2


class StateCount(NamedTuple):
    """So many shards are in the state of this word."""

    word: str
    role: str
    look: Part
    number: int = 1

    def one_more(self) -> StateCount:
        return self._replace(number=self.number + 1)

    @property
    def text(self) -> str:
        return f"{self.look[0]} {self.number} {self.word}"


def tell_counts(counts: list[StateCount], room: int) -> list[Part]:
    """All of them as they come; where they do not fit, the gravest, and how many others are left.

    Nothing is cut within a word: a number that is cut would be another number.
    """
    if sum(APART + len(one.text) for one in counts) <= room:
        return _parts(counts)
    ranked = sorted(counts, key=lambda one: (SEVERITY.index(one.role), -one.number))
    for kept in range(len(ranked) - 1, -1, -1):
        others = f"  {sum(one.number for one in ranked[kept:])} others"
        if sum(APART + len(one.text) for one in ranked[:kept]) + len(others) <= room:
            return [*_parts(ranked[:kept]), (others, Style.null())]
    return []


def _parts(counts: list[StateCount]) -> list[Part]:
    return [
        part for one in counts for part in ((" " * APART, Style.null()), (one.text, one.look[1]))
    ]
