"""Frames on a byte stream: lengths first, checksums over everything, limits before reading.

    preamble (32 bytes, big endian)                             header      payload
    magic 2 | version 1 | flags 1 | header length 4 |           msgpack     rows
    payload length 4 | header check 8 | payload check 8 |
    preamble check 4

The checks are XXH3-64 (the preamble's own: its low 32 bits, over the 28 bytes before it). The
preamble is proven before its lengths are believed, and a length beyond a limit is refused before
a byte of it is read. After the first refused byte a stream is dead: there is no resynchronising.

Nothing here does IO. A driver receives into `FrameDecoder.writable()`, so that a large payload
goes from the kernel into the buffer the message will own, without a copy in between.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import xxhash

from increstore.errors import LocalProtocolError, RemoteProtocolError
from increstore.transport.codec import HEADER_BYTES_MAX

if TYPE_CHECKING:
    from increstore.protocol.messages import Payload

PAYLOAD_BYTES_MAX = 64 << 20
STAGING_BYTES = 64 << 10
"""Read in one go while no payload is awaited: small frames come many at a time."""
FRAME_VERSION = 1

_MAGIC = b"\xd1\x5c"  # Not text, and no prefix of HTTP, TLS or SSH.
_PREAMBLE = struct.Struct(">2sBBIIQQI")
_CHECKED_BYTES = _PREAMBLE.size - 4
_HAS_PAYLOAD = 0b01
_IS_HEARTBEAT = 0b10

PREAMBLE_BYTES = _PREAMBLE.size

Buffers: TypeAlias = "tuple[bytes] | tuple[bytes, Payload]"
"""One frame as the pieces to send one after the other."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that arrived whole and unchanged; `payload` belongs to whoever takes the frame."""

    header: bytes
    payload: Payload | None


def encode_frame(
    header: bytes, payload: Payload | None, payload_bytes_max: int = PAYLOAD_BYTES_MAX
) -> Buffers:
    """The frame as pieces; the payload is one of them as it is, not copied.

    Raises: LocalProtocolError when a part is longer than a receiver would take.
    """
    length = 0 if payload is None else _bytes_of(payload)
    if len(header) > HEADER_BYTES_MAX or length > payload_bytes_max:
        raise LocalProtocolError(
            f"frame: a header of {len(header)} and a payload of {length} bytes (expected at most"
            f" {HEADER_BYTES_MAX} and {payload_bytes_max}); nothing was sent. Make batches smaller."
        )
    if payload is None:
        return (_preamble(0, header, 0, 0) + header,)
    if isinstance(payload, memoryview):
        payload = payload.cast("B")  # A partial send continues at a byte, whatever the items were.
    check = xxhash.xxh3_64_intdigest(payload)
    return (_preamble(_HAS_PAYLOAD, header, length, check) + header, payload)


def _preamble(flags: int, header: bytes, payload_length: int, payload_check: int) -> bytes:
    check = xxhash.xxh3_64_intdigest(header)
    fields = (_MAGIC, FRAME_VERSION, flags, len(header), payload_length, check, payload_check)
    packed = _PREAMBLE.pack(*fields, 0)[:_CHECKED_BYTES]
    return packed + _preamble_check(packed).to_bytes(4, "big")


def _preamble_check(packed: bytes | memoryview) -> int:
    return int(xxhash.xxh3_64_intdigest(packed)) & 0xFFFF_FFFF


def _bytes_of(payload: Payload) -> int:
    return payload.nbytes if isinstance(payload, memoryview) else len(payload)


HEARTBEAT = _preamble(_IS_HEARTBEAT, b"", 0, 0)
"""A frame that says nothing but "I am here"; the decoder swallows it."""


@dataclass(frozen=True, slots=True)
class _Preamble:
    flags: int
    header_length: int
    payload_length: int
    header_check: int
    payload_check: int


