"""What a run and its viewers say to each other over TCP: frames of msgpack, each with its length.

    viewer -> server   {"join": {"version", "run", "seq"}}, {"command": {"id", ..}}
    server -> viewer   {"hello": {"version", "run", "title", "can"}},
                       {"events": [[at, node, name, facts], ..], "seq": number of the first},
                       {"snapshot": event, "seq": number of the next, "missed": events left out},
                       {"status": {"state", "outcome", "dropped", "viewers"}},
                       {"answer": {"id", ..}}, {"refused": why}, {"bye": how the run ended}

Rules of this file:
- A frame is 4 bytes of length (big-endian) and a map. A map with none of the known keys is skipped,
  so that either side may be newer; what cannot be read ends the connection.
- Events are numbered from 0 within a run; `run` is another text for each server. A viewer that
  comes again names both, and gets what it has missed; when that is no longer there, a snapshot.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import msgpack

from increstore.errors import RemoteProtocolError
from increstore.journal import DETAIL_EVENTS, JournalEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STREAM_VERSION = 1
FRAME_BYTES_MAX = 64 << 20
_LENGTH = struct.Struct(">I")

Plain = list[Any]
"""An event as [at, node, name, facts]."""


def frame(**said: Any) -> bytes:
    """One frame. Facts of kinds that msgpack does not know become text."""
    packed: bytes = msgpack.packb(said, default=str, unicode_errors="surrogatepass")
    return _LENGTH.pack(len(packed)) + packed


def plain(event: JournalEvent) -> Plain:
    """All that is known of the event; details are facts like others there."""
    facts = event.facts if event.details is None else {**event.facts, **event.details}
    return [event.at, event.node, event.name, facts]


def events_of(plains: Sequence[Plain]) -> list[JournalEvent]:
    """Raises: RemoteProtocolError."""
    try:
        return [
            JournalEvent(int(at), str(node), str(name), dict(facts), None, name in DETAIL_EVENTS)
            for at, node, name, facts in plains
        ]
    except (TypeError, ValueError) as error:
        raise RemoteProtocolError(f"the stream has an event that is none: {error}") from error


class FrameReader:
    """Frames from bytes, however these are cut; none longer than `bytes_max`."""

    def __init__(self, bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._bytes_max = bytes_max

    def feed(self, received: bytes) -> None:
        self._buffer += received

    def frames(self) -> Iterator[dict[str, Any]]:
        """Those that are whole. Raises: RemoteProtocolError."""
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> dict[str, Any] | None:
        buffer = self._buffer
        if len(buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(buffer)
        if length > self._bytes_max:
            raise RemoteProtocolError(
                f"a frame of {length} bytes (expected at most {self._bytes_max}): the other side "
                "is no increstore"
            )
        end = _LENGTH.size + length
        if len(buffer) < end:
            return None
        packed = bytes(buffer[_LENGTH.size : end])
        del buffer[:end]
        return _unpacked(packed)


def _unpacked(packed: bytes) -> dict[str, Any]:
    try:
        found = msgpack.unpackb(packed, strict_map_key=False, unicode_errors="surrogatepass")
    except Exception as error:  # What msgpack raises for garbage has many names.
        raise RemoteProtocolError(f"a frame that cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise RemoteProtocolError(f"a frame that is no map but {type(found).__name__}")
    return found
