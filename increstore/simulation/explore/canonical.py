"""The key of a core at rest: two cores with equal keys will do the same from now on.

Rules of this file:
- What is not named in the tables below is part of the key: something new in a core can make more
  states than needed, and never fewer.
- Time is left out where every wake-up passes every patience (`node_step.PATIENCE`): all that
  remains of a moment is whether there is one, and whether it has come.
- Words for people are left out; whether there are any is not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from increstore.protocol.asking import Asking, Contact
from increstore.protocol.coordinator import Coordinator
from increstore.protocol.desk import Desk
from increstore.protocol.ledger import Ledger, ScanEntry
from increstore.protocol.messages import (
    ApplyChanges,
    CompletionNotification,
    Evidence,
    Refused,
    StreamEvidence,
)
from increstore.protocol.phase import Phase
from increstore.protocol.ready import ApplyBatch, Batch
from increstore.protocol.scan_phase import ScanPhase
from increstore.protocol.source_scan import SourceScan
from increstore.protocol.source_shard import SourceShard
from increstore.protocol.stream import ChangeStream
from increstore.protocol.target_phases import TargetPhase
from increstore.protocol.target_shard import TargetShard
from increstore.protocol.target_stream import TargetStream
from increstore.simulation.explore.kept import LiveStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Key: TypeAlias = Any
"""Nested tuples of integers, strings and None: hashable, and equal across processes."""

_ATOMS = (int, str, bytes, bool, type(None))

_LEFT_OUT: dict[type, frozenset[str]] = {
    # The same in all lives of a node.
    Coordinator: frozenset({"_fingerprint", "_ledger"}),  # The desk has the ledger.
    SourceShard: frozenset({"_config", "_outbox", "_targets", "dropped"}),
    TargetShard: frozenset({"_outbox", "_sources", "dropped"}),
    Desk: frozenset({"_wall_offset", "config", "dropped", "now", "outbox"}),
    Ledger: frozenset({"fingerprint", "resumed_at", "stage_started_at", "topology"}),
    ScanEntry: frozenset({"error", "table"}),
    # Seen from elsewhere too, or a moment of the past.
    Phase: frozenset({"_sweep_at", "desk"}),
    ScanPhase: frozenset({"_scans", "samples"}),
    TargetPhase: frozenset({"_errors"}),
    Contact: frozenset({"asked_at", "heard_at", "since"}),
    SourceScan: frozenset({"_config", "_outbox"}),
    ChangeStream: frozenset({"_asked_at", "_moved_at", "_repairs"}),
    # Bytes, which the digest stands for, and words for people.
    ApplyChanges: frozenset({"payload"}),
    ApplyBatch: frozenset({"payload"}),
    Batch: frozenset({"payload"}),
    CompletionNotification: frozenset({"error"}),
    Refused: frozenset({"detail"}),
}

_MOMENT: dict[type, frozenset[str]] = {ScanEntry: frozenset({"not_before"})}
"""Of the wall clock: none, one that has come, or one that has not."""

_NAMES: dict[type, frozenset[str]] = {Asking: frozenset({"_delayed"})}
"""Mappings to moments that have not come: who is in them is all that matters."""

_WHETHER: dict[type, frozenset[str]] = {
    # A moment that is set, a text that is not empty.
    Asking: frozenset({"next_due"}),
    Contact: frozenset({"due"}),
    Ledger: frozenset({"accepted_at", "reason"}),
    Desk: frozenset({"superseded"}),
    SourceShard: frozenset({"_sweep_at"}),
    TargetStream: frozenset({"rejection"}),
}


_IN_ANY_ORDER = (Batch, Evidence, LiveStream, StreamEvidence)
"""Values that come in sequences whose order is nobody's promise: it follows the names of shards."""


class _How(Enum):
    """What an attribute adds to the key."""

    WHOLE = "whole"
    WHETHER = "whether"
    MOMENT = "moment"
    NAMES = "names"


class Canon:
    """Makes keys, with shards renamed on the way."""

    def __init__(self, renaming: Mapping[str, str]) -> None:
        self._renaming = dict(renaming)
        self._wall = 0
        self._readers: dict[type, Callable[[Any], Key]] = {}

    def key(self, value: object, wall: int = 0) -> Key:
        """The key of a core, message or effect; `wall` is the owner's wall clock."""
        self._wall = wall
        return self._of(value)

    def name(self, name: str) -> str:
        return self._renaming.get(name, name)

    def _of(self, value: Any) -> Key:
        cls = type(value)
        if cls is str:
            return self._renaming.get(value, value)
        if cls in _ATOMS:
            return value
        reader = self._readers.get(cls)
        if reader is None:
            reader = self._readers[cls] = self._reader_of(cls)
        return reader(value)

    def _reader_of(self, cls: type) -> Callable[[Any], Key]:
        if issubclass(cls, Enum):
            return _word
        if issubclass(cls, tuple | list | deque):
            return self._sequence
        if issubclass(cls, dict):
            return self._mapping
        if issubclass(cls, set | frozenset):
            return self._set
        return self._object

    def _sequence(self, values: Sequence[Any]) -> Key:
        keys = [self._of(value) for value in values]
        if len(keys) > 1 and type(values[0]) in _IN_ANY_ORDER:
            keys.sort()
        return tuple(keys)

    def _mapping(self, values: Mapping[Any, Any]) -> Key:
        """By key: no core lets the order of a mapping decide more than the order of messages."""
        return tuple(sorted([(self._of(key), self._of(value)) for key, value in values.items()]))

    def _set(self, values: Iterable[Any]) -> Key:
        return tuple(sorted([self._of(value) for value in values]))

    def _object(self, value: Any) -> Key:
        parts: list[Key] = [type(value).__name__]
        for name, how in _plan(value):
            attribute = getattr(value, name)
            if how is _How.WHOLE:
                parts.append(self._of(attribute))
            elif how is _How.WHETHER:
                parts.append(attribute is not None and attribute != "")
            elif how is _How.NAMES:
                parts.append(self._set(attribute))
            else:
                parts.append((attribute > 0) + (attribute > self._wall))
        return tuple(parts)


def _word(value: Enum) -> Key:
    return value.value


_PLANS: dict[type, tuple[tuple[str, _How], ...]] = {}


def _plan(value: Any) -> tuple[tuple[str, _How], ...]:
    """What of such an object goes into its key, always in the same order."""
    cls = type(value)
    plan = _PLANS.get(cls)
    if plan is None:
        plan = _PLANS[cls] = tuple(
            (name, _how(cls, name))
            for name in _attributes(value, cls)
            if not _is_in(_LEFT_OUT, cls, name)
        )
    return plan


def _attributes(value: Any, cls: type) -> tuple[str, ...]:
    if is_dataclass(cls):
        return tuple(field.name for field in fields(cls))
    slots = [name for base in cls.__mro__ for name in base.__dict__.get("__slots__", ())]
    return tuple(sorted({*slots, *getattr(value, "__dict__", ())}))


def _how(cls: type, name: str) -> _How:
    if _is_in(_MOMENT, cls, name):
        return _How.MOMENT
    if _is_in(_NAMES, cls, name):
        return _How.NAMES
    return _How.WHETHER if _is_in(_WHETHER, cls, name) else _How.WHOLE


def _is_in(table: Mapping[type, frozenset[str]], cls: type, name: str) -> bool:
    return any(name in table.get(base, ()) for base in cls.__mro__)
