from __future__ import annotations

import struct

import pytest
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st

from increstore.errors import LocalProtocolError, RemoteProtocolError
from increstore.transport.codec import HEADER_BYTES_MAX
from increstore.transport.framing import (
    HEARTBEAT,
    PREAMBLE_BYTES,
    Frame,
    FrameDecoder,
    encode_frame,
)

frames_strategy = st.lists(
    st.builds(
        Frame,
        st.binary(min_size=1, max_size=120),
        st.one_of(st.none(), st.binary(max_size=120)),
    ),
    max_size=6,
)


def stream_of(frames):
    return b"".join(b"".join(encode_frame(f.header, f.payload)) for f in frames)


def decode_in_pieces(stream, sizes, decoder):
    """Feed the stream as a socket would: at most `size` bytes a read, never more than asked for."""
    frames, at, turn = [], 0, 0
    while at < len(stream):
        buffer = decoder.writable()
        assert len(buffer) > 0
        count = min(len(buffer), sizes[turn % len(sizes)], len(stream) - at)
        buffer[:count] = stream[at : at + count]
        decoder.received(count)
        at, turn = at + count, turn + 1
        while (frame := decoder.next_frame()) is not None:
            frames.append(frame)
    return frames


@given(
    frames=frames_strategy,
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    staging_bytes=st.integers(PREAMBLE_BYTES, 200),
)
def test_framing_does_not_care_where_the_stream_is_cut(frames, sizes, staging_bytes):
    """A staging buffer of a few bytes makes every part a long one, filled directly."""
    decoder = FrameDecoder(staging_bytes=staging_bytes)

    assert decode_in_pieces(stream_of(frames), sizes, decoder) == frames
    assert decoder.is_between_frames


@given(frames=frames_strategy, beats=st.lists(st.integers(0, 6), max_size=4))
def test_heartbeats_between_frames_are_swallowed(frames, beats):
    pieces = [stream_of([frame]) for frame in frames]
    for place in beats:
        pieces.insert(place, HEARTBEAT)
    decoder = FrameDecoder()

    assert decode_in_pieces(b"".join(pieces), [17], decoder) == frames
    assert decoder.is_between_frames


@given(
    payload=st.one_of(st.none(), st.binary(max_size=60)),
    header=st.binary(min_size=1, max_size=60),
    data=st.data(),
)
def test_a_frame_with_any_bit_flipped_is_refused_or_never_ends(payload, header, data):
    stream = bytearray(stream_of([Frame(header, payload)]))
    bit = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[bit // 8] ^= 1 << bit % 8

    with pytest.raises(RemoteProtocolError):
        decode_in_pieces(stream, [len(stream)], FrameDecoder())


def test_every_single_bit_of_a_frame_is_covered():
    stream = stream_of([Frame(b"header", b"payload")])
    for bit in range(len(stream) * 8):
        flipped = bytearray(stream)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RemoteProtocolError):
            decode_in_pieces(flipped, [len(flipped)], FrameDecoder())


@given(frames=frames_strategy.filter(bool), data=st.data())
@example(frames=[Frame(b"h", b"")], data=None)
def test_a_truncated_frame_is_never_delivered(frames, data):
    last = len(stream_of(frames[-1:]))
    cut = 1 if data is None else data.draw(st.integers(1, last - 1))
    decoder = FrameDecoder(staging_bytes=64)

    assert decode_in_pieces(stream_of(frames)[:-cut], [50], decoder) == frames[:-1]
    assert not decoder.is_between_frames


