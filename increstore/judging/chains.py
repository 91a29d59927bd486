"""All laws of one observation in one call, where laws are compiled.

A law that is called by name costs its compiled caller less than one that is called by reference:
no number is made an object for it. So the compiled build adds a class for each observation here
(`tools/compiled.py` writes it), which calls the laws one after the other; of a message it is the
one that takes the message in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from increstore.judging.dispatch import ChecksOf
    from increstore.judging.monitor import Monitor
    from increstore.judging.observer import Tell
    from increstore.judging.truth import Truth

    Monitors = Mapping[type[Monitor], Monitor]
    Chain = Callable[[Monitors], Callable[..., None]]
    JudgedTell = Callable[[Truth, ChecksOf, Monitors], Tell]

CHAINS: Final[dict[str, Chain]] = {}
"""By observation, what makes the call of the monitors that judge it; empty where nothing is
compiled."""
TELLS: Final[dict[str, JudgedTell]] = {}
"""Of messages: what takes one in as `dispatch` has it, after the laws."""
