"""What each kind of fault must keep to, beside what all of them do (`fault_rules`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol.policy import is_cap
from increstore.protocol.topology import COORDINATOR, is_source, is_target
from increstore.scenario import faults as f
from increstore.scenario.complaints import listed, suggestion
from increstore.scenario.fault_rules import (
    Surroundings,
    end_mistakes,
    incremental_mistakes,
    mode_mistakes,
    selector_mistakes,
    trigger_mistakes,
)
from increstore.scenario.nodes import select
from increstore.scenario.words import MESSAGES, RECORDS, message_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from increstore.scenario.faults import AnyFault


def fault_mistakes(fault: AnyFault, around: Surroundings) -> Iterator[str]:
    """Every mistake in one fault."""
    yield from mode_mistakes(fault, around.modes)
    yield from trigger_mistakes(fault, around)
    yield from end_mistakes(fault, around)
    for key in ("node", "nodes", "sender", "receiver"):
        selector = getattr(fault, key, None)
        if selector is not None:
            shown = {"sender": "from", "receiver": "to"}.get(key, key)
            yield from selector_mistakes(shown, selector, around)
    check = _OF_KIND.get(type(fault), _message if isinstance(fault, f.MessageFault) else None)
    if check is not None:
        yield from check(fault, around)


def _surplus(fault: AnyFault, keys: Sequence[str], why: str) -> Iterator[str]:
    """Keys that mean nothing here, although the model has them."""
    fields = type(fault).model_fields
    given = [key for key in keys if getattr(fault, key) != fields[key].default]
    if given:
        yield f"{' and '.join(fields[key].alias or key for key in given)}: {why}; leave it out"


def _only(
    selector: Sequence[str], may: Callable[[str], bool], why: str, around: Surroundings
) -> Iterator[str]:
    """Nodes that such a fault cannot strike."""
    named = select(selector, around.nodes or ()).candidates
    wrong = [node for node in named if not may(node)]
    if wrong:
        yield f"node: {why}, not {listed(wrong)}"


# --- Messages.


def _message(fault: f.MessageFault, around: Surroundings) -> Iterator[str]:
    if isinstance(fault, f.Reset) and fault.message is None:
        keys = ("duration", "until", "permanent", "times", "nth", "incremental", "attempt", "order",
                "status")  # fmt: skip
        yield from _surplus(fault, keys, "a reset without a message strikes once")
        return
    yield from incremental_mistakes("incremental", fault.incremental, around)
    for name in fault.message or ():
        if name not in MESSAGES:
            yield f"unknown message {name!r} {suggestion(name, list(MESSAGES))}"
            continue
        missing = [key for key in _NARROWING if getattr(fault, key) is not None]
        missing = [key for key in missing if key not in message_fields(name)]
        if missing:
            yield f"{name} has no {listed(missing)}; leave it out, or name another message"


_NARROWING = ("incremental", "attempt", "order", "status")


# --- Links.


def _partition(fault: f.Partition, around: Surroundings) -> Iterator[str]:
    if not fault.groups:
        yield 'groups: expected at least one, such as [["coordinator"], ["sources"]]'
    for number, group in enumerate(fault.groups, start=1):
        yield from selector_mistakes(f"groups, item {number}", group, around)
    if len(fault.groups) > 2 and fault.direction != "both":
        yield f'direction: of {len(fault.groups)} groups only "both" is clear'
    if fault.mode == "slow" and fault.by is None:
        yield 'mode = "slow" needs `by`'
    if fault.mode != "slow":
        yield from _surplus(fault, ("by",), 'only mode = "slow" has it')
    if around.nodes is not None:
        yield from _overlaps(fault, around.nodes)


def _overlaps(fault: f.Partition, nodes: Sequence[str]) -> Iterator[str]:
    groups = [select(group, nodes).candidates for group in fault.groups]
    if len(groups) == 1 and set(nodes) <= set(select(fault.groups[0], nodes).nodes):
        yield "groups: the only group has every node, so nobody is cut off; name two groups"
    for node in nodes:
        places = [str(number) for number, group in enumerate(groups, 1) if node in group]
        if len(places) > 1:
            yield f"groups: {node} is in items {' and '.join(places)}; expected in one"


def _swizzle(fault: f.Swizzle, _: Surroundings) -> Iterator[str]:
    yield from _surplus(fault, ("until", "permanent"), "a swizzle has a duration")


# --- Nodes.


def _crash(fault: f.CrashFault, around: Surroundings) -> Iterator[str]:
    for name in fault.record or ():
        if name not in RECORDS:
            yield f"unknown record {name!r} {suggestion(name, list(RECORDS))}"
    if fault.record and not fault.point:
        yield 'record narrows a point; give one too, such as point = "after_append"'
    if fault.times is not None and not fault.point and fault.after is None:
        yield "times counts events or points; give `after` or `point`, or leave it out"
    ends = [key for key in ("duration", "until", "permanent") if getattr(fault, key)]
    if fault.restart_after is not None and ends:
        yield f"has restart_after and {listed(ends)}; expected one of them"
    if fault.wipe and fault.rollback:
        yield "has wipe and rollback; expected one of them"
    if fault.wipe or fault.rollback:
        yield from _only(fault.node, _has_disk, "wipe and rollback need a disk", around)


def _has_disk(node: str) -> bool:
    return not is_source(node)


# --- Disks.

_ACTION_KEYS = ("by", "times", "duration", "until", "permanent")
_OPERATIONS_OF = {"log": "the coordinator", "publish": "the coordinator"}


def _disk(fault: f.DiskFaultSpec, around: Surroundings) -> Iterator[str]:
    match fault.action:
        case "slow":
            if fault.by is None:
                yield 'action = "slow" needs `by`'
        case "stall":
            yield from _surplus(fault, ("by", "until", "permanent"), "a stall has a duration")
        case "eio" | "enospc" | "fsync_error":
            yield from _surplus(fault, ("by",), 'only action = "slow" has it')
        case _:
            yield from _surplus(fault, _ACTION_KEYS, f"{fault.action} strikes once")
    yield from _only(fault.node, _has_disk, "a source shard keeps nothing", around)
    yield from _operation(fault, around)


def _operation(fault: f.DiskFaultSpec, around: Surroundings) -> Iterator[str]:
    nodes = select(fault.node, around.nodes or ()).candidates
    if fault.op == "any" or not nodes:
        return
    of_coordinator = fault.op in _OPERATIONS_OF
    if not any((node == COORDINATOR) if of_coordinator else is_target(node) for node in nodes):
        whose = "the coordinator" if of_coordinator else "target shards"
        yield f"op: {fault.op!r} is written by {whose} only, and node names none of them"


# --- Pages and the operator.


def _page(fault: f.PageFaultSpec, around: Surroundings) -> Iterator[str]:
    yield from incremental_mistakes("incremental", fault.incremental, around)
    if fault.garble:
        yield from _surplus(fault, ("transient", "error"), "a garbled page is read all the same")
    yield from _only(fault.node, is_source, "page faults strike source shards", around)


def _operator(fault: f.OperatorFault, _: Surroundings) -> Iterator[str]:
    if fault.verb == "cap":
        if not is_cap(fault.value):
            yield f"value: expected a number above 0, or -1 for no bound, got {fault.value}"
    elif fault.value:
        yield f'value: only verb = "cap" has one, got {fault.value}'


_OF_KIND: dict[type, Callable[[Any, Surroundings], Iterator[str]]] = {
    f.Partition: _partition,
    f.Swizzle: _swizzle,
    f.CrashFault: _crash,
    f.DiskFaultSpec: _disk,
    f.PageFaultSpec: _page,
    f.OperatorFault: _operator,
}
