"""One model for each kind of fault, and where it can run.

Keys that a kind does not have are mistakes. `docs/SCENARIOS.md` tells what each one does.
"""

# ruff: noqa: TC001 - pydantic needs these names when it makes the classes.

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import Field

from increstore.scenario.base import Selector, Words
from increstore.scenario.fields import Count, Later, Positive, Shift, Size, Switch
from increstore.scenario.trigger import CountedFault, LastingFault, TriggeredFault

# --- Messages. `nth` is the first match that is struck; `times` how many from there on.


class MessageFault(CountedFault):
    """Strikes messages that match every key given."""

    message: Words | None = None
    sender: Selector | None = Field(default=None, alias="from")
    receiver: Selector | None = Field(default=None, alias="to")
    incremental: Count | None = None
    attempt: Positive | None = None
    order: Positive | None = None
    status: Literal["success", "transient", "fatal"] | None = None
    nth: Positive = 1


class Drop(MessageFault):
    kind: Literal["drop"] = "drop"


class Delay(MessageFault):
    kind: Literal["delay"] = "delay"
    by: Later


class Duplicate(MessageFault):
    """`copies` more of it, each `by` after the one before."""

    kind: Literal["duplicate"] = "duplicate"
    copies: Positive = 1
    by: Later | None = None


class Reorder(MessageFault):
    """Late by `by`, and those sent after it do not wait for it."""

    kind: Literal["reorder"] = "reorder"
    by: Later


class Corrupt(MessageFault):
    kind: Literal["corrupt"] = "corrupt"


class Truncate(MessageFault):
    kind: Literal["truncate"] = "truncate"


class Hold(MessageFault):
    """Kept until the fault ends, then delivered."""

    kind: Literal["hold"] = "hold"


# --- Links.


class Partition(LastingFault):
    """`groups` do not hear each other; of one group, all others are the second.

    `direction` is the first group's view: "to" cuts what is sent to it, "from" what it sends.
    """

    kind: Literal["partition"] = "partition"
    groups: tuple[Selector, ...]
    direction: Literal["both", "to", "from"] = "both"
    mode: Literal["drop", "hold", "slow"] = "drop"
    by: Later | None = None


class Clog(LastingFault):
    """A node's traffic is held until the end, or lost when `hold` is false."""

    kind: Literal["clog"] = "clog"
    node: Selector
    direction: Literal["in", "out", "both"] = "both"
    hold: Switch = True


class LinkFault(LastingFault):
    """Concerns every message from one of `from` to one of `to`."""

    sender: Selector = Field(default=("all",), alias="from")
    receiver: Selector = Field(default=("all",), alias="to")


class SlowLink(LinkFault):
    kind: Literal["slow_link"] = "slow_link"
    by: Later


class Bandwidth(LinkFault):
    """Each link of it carries so many bytes a second, one message after the other."""

    kind: Literal["bandwidth"] = "bandwidth"
    bytes_per_second: Size


class HalfOpen(LinkFault):
    """The sender believes that the link is up; everything is lost, nothing is reset."""

    kind: Literal["half_open"] = "half_open"


class Reset(MessageFault):
    """The links are reset: at a moment, or (with `message`) when such a message is sent."""

    kind: Literal["reset"] = "reset"


class Swizzle(LastingFault):
    """Nodes are clogged one by one in a drawn order, and released in another one."""

    kind: Literal["swizzle"] = "swizzle"
    nodes: Selector
    duration: Later | None = None


# --- Nodes.


class CrashFault(CountedFault):
    """Ends a node without a last word: at a moment, or at a `point` of one of its steps.

    The points: records not yet written; written, not synced; synced, nothing sent; some messages
    sent. Without `restart_after` it stays away until the fault ends.
    """

    kind: Literal["crash"] = "crash"
    node: Selector
    point: Literal["", "before_append", "after_append", "after_sync", "after_send"] = ""
    record: Words | None = None
    restart_after: Later | None = None
    wipe: Switch = False
    rollback: Count = 0


class PauseFault(LastingFault):
    """The node stands still; what is sent to it waits."""

    kind: Literal["pause"] = "pause"
    node: Selector


class ClockJumpFault(TriggeredFault):
    """The node's wall clock is put forward or back, once."""

    kind: Literal["clock_jump"] = "clock_jump"
    node: Selector
    by: Shift


class ClockDriftFault(LastingFault):
    """The node's wall clock runs fast (or, below 0, slow) by `ppm` millionths."""

    kind: Literal["clock_drift"] = "clock_drift"
    node: Selector
    ppm: Annotated[int, Field(strict=True, gt=-1_000_000, lt=1_000_000)]