class FrameDecoder:
    """The frames of one byte stream, whatever pieces it comes in.

    Receive into `writable()`, say how much came with `received()`, then take `next_frame()` until
    it returns None. What is held is bounded: the staging buffer and one header or payload.

    Invariant: 0 <= start <= end <= len(staging); `part` is the long part being filled, if any.
    """

    def __init__(
        self, payload_bytes_max: int = PAYLOAD_BYTES_MAX, staging_bytes: int = STAGING_BYTES
    ) -> None:
        assert staging_bytes >= PREAMBLE_BYTES
        self._payload_bytes_max = payload_bytes_max
        self._staging = memoryview(bytearray(staging_bytes))
        self._start = 0
        self._end = 0
        self._part: memoryview | None = None
        self._part_filled = 0
        self._preamble: _Preamble | None = None
        self._header: bytes | None = None
        self._refused = ""

    @property
    def is_between_frames(self) -> bool:
        """Whether the stream may end here without tearing a frame."""
        return self._preamble is None and self._start == self._end

    def writable(self) -> memoryview:
        """Where the next bytes of the stream go; never empty after `next_frame` returned None."""
        if self._part is not None:
            return self._part[self._part_filled :]
        if self._start:
            rest = self._end - self._start
            self._staging[:rest] = self._staging[self._start : self._end]
            self._start, self._end = 0, rest
        return self._staging[self._end :]

    def received(self, count: int) -> None:
        """`count` bytes were written to the front of `writable()`."""
        if self._part is not None:
            self._part_filled += count
            assert self._part_filled <= len(self._part)
        else:
            self._end += count
            assert self._end <= len(self._staging)

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None when more bytes are wanted.

        Raises: RemoteProtocolError for a frame that is refused, and for every call after it.
        """
        if self._refused:
            raise RemoteProtocolError(self._refused)
        try:
            return self._next_frame()
        except RemoteProtocolError as error:
            self._refused = str(error)
            raise

    def _next_frame(self) -> Frame | None:
        while True:
            if self._preamble is None and not self._read_preamble():
                return None
            assert self._preamble is not None
            if self._preamble.flags != _IS_HEARTBEAT:
                return self._read_body(self._preamble)
            self._preamble = None  # A heartbeat ends with its preamble.

    def _read_preamble(self) -> bool:
        packed = self._take(PREAMBLE_BYTES)
        if packed is None:
            return False
        magic, version, flags, *lengths_and_checks, check = _PREAMBLE.unpack(packed)
        if magic != _MAGIC:
            raise RemoteProtocolError(
                f"frame: expected it to begin with {_MAGIC.hex()}, got {magic.hex()}: not our peer"
            )
        if _preamble_check(packed[:_CHECKED_BYTES]) != check:
            raise RemoteProtocolError(
                "frame: the preamble's checksum does not match; bytes changed"
            )
        if version != FRAME_VERSION:
            raise RemoteProtocolError(f"frame: version {version} (expected {FRAME_VERSION})")
        self._preamble = _Preamble(flags, *lengths_and_checks)
        self._refuse_impossible(self._preamble)
        return True

    def _refuse_impossible(self, preamble: _Preamble) -> None:
        """Refuse by the preamble alone, before anything it announces is read or allocated."""
        if preamble.flags not in (0, _HAS_PAYLOAD, _IS_HEARTBEAT):
            raise RemoteProtocolError(f"frame: unknown flags {preamble.flags:#04x} (a newer peer?)")
        if preamble.header_length > HEADER_BYTES_MAX:
            raise RemoteProtocolError(
                f"frame: header of {preamble.header_length} bytes"
                f" (expected at most {HEADER_BYTES_MAX})"
            )
        if preamble.payload_length > self._payload_bytes_max:
            raise RemoteProtocolError(
                f"frame: payload of {preamble.payload_length} bytes"
                f" (expected at most {self._payload_bytes_max})"
            )
        carried = preamble.payload_length and preamble.flags != _HAS_PAYLOAD
        if carried or (preamble.header_length and preamble.flags == _IS_HEARTBEAT):
            raise RemoteProtocolError(f"frame: flags {preamble.flags:#04x} say it carries less")

    def _read_body(self, preamble: _Preamble) -> Frame | None:
        if self._header is None:
            part = self._take(preamble.header_length)
            if part is None:
                return None
            _verify("header", part, preamble.header_check)
            self._header = bytes(part)
        payload: Payload | None = None
        if preamble.flags == _HAS_PAYLOAD:
            payload = self._take_payload(preamble.payload_length)
            if payload is None:
                return None
            _verify("payload", payload, preamble.payload_check)
        frame = Frame(self._header, payload)
        self._preamble = self._header = None
        return frame

    def _take_payload(self, length: int) -> Payload | None:
        part = self._take(length)
        # A part of the staging buffer is overwritten by what follows: the message needs its own.
        return bytes(part) if part is not None and length <= len(self._staging) else part

    def _take(self, length: int) -> memoryview | None:
        """The next `length` bytes in one piece, or None until they are here.

        What does not fit the staging buffer gets a buffer of its exact size, to be filled directly.
        """
        if self._part is not None:
            if self._part_filled < length:
                return None
            part, self._part = self._part, None
            return part
        staged = self._staging[self._start : min(self._end, self._start + length)]
        if length > len(self._staging):
            # numpy does not zero what is about to be overwritten; a bytearray does.
            self._part = np.empty(length, np.uint8).data
            self._part[: len(staged)] = staged
            self._part_filled = len(staged)
            self._start += len(staged)
            return None
        if len(staged) < length:
            return None
        self._start += length
        return staged


def _verify(part: str, received: Payload, check: int) -> None:
    if xxhash.xxh3_64_intdigest(received) != check:
        raise RemoteProtocolError(f"frame: the {part}'s checksum does not match; bytes changed")