def test_after_a_refused_frame_the_stream_stays_refused():
    decoder = FrameDecoder()
    with pytest.raises(RemoteProtocolError, match="not our peer"):
        decode_in_pieces(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", [100], decoder)

    with pytest.raises(RemoteProtocolError, match="not our peer"):
        decoder.next_frame()


def test_frames_before_the_refused_one_are_delivered():
    decoder, frame = FrameDecoder(), Frame(b"header", b"rows")
    stream = stream_of([frame]) + b"x" * PREAMBLE_BYTES
    decoder.writable()[: len(stream)] = stream
    decoder.received(len(stream))

    assert decoder.next_frame() == frame
    with pytest.raises(RemoteProtocolError):
        decoder.next_frame()


def a_preamble(
    *, version=1, flags=0, header_length=0, payload_length=0, magic=b"\xd1\x5c"
) -> bytes:
    """A preamble with a right checksum, whatever it says."""
    check = xxhash.xxh3_64_intdigest(b"")
    packed = struct.pack(
        ">2sBBIIQQ", magic, version, flags, header_length, payload_length, check, 0
    )
    return packed + (xxhash.xxh3_64_intdigest(packed) & 0xFFFFFFFF).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("preamble", "complaint"),
    [
        (a_preamble(version=2), "version 2 \\(expected 1\\)"),
        (a_preamble(flags=4), "unknown flags 0x04"),
        (a_preamble(flags=3), "unknown flags 0x03"),
        (a_preamble(header_length=HEADER_BYTES_MAX + 1), "header of 1048577 bytes"),
        (a_preamble(flags=1, payload_length=1001), "payload of 1001 bytes .expected at most 1000"),
        (a_preamble(flags=1, payload_length=(1 << 32) - 1), "payload of 4294967295 bytes"),
        (a_preamble(payload_length=1), "carries less"),
        (a_preamble(flags=2, header_length=1), "carries less"),
        (a_preamble(magic=b"\xd1\x5d"), "not our peer"),
    ],
)
def test_an_impossible_preamble_is_refused_before_more_is_read(preamble, complaint):
    decoder = FrameDecoder(payload_bytes_max=1000)

    with pytest.raises(RemoteProtocolError, match=complaint):
        decode_in_pieces(preamble, [len(preamble)], decoder)


def test_a_payload_of_the_largest_size_is_taken():
    decoder, payload = FrameDecoder(payload_bytes_max=1000), bytes(1000)

    stream = stream_of([Frame(b"h", payload)])
    assert decode_in_pieces(stream, [999], decoder) == [Frame(b"h", payload)]


def test_the_rest_of_a_large_payload_is_received_where_the_message_keeps_it():
    decoder, payload = FrameDecoder(staging_bytes=100), bytes(range(250)) * 4
    stream = stream_of([Frame(b"h", payload)])
    decoder.writable()[:] = stream[:100]
    decoder.received(100)
    assert decoder.next_frame() is None

    buffer = decoder.writable()
    assert len(buffer) == len(stream) - 100
    buffer[:] = stream[100:]
    decoder.received(len(buffer))
    frame = decoder.next_frame()

    assert frame.payload == payload
    buffer[0] ^= 0xFF
    assert frame.payload != payload  # The same memory: nothing was copied.


def test_frames_own_their_payloads_whatever_comes_after():
    decoder = FrameDecoder(staging_bytes=100)
    first = decode_in_pieces(stream_of([Frame(b"h", b"1" * 40)]), [100], decoder)
    decode_in_pieces(stream_of([Frame(b"h", b"2" * 40)]), [100], decoder)

    assert first == [Frame(b"h", b"1" * 40)]


def test_a_payload_may_be_a_view_of_wider_items():
    payload = memoryview(bytes(range(16))).cast("Q")
    pieces = encode_frame(b"h", payload)

    (frame,) = decode_in_pieces(b"".join(pieces), [100], FrameDecoder())
    assert frame.payload == bytes(range(16))


@pytest.mark.parametrize(("header", "payload"), [(HEADER_BYTES_MAX + 1, 0), (1, 1001)])
def test_a_frame_no_receiver_would_take_is_not_made(header, payload):
    with pytest.raises(LocalProtocolError, match="nothing was sent"):
        encode_frame(bytes(header), bytes(payload), payload_bytes_max=1000)
