"""What a director asks of a driver, and what it answers: plain frozen values.

Durations are nanoseconds. `fault` is the id of the fault that wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

# --- Actions: a driver carries them out when they are due.


@dataclass(frozen=True, slots=True)
class Crash:
    """End a node without a last word.

    It starts again after `restart_after_ns`; None: when a `Restart` says so, or never.
    `wipe`: its disk is empty then; `rollback`: its disk has lost the last so many durable writes.
    """

    node: str
    restart_after_ns: int | None
    wipe: bool = False
    rollback: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Restart:
    """Start a crashed node again; nothing to do when it runs."""

    node: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Let a node stand still for so long; None: until an `Unpause`, or for ever."""

    node: str
    duration_ns: int | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Unpause:
    """Let a node go on; nothing to do when it does."""

    node: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ClockJump:
    """Put a node's wall clock forward (or, below 0, back)."""

    node: str
    by_ns: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ClockDrift:
    """From now on a node's wall clock runs fast by `ppm` millionths; 0: right again."""

    node: str
    ppm: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Operate:
    """A person asks the coordinator: "pause", "resume", "cancel" or "cap"."""

    verb: str
    value: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Usurp:
    """Start a second coordinator on the same history."""

    fault: str = ""


@dataclass(frozen=True, slots=True)
class SecondRestore:
    """Start another restore into the same target."""

    fault: str = ""


@dataclass(frozen=True, slots=True)
class ResetLink:
    """Break the connection between two nodes, both directions."""

    a: str
    b: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Deliver what was held under this name (`Fate.hold`), in the order held."""

    hold: str


@dataclass(frozen=True, slots=True)
class DiskAction:
    """Done to what a node has stored.

    "bitflip" and "misdirect" at once; "torn" and "lose_unsynced" at its next crash. `op` narrows
    it to what such writes wrote, "any" does not.
    """

    node: str
    action: str
    op: str = "any"
    fault: str = ""


Action: TypeAlias = (
    Crash | Restart | Pause | Unpause | ClockJump | ClockDrift | Operate | Usurp | SecondRestore
    | ResetLink | Release | DiskAction
)  # fmt: skip


# --- Answers.


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one message.

    One copy arrives for each delay in `copies`; none, and it is lost. `keeps_order`: late because
    its whole link is, so what follows on it does not overtake. `damage` ("corrupt", "truncate")
    strikes the frame of every copy; with `reset` the connection breaks. With `hold` it is kept
    until that `Release`, and `copies` count from there.
    """

    copies: tuple[int, ...] = (0,)
    damage: str = ""
    reset: bool = False
    hold: str | None = None
    fault: str = ""
    keeps_order: bool = False


@dataclass(frozen=True, slots=True)
class DiskFault:
    """What happens to one durable write: late by `by_ns`, and failed when there is an `error`.

    Of "fsync_error" nobody knows whether the write is durable; "eio" and "enospc" wrote nothing.
    """

    action: str
    by_ns: int
    error: str
    fault: str


@dataclass(frozen=True, slots=True)
class PageFault:
    """One page that cannot be read; or one that is read, and garbled."""

    transient: bool
    error: str
    fault: str
    garbles: bool = False


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """One line of the director's log; `what` is "injected", "ended" or "skipped"."""

    at: int
    fault: str
    kind: str
    what: str
    where: str
    detail: str
