"""Keyed draws: every decision of chance has a name, and the name alone decides what it will be.

A draw is a hash of the seed and its label ("net orders/s0>orders/t1 ApplyChanges 3"), never the
next number of a shared generator: a change of the code that adds or removes one draw leaves all
others as they were, so most seeds keep failing for the same reason after an unrelated change.

A draw of 0 is always the harmless one (no loss, base latency, first in, first out). A *tape* is
what was drawn, without the zeros; running it again, with some entries left out, is how a failing
run is made smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import xxhash

if TYPE_CHECKING:
    from collections.abc import Mapping

_hash: Final = xxhash.xxh3_64_intdigest
_hash_bytes: Final = xxhash.xxh3_64_digest
"""The same number, the highest byte first."""


class Draws:
    """The chance of one run: from a seed, or from a tape (what it does not name is 0).

    `recorded` collects every draw that was not 0, when asked to record.
    """

    __slots__ = ("_tape", "is_recording", "recorded", "seed")

    def __init__(
        self, seed: int, tape: Mapping[str, int] | None = None, *, record: bool = False
    ) -> None:
        self.seed = seed
        self.is_recording = record
        self.recorded: dict[str, int] = {}
        self._tape = tape

    def draw(self, label: str, bound: int) -> int:
        """0 <= value < bound, for ever the same for one seed and label."""
        value: int
        if self._tape is None:
            value = _hash(label.encode(), self.seed) % bound
        else:
            value = min(self._tape.get(label, 0), bound - 1)
        if self.is_recording and value:
            self.recorded[label] = value
        return value

    def latency_and_tie(self, label: str) -> tuple[int, int]:
        """16 bits for a duration and 8 for the order at one instant, as two draws of their own."""
        if self._tape is None:
            drawn: bytes = _hash_bytes(label.encode(), self.seed)
            latency, tie = drawn[6] << 8 | drawn[7], drawn[0]
            if not self.is_recording:
                return latency, tie
        else:
            latency = min(self._tape.get(f"{label} latency", 0), 0xFFFF)
            tie = min(self._tape.get(f"{label} tie", 0), 0xFF)
        if self.is_recording:
            both = ((f"{label} latency", latency), (f"{label} tie", tie))
            self.recorded |= {name: value for name, value in both if value}
        return latency, tie
