"""The way to a broken law, step by step, in words for people.

One line a step: which node, what happened to it, and what its core made of that.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any

from increstore.protocol.messages import ScanId, ScanProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from increstore.protocol.ready import Ready
    from increstore.simulation.explore.moves import Attempt, Move
    from increstore.simulation.explore.node_table import NodeTable
    from increstore.simulation.explore.search import Violation

_UNTOLD = frozenset({
    "accepted_at", "completed_at", "digest", "error", "evidence", "failed_at", "fingerprint",
    "not_before", "paused_at", "payload", "reported_at", "restore", "resumed_at", "rows",
    "rows_scanned", "started_at", "cancelled_at", "unapplied", "streams", "rows_sent",
    "rows_applied", "sent", "applied",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the story."""

    number: int
    node: str
    event: str
    did: tuple[str, ...] = ()

    def line(self, node_width: int = 0) -> str:
        did = f"  ->  {'; '.join(self.did)}" if self.did else ""
        return f"{self.number:>4}  {self.node:<{node_width}}  {self.event}{did}"

    def as_json(self) -> dict[str, Any]:
        return {
            "event": "explore.step",
            "step": self.number,
            "node": self.node,
            "happens": self.event,
            "did": list(self.did),
        }


def retell(violation: Violation, table: NodeTable) -> list[Step]:
    """Every step from the beginning to the broken law; all nodes have started before it."""
    tellings = [_move(move, table) for move in violation.trace]
    if violation.attempt is not None:
        tellings.append(_attempt(violation.attempt, table))
    return [Step(number, *telling) for number, telling in enumerate(tellings, 1)]


def _move(move: Move, table: NodeTable) -> tuple[str, str, tuple[str, ...]]:
    first = move.what[0]
    if first == "is lost":
        packet = table.packets[move.what[1]]
        lost = f"{told(packet.message)} from {packet.sender} to {packet.receiver}"
        return "(network)", f"loses {lost}", ()
    if first == "crashes":
        return _crash(move, table)
    what, place, outcome, *cut = move.what
    event = _event(what, table)
    if cut:
        return table.names[place], f"{event}; it crashes {cut[0].where}", ()
    return table.names[place], event, tuple(_did(outcome.ready, table))


def _attempt(attempt: Attempt, table: NodeTable) -> tuple[str, str, tuple[str, ...]]:
    did = tuple(_did(attempt.ready, table)) if attempt.ready else ()
    return table.names[attempt.place], _event(attempt.what, table), did


def _crash(move: Move, table: NodeTable) -> tuple[str, str, tuple[str, ...]]:
    _, place, number, remains, *mail = move.what
    profile = table.profile(number)
    told = "crashes"
    if len(profile.remains) > 1:
        told += f", and finds what it wrote ({remains + 1} of {len(profile.remains)} ways)"
    if mail:
        told += ", and what was on its way to it is gone"
    return table.names[place], told, ()


def _event(what: tuple[Any, ...], table: NodeTable) -> str:
    match what:
        case ("receives" | "receives one of two" as verb, packet):
            found = table.packets[packet]
            return f"{verb} {told(found.message)} from {found.sender}"
        case ("does", number, place):
            return str(table.profile(number).deeds[place].what)
    return " ".join(what)


def _did(ready: Ready, table: NodeTable) -> Iterator[str]:
    for record in ready.records:
        yield f"records {told(record)}"
    for effect in ready.effects:
        yield f"asks for {told(effect)}"
    for receiver, message in ready.messages:
        if isinstance(message, ScanProgress) and not table.samples:
            continue
        yield f"sends {told(message)} to {receiver}"


def told(value: object) -> str:
    """A message, record or effect in few words: what it is about, not what it holds."""
    parts = [part for part in _parts(value) if part]
    name = type(value).__name__
    return f"{name}({', '.join(parts)})" if parts else name


def _parts(value: Any) -> Iterator[str]:
    for field in fields(value):
        found = getattr(value, field.name)
        if field.name in _UNTOLD or found is None:
            continue
        if isinstance(found, ScanId):
            yield f"{found.source}, incremental {found.incremental}, attempt {found.attempt}"
        elif isinstance(found, Enum):
            yield str(found.value)
        elif isinstance(found, str):
            yield found
        else:
            yield f"{field.name} {found}"
