"""What ambient chance did in a run, in words that a scenario file has for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Strike:
    """One thing that chance did.

    `kind` is "loss", "corrupt", "truncate", "reorder", "duplicate" or "latency" of a message,
    "crash" of a node at a `point` of a step, or "page" that could not be read. `number` counts the
    messages of this kind on this link, or names the page; times are nanoseconds.
    """

    kind: str
    at: int
    node: str
    """Who was struck; of a message, its sender."""
    receiver: str = ""
    message: str = ""
    number: int = 0
    by: int = 0
    point: str = ""
    incremental: int = 0
    attempt: int = 0