class UsurpFault(TriggeredFault):
    """A second coordinator starts from the same history while the first lives on."""

    kind: Literal["usurp"] = "usurp"


class SecondRestoreFault(TriggeredFault):
    """Another restore into the same target is started, and must be refused."""

    kind: Literal["second_restore"] = "second_restore"


# --- Disks, pages, operator.


class DiskFaultSpec(CountedFault):
    """What happens to writes (`slow` to `fsync_error`), or to what is stored (the others)."""

    kind: Literal["disk"] = "disk"
    node: Selector
    action: Literal[
        "slow", "stall", "eio", "enospc", "fsync_error", "torn", "lose_unsynced", "bitflip",
        "misdirect",
    ]  # fmt: skip
    op: Literal["any", "append", "seal", "finalize", "log", "publish"] = "any"
    by: Later | None = None


class PageFaultSpec(CountedFault):
    """A source cannot read a page of its backup; or reads it (`garble`), and then spoils it.

    Garbled is the memory that holds a page's batches, after their digests were taken: frames are
    made of it, so that no checksum of the way can see it.
    """

    kind: Literal["page"] = "page"
    node: Selector = ("sources",)
    incremental: Count | None = None
    attempt: Positive | None = None
    page: Count | None = None
    transient: Switch = True
    error: str = "injected: the page cannot be read"
    garble: Switch = False


class OperatorFault(TriggeredFault):
    """A person pauses, resumes or cancels the restore, or changes the cap of scans in flight."""

    kind: Literal["operator"] = "operator"
    verb: Literal["pause", "resume", "cancel", "cap"]
    value: Annotated[int, Field(strict=True)] = 0


AnyMessageFault: TypeAlias = Drop | Delay | Duplicate | Reorder | Corrupt | Truncate | Hold
AnyLinkFault: TypeAlias = Partition | Clog | SlowLink | Bandwidth | HalfOpen | Reset | Swizzle
AnyNodeFault: TypeAlias = (
    CrashFault | PauseFault | ClockJumpFault | ClockDriftFault | UsurpFault | SecondRestoreFault
)
AnyFault: TypeAlias = (
    AnyMessageFault | AnyLinkFault | AnyNodeFault | DiskFaultSpec | PageFaultSpec | OperatorFault
)
Fault = Annotated[AnyFault, Field(discriminator="kind")]

FAULT_MODELS: dict[str, type[AnyFault]] = {
    model.model_fields["kind"].default: model for model in get_args(AnyFault)
}
"""The model of each kind."""

DISK_AT_REST = ("torn", "lose_unsynced", "bitflip", "misdirect")
"""Disk actions that are told once, as something done to what is stored."""

_EVERYWHERE = ("simulation", "memory", "tcp")
_SIMULATION = ("simulation",)

MODES: dict[str, tuple[str, ...]] = {
    "drop": _EVERYWHERE,
    "delay": _EVERYWHERE,
    "duplicate": _EVERYWHERE,
    "reorder": _EVERYWHERE,
    "corrupt": _EVERYWHERE,
    "truncate": _EVERYWHERE,
    "hold": _EVERYWHERE,
    "partition": _EVERYWHERE,
    "clog": _EVERYWHERE,
    "slow_link": _EVERYWHERE,
    "bandwidth": _EVERYWHERE,
    "half_open": _EVERYWHERE,
    "reset": _EVERYWHERE,
    "swizzle": _EVERYWHERE,
    "crash": _EVERYWHERE,
    "crash with wipe": _EVERYWHERE,
    "crash with rollback": _EVERYWHERE,
    "pause": _EVERYWHERE,
    "clock_jump": _EVERYWHERE,
    "clock_drift": _SIMULATION,
    "usurp": _SIMULATION,
    "second_restore": _EVERYWHERE,
    "disk slow": _EVERYWHERE,
    "disk stall": _EVERYWHERE,
    "disk eio": _EVERYWHERE,
    "disk enospc": _EVERYWHERE,
    "disk fsync_error": _EVERYWHERE,
    "disk torn": _EVERYWHERE,
    "disk lose_unsynced": _SIMULATION,
    "disk bitflip": _EVERYWHERE,
    "disk misdirect": _SIMULATION,
    "page": _EVERYWHERE,
    "operator": _EVERYWHERE,
}
"""Where each kind can run; the first word of a key is the kind."""


def variants(fault: AnyFault) -> tuple[str, ...]:
    """The keys of `MODES` that this fault needs, all of them."""
    if isinstance(fault, DiskFaultSpec):
        return (f"disk {fault.action}",)
    if isinstance(fault, CrashFault):
        extra = ("crash with wipe",) if fault.wipe else ()
        return ("crash", *extra, *(("crash with rollback",) if fault.rollback else ()))
    return (fault.kind,)
