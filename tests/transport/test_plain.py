"""The quick way to a value and the checking way are one: what one accepts, so does the other."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from enum import Enum

import pytest
from hypothesis import given

from increstore.errors import RemoteProtocolError
from increstore.protocol.messages import CancelRestore, Evidence, Reason, Refused, ScanId, StartScan
from increstore.protocol.plain import from_plain, to_plain
from increstore.protocol.plain_check import CLASSES, check_and_build, hints_of

from .builders import any_of

KINDS = sorted(CLASSES)
SCAN = ScanId("nightly", 3, "orders/s0", 1)


def outcome(read, plain):
    """The value with its types, or the words of the refusal."""
    try:
        value = read(plain)
    except RemoteProtocolError as error:
        return str(error)
    return value, type(value), types_within(value)


def types_within(value):
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return [(type(getattr(value, name)), types_within(getattr(value, name))) for name in names]
    return [types_within(item) for item in value] if isinstance(value, tuple) else type(value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_every_kind_comes_back_as_it_was_by_either_way(kind):
    @given(any_of(CLASSES[kind]))
    def comes_back(value):
        plain = to_plain(value)
        assert plain[0] == kind
        assert outcome(from_plain, plain) == outcome(check_and_build, plain)
        assert from_plain(plain) == value

    comes_back()


def places_in(plain, path=()):
    """Where in nested lists something stands, each as the indices that lead to it."""
    yield path
    if isinstance(plain, list):
        for index, item in enumerate(plain):
            yield from places_in(item, (*path, index))


def changed(plain, path, odd):
    if not path:
        return odd
    first, *rest = path
    return [*plain[:first], changed(plain[first], rest, odd), *plain[first + 1 :]]


ODD = [None, True, 5, -1, 2.0, "", "ab", "success", b"", [], ["a", 1], [[]], {}, (), 1 << 70]


def an_example(hint):
    """A value of the annotated type that has something in every place."""
    if typing.get_origin(hint) is tuple:
        members = [member for member in typing.get_args(hint) if member is not Ellipsis]
        return tuple(an_example(member) for member in members)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return an_example(typing.get_args(hint)[0])
    if dataclasses.is_dataclass(hint):
        return hint(*map(an_example, hints_of(hint).values()))
    return next(iter(hint)) if issubclass(hint, Enum) else {int: 7, str: "t", bytes: b"r"}[hint]


@pytest.mark.parametrize("kind", KINDS)
def test_anything_odd_in_any_place_is_refused_in_the_same_words_or_read_alike(kind):
    plain = to_plain(an_example(CLASSES[kind]))

    for place in places_in(plain):
        for odd in ODD:
            damaged = changed(plain, place, odd)
            assert outcome(from_plain, damaged) == outcome(check_and_build, damaged)


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        (["CancelRestore", "nightly"], "CancelRestore has 2 fields, got 1: ['nightly']"),
        (["CancelRestore", "nightly", 1, 2], "CancelRestore has 2 fields, got 3"),
        (["CancelRestore", "nightly", True], "CancelRestore.generation: expected int, got True"),
        (["StartScan", "abcd", 1], "StartScan.scan: expected ScanId, got 'abcd'"),
        (["StartScan", ["nightly", 1, 2], 1], "ScanId has 4 fields, got 3"),
        (["StartScan", ["nightly", 1, 2, 3], 1], "ScanId.source: expected str, got 2"),
        (["Unheard"], "unknown kind 'Unheard' (a newer peer?)"),
        ([], "expected [kind, field, ...], got []"),
        ([["StartScan"]], "expected [kind, field, ...], got [['StartScan']]"),
        ("StartScan", "expected [kind, field, ...], got 'StartScan'"),
    ],
    ids=repr,
)
def test_what_is_wrong_is_said(plain, says):
    with pytest.raises(RemoteProtocolError) as caught:
        from_plain(plain)

    assert says in str(caught.value)


def test_what_is_written_is_lists_texts_and_numbers():
    refused = Refused("nightly", 1, 2, None, Reason.STORAGE_FAILED, "no space")

    assert to_plain(StartScan(SCAN, 7)) == ["StartScan", ["nightly", 3, "orders/s0", 1], 7]
    assert to_plain(refused) == ["Refused", "nightly", 1, 2, None, "storage failed", "no space"]
    assert to_plain(Evidence("orders/t0", 9, 2, 5)) == ["Evidence", "orders/t0", 9, 2, 5]


def test_tuples_in_the_place_of_lists_are_read_as_lists_are():
    plain = ("StartScan", ("nightly", 3, "orders/s0", 1), 7)

    assert from_plain(plain) == StartScan(SCAN, 7)
    assert from_plain(list(plain)) == StartScan(SCAN, 7)


def test_a_text_of_json_carries_every_record():
    record = StartScan(SCAN, 1 << 63)

    assert from_plain(json.loads(json.dumps(to_plain(record)))) == record


def test_values_that_were_read_are_frozen_like_all_others():
    with pytest.raises(dataclasses.FrozenInstanceError):
        from_plain(["CancelRestore", "nightly", 1]).generation = 2
    assert hash(from_plain(["CancelRestore", "nightly", 1])) == hash(CancelRestore("nightly", 1))
