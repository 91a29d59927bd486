"""The verdict that something happened which must never happen."""

from __future__ import annotations

from increstore.errors import VerificationFailed

VIOLATED = "invariant.violated"
"""The event that tells of it, where a run is watched."""


class InvariantViolated(VerificationFailed):
    """One invariant is broken.

    `invariant` is its id and name ("C1 completion-truth"), `says` the sentence that tells what was
    seen and what was expected, `at` the moment in nanoseconds (of the clock of the observations),
    `node` where it was seen.
    """

    def __init__(self, invariant: str, says: str, at: int, node: str) -> None:
        self.invariant = invariant
        self.says = says
        self.at = at
        self.node = node
        super().__init__(f"{invariant}: {node}: {says}")
