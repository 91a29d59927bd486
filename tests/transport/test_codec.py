from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.errors import LocalProtocolError, RemoteProtocolError
from increstore.protocol.messages import Reason, Refused
from increstore.protocol.plain import to_plain
from increstore.protocol.records import IncrementalCompleted
from increstore.transport.codec import HEADER_BYTES_MAX, decode, encode

from .builders import KINDS, a_batch, a_small_message, any_message, any_of


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_message_of_every_kind_comes_back_as_it_was(kind):
    @given(any_of(kind))
    def comes_back(message):
        assert decode(*encode("orders/s0", "orders/t1", message)) == (
            "orders/s0",
            "orders/t1",
            message,
        )

    comes_back()


def test_the_payload_is_neither_copied_nor_packed():
    payload = bytearray(b"r" * 5000)

    header, out_of_band = encode("orders/s0", "orders/t1", a_batch(payload=payload))

    assert out_of_band is payload
    assert len(header) < 200
    assert decode(header, out_of_band)[2].payload is payload


def test_an_error_text_with_a_file_name_that_is_not_utf8_travels():
    message = Refused("nightly", 1, 2, None, Reason.STORAGE_FAILED, "cannot read t\udcff.parquet")

    assert decode(*encode("orders/t0", "coordinator", message))[2] == message


def test_a_message_too_large_for_a_header_is_our_own_error():
    message = Refused("nightly", 1, 2, None, Reason.STORAGE_FAILED, "x" * HEADER_BYTES_MAX)

    with pytest.raises(LocalProtocolError, match=r"Refused needs 10\d+ bytes.*nothing was sent"):
        encode("orders/t0", "coordinator", message)


def test_an_integer_beyond_64_bits_is_our_own_error():
    with pytest.raises(LocalProtocolError, match="cannot be encoded"):
        encode("orders/t0", "coordinator", a_small_message(generation=1 << 64))


def test_rows_that_belong_to_no_batch_are_refused():
    header, _ = encode("coordinator", "orders/s0", a_small_message())

    with pytest.raises(RemoteProtocolError, match="a payload \\(expected none\\)"):
        decode(header, b"rows")


def test_a_batch_without_its_rows_is_refused():
    header, _ = encode("orders/s0", "orders/t0", a_batch())

    with pytest.raises(RemoteProtocolError, match="no payload"):
        decode(header, None)


def test_a_record_of_the_log_is_not_a_message():
    header = msgpack.packb(["a", "b", to_plain(IncrementalCompleted(3, 12))])

    with pytest.raises(RemoteProtocolError, match="IncrementalCompleted is not a message"):
        decode(header, None)


@pytest.mark.parametrize(
    "header",
    [
        [],
        ["a", "b"],
        ["a", "b", "c"],
        ["a", "b", []],
        ["a", "b", ["Unheard", 1]],
        ["a", "b", ["CancelRestore", "nightly"]],
        ["a", "b", ["CancelRestore", "nightly", 1, 2]],
        ["a", "b", ["CancelRestore", "nightly", True]],
        ["a", "b", ["CancelRestore", "nightly", 1.0]],
        ["a", "b", [["CancelRestore"], "nightly", 1]],
        ["", "b", ["CancelRestore", "nightly", 1]],
        ["a", "", ["CancelRestore", "nightly", 1]],
        ["a" * 5000, "b", ["CancelRestore", "nightly", 1]],
        ["a", "b" * 5000, ["CancelRestore", "nightly", 1]],
        ["a", "b", ["CancelRestore", b"nightly", 1]],
        ["a", "b", ["CancelRestore", {}, 1]],
        ["a", "b", ["CancelRestore", {"nightly": 1}, 1]],
        {"a": 1},
        7,
        None,
    ],
    ids=repr,
)
def test_a_header_of_another_shape_is_refused(header):
    with pytest.raises(RemoteProtocolError):
        decode(msgpack.packb(header), None)


@pytest.mark.parametrize("place", [["ApplyChanges"], ["ApplyChanges", 1, 2, 3, 4, 5, "rows"]])
def test_a_batch_whose_place_for_the_rows_is_missing_or_taken_is_refused(place):
    with pytest.raises(RemoteProtocolError, match="place in the header is not nil"):
        decode(msgpack.packb(["a", "b", place]), b"rows")


def test_a_header_nested_without_end_is_refused():
    with pytest.raises(RemoteProtocolError):
        decode(b"\x91" * 100_000 + b"\xc0", None)


def test_a_header_beyond_the_limit_is_refused_unread():
    with pytest.raises(RemoteProtocolError, match="expected at most 1048576"):
        decode(bytes(HEADER_BYTES_MAX + 1), None)


@given(st.binary(max_size=300), st.one_of(st.none(), st.binary(max_size=9)))
def test_garbage_is_refused_and_nothing_else_happens(header, payload):
    with pytest.raises(RemoteProtocolError):
        decode(header, payload)


@given(any_message(), st.data())
def test_a_header_with_changed_bytes_is_refused_or_is_another_message(message, data):
    """The codec alone proves shapes, not bytes: those are the frame's checksum's."""
    header, payload = encode("orders/s0", "orders/t1", message)
    changed = bytearray(header)
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        sender, receiver, other = decode(bytes(changed), payload)
    except RemoteProtocolError:
        return
    assert decode(*encode(sender, receiver, other)) == (sender, receiver, other)
    assert (sender, receiver, other) != ("orders/s0", "orders/t1", message)
