"""Whether a scenario makes sense: names that exist, moments in order, faults that can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from increstore.scenario.model import Scenario


class Broken(NamedTuple):
    """What could not be read: names of sections, and numbers (1-based) of faults."""

    sections: frozenset[str] = frozenset()
    faults: frozenset[int] = frozenset()


def find_mistakes(scenario: Scenario, broken: Broken) -> list[str]:
    """Every mistake in what could be read, as `place: what`."""
    return []
