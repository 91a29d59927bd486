"""Messages of every kind, for property tests, and a few by hand."""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum

import xxhash
from hypothesis import strategies as st

from increstore.protocol import messages
from increstore.protocol.messages import ApplyChanges, CancelRestore, ChangesApplied, ScanId

KINDS = typing.get_args(messages.Message)

_names = st.text(min_size=1, max_size=20)
_payloads = st.one_of(st.binary(max_size=200), st.binary(max_size=20).map(bytearray))
_counts = st.integers(min_value=0, max_value=(1 << 64) - 1)


def any_message() -> st.SearchStrategy:
    return st.one_of([any_of(kind) for kind in KINDS])


def any_of(kind: type) -> st.SearchStrategy:
    """Values of a dataclass of the protocol, field by field from its annotations."""
    if kind is ApplyChanges:
        return st.builds(_apply_changes, any_of(ScanId), _counts, _payloads)
    hints = typing.get_type_hints(kind, globalns=vars(messages))
    return st.builds(kind, **{name: _any_value(hint) for name, hint in hints.items()})


def _apply_changes(scan: ScanId, order: int, payload: bytes | bytearray) -> ApplyChanges:
    return ApplyChanges(scan, 1, order, 7, xxhash.xxh3_64_intdigest(payload), payload)


def _any_value(hint: typing.Any) -> st.SearchStrategy:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return st.one_of([_any_value(member) for member in typing.get_args(hint)])
    if typing.get_origin(hint) is tuple:
        first, *others = typing.get_args(hint)
        if others == [Ellipsis]:
            return st.lists(_any_value(first), max_size=3).map(tuple)
        return st.tuples(*[_any_value(member) for member in (first, *others)])
    if dataclasses.is_dataclass(hint):
        return any_of(hint)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return {int: _counts, str: _names, type(None): st.none()}[hint]


def a_scan(incremental: int = 3, source: str = "orders/s0", attempt: int = 0) -> ScanId:
    return ScanId("nightly", incremental, source, attempt)


def a_batch(order: int = 1, payload: bytes | bytearray | memoryview = b"rows") -> ApplyChanges:
    return ApplyChanges(a_scan(), 1, order, 10, xxhash.xxh3_64_intdigest(payload), payload)


def an_acknowledgement(watermark: int = 1) -> ChangesApplied:
    return ChangesApplied(a_scan(), 1, watermark)


def a_small_message(generation: int = 1) -> CancelRestore:
    return CancelRestore("nightly", generation)
