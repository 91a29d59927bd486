"""What a planted bug is, and how it is hunted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from tests.planted.patching import Edit


@dataclass(frozen=True, slots=True)
class Seeds:
    """Simulated runs of a scenario, seed after seed from 0, at most so many."""

    scenario: str
    runs: int = 50

    def __str__(self) -> str:
        return f"{self.scenario}, seeds 0..{self.runs - 1}"


@dataclass(frozen=True, slots=True)
class CrashEverywhere:
    """Simulated runs of one seed of a scenario, each with a crash at another point."""

    scenario: str
    seed: int = 0

    def __str__(self) -> str:
        return f"{self.scenario}, crash everywhere"


@dataclass(frozen=True, slots=True)
class RealRuns:
    """Runs of a scenario on the production nodes in one process; their journals are judged."""

    scenario: str
    runs: int = 3

    def __str__(self) -> str:
        return f"{self.scenario} on memory, {self.runs} runs"


@dataclass(frozen=True, slots=True)
class Tests:
    """Tests by their node ids; the first that fails ends the hunt."""

    __test__ = False  # For pytest: this holds no tests itself.

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(name.rpartition("::")[2] for name in self.names)


Hunt: TypeAlias = Seeds | CrashEverywhere | RealRuns | Tests


@dataclass(frozen=True, slots=True)
class Bug:
    """One mistake that somebody could make, and who must notice."""

    name: str
    group: str
    """That of the law it breaks, as in the catalogue of invariants."""
    says: str
    edits: tuple[Edit, ...]
    hunt: Hunt
    caught_by: tuple[str, ...]
    """What must turn red first: the id of an invariant ("C1"), "raised .. in .." for a guard of the
    product itself, "outcome" or "rows" of the scenario, or the name of a test. Anything else is no
    catch: a plant that only crashes the program would prove nothing."""
    alone: tuple[str, ...] = ()
    """The invariants that are awake, when not all of them: a law behind another one is tried this
    way, as the only thing between the mistake and the rows."""

    def is_caught_by(self, what: str) -> bool:
        return what in self.caught_by or what.partition(" ")[0] in self.caught_by
