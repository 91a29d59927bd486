"""Frames damaged on purpose, so that the receiving side can show that it refuses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from increstore.errors import LocalProtocolError, RemoteProtocolError
from increstore.transport.framing import HEARTBEAT, FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.transport.framing import Buffers, Frame

Damage: TypeAlias = "Callable[[Buffers], Buffers]"
"""Makes a frame's bytes into others."""

KINDS = ("corrupt", "truncate")
_STRIDE = 7919  # A prime: places that follow each other lie far apart in a frame.


def damage_of(kind: str, number: int) -> Damage:
    """The damage of this kind; each `number` strikes another place of a frame.

    Raises: LocalProtocolError for a kind that is none of `KINDS`.
    """
    if kind not in KINDS:
        raise LocalProtocolError(f"damage {kind!r} (expected {' or '.join(KINDS)})")
    change = _flip_a_bit if kind == "corrupt" else _cut_the_end
    return lambda frame: (bytes(change(bytearray(b"".join(frame)), number * _STRIDE)),)


def _flip_a_bit(frame: bytearray, place: int) -> bytearray:
    frame[place % len(frame)] ^= 1 << place % 8
    return frame


def _cut_the_end(frame: bytearray, place: int) -> bytearray:
    """Cut less than a heartbeat is long, and let one follow: it is taken for the rest at once."""
    most = min(len(frame), len(HEARTBEAT)) - 1
    del frame[len(frame) - 1 - place % most :]
    return frame + HEARTBEAT


def frames_of(frame: Buffers, payload_bytes_max: int) -> list[Frame]:
    """What the framing of a receiver makes of these bytes.

    Raises: RemoteProtocolError when it refuses them, or the stream would end inside a frame.
    """
    data, found = memoryview(b"".join(frame)), []
    decoder = FrameDecoder(payload_bytes_max)
    while data:
        room = decoder.writable()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        data = data[count:]
        decoder.received(count)
        while (whole := decoder.next_frame()) is not None:
            found.append(whole)
    if not decoder.is_between_frames:
        raise RemoteProtocolError("the bytes ended inside a frame")
    return found
