"""The bytes of a segment file: one header, then checksummed records, everything on 64 bytes.

A segment file is append-only: what one incremental brought to one target shard (`.changes`), the
fold of several (`.run`), or the shard's own facts (`control`). All integers are little-endian.

    file    = header area | record | record | ...
    header  = magic(8) format(4) area length(4) facts length(4) checksum(8) | facts | zeros
    record  = magic(4) area length(4) facts length(4) payload length(8) durable(8)
              payload digest(8) checksum(8) | facts | zeros  -- so far the area --
              | payload | zeros
    facts   = a msgpack map

Rules of this file:
- The checksum of a record covers its area and is keyed by the file's header and the record's
  offset: bytes of another file, or of another place in this one, never pass for a record.
- `durable` is the length of the file that was known to be on stable storage when the record was
  written; it is the same for all records of one group. A valid record therefore proves that every
  byte before its `durable` had been safe: a fault there is damage, not a torn tail.
- Payloads start on 64 bytes, so Arrow buffers are aligned where they are read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgpack
import xxhash

if TYPE_CHECKING:
    from increstore.protocol.messages import Payload

FORMAT = 1
ALIGNMENT = 64
FILE_MAGIC = b"incrseg\n"
RECORD_MAGIC = b"\x8erec"

_FILE_PREAMBLE = struct.Struct("<8sIIIQ")
_RECORD_PREAMBLE = struct.Struct("<4sIIQQQQ")
PREAMBLE_BYTES = _RECORD_PREAMBLE.size
_CHECKSUM_AT = PREAMBLE_BYTES - 8
AREA_BYTES_MAX = 64 << 20
"""A length beyond it is damage, and not believed."""
_MODULUS = 1 << 64
_ZEROS = bytes(ALIGNMENT)


def padded(length: int) -> int:
    """`length` rounded up to the alignment."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def padding(length: int) -> bytes:
    """The zeros that follow `length` bytes."""
    return _ZEROS[: padded(length) - length]


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What a segment file says about itself; `seed` keys the checksums of its records."""

    facts: dict[str, Any]
    area: bytes

    @property
    def seed(self) -> int:
        return int(xxhash.xxh3_64_intdigest(self.area))


def file_header(facts: dict[str, Any]) -> FileHeader:
    """The header of a new file; the same facts make the same bytes."""
    packed = bytes(msgpack.packb(facts))
    length = padded(_FILE_PREAMBLE.size + len(packed))
    body = packed + bytes(length - _FILE_PREAMBLE.size - len(packed))
    checksum = _header_checksum(FORMAT, length, len(packed), body)
    preamble = _FILE_PREAMBLE.pack(FILE_MAGIC, FORMAT, length, len(packed), checksum)
    return FileHeader(facts, preamble + body)


def parse_file_header(start: bytes) -> FileHeader | int | None:
    """The header at the start of a file; the number of another format; None when it is neither."""
    if len(start) < _FILE_PREAMBLE.size:
        return None
    magic, number, length, facts_length, checksum = _FILE_PREAMBLE.unpack_from(start)
    if magic != FILE_MAGIC or length > len(start):
        return None
    body = start[_FILE_PREAMBLE.size : length]
    if _header_checksum(number, length, facts_length, body) != checksum:
        return None
    if number != FORMAT:
        return int(number)
    return FileHeader(_unpacked(body, facts_length), bytes(start[:length]))


def _header_checksum(number: int, length: int, facts_length: int, body: bytes) -> int:
    hasher = xxhash.xxh3_64(struct.pack("<III", number, length, facts_length))
    hasher.update(body)
    return int(hasher.intdigest())


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read: its facts, and where in the file it and its payload lie."""

    facts: dict[str, Any]
    offset: int
    area_bytes: int
    payload_bytes: int
    durable: int
    digest: int

    @property
    def payload_offset(self) -> int:
        return self.offset + self.area_bytes

    @property
    def end(self) -> int:
        return self.payload_offset + padded(self.payload_bytes)


def record_area(
    facts: dict[str, Any], *, payload: Payload, digest: int, offset: int, durable: int, seed: int
) -> bytes:
    """The area of the record whose payload (XXH3-64: `digest`) will follow it at `offset`."""
    packed = bytes(msgpack.packb(facts))
    length = padded(PREAMBLE_BYTES + len(packed))
    body = packed + bytes(length - PREAMBLE_BYTES - len(packed))
    sizes = (length, len(packed), memoryview(payload).nbytes, durable, digest)
    checksum = _checksum(_RECORD_PREAMBLE.pack(RECORD_MAGIC, *sizes, 0), body, offset, seed)
    return _RECORD_PREAMBLE.pack(RECORD_MAGIC, *sizes, checksum) + body


def area_length(preamble: bytes) -> int | None:
    """How long the record area is that starts with `preamble`; None when none starts there."""
    if len(preamble) < PREAMBLE_BYTES or preamble[:4] != RECORD_MAGIC:
        return None
    length = int(_RECORD_PREAMBLE.unpack_from(preamble)[1])
    sound = PREAMBLE_BYTES <= length <= AREA_BYTES_MAX and length % ALIGNMENT == 0
    return length if sound else None


def parse_record(area: bytes, offset: int, seed: int) -> Record | None:
    """The record whose area lies at `offset`; None when its checksum says that it is none."""
    if area_length(area[:PREAMBLE_BYTES]) != len(area):
        return None
    _, length, packed, payload, durable, digest, checksum = _RECORD_PREAMBLE.unpack_from(area)
    if _checksum(area[:PREAMBLE_BYTES], area[PREAMBLE_BYTES:], offset, seed) != checksum:
        return None
    facts = _unpacked(area[PREAMBLE_BYTES:], packed)
    return Record(facts, offset, length, payload, durable, digest)


def _checksum(preamble: bytes, body: bytes, offset: int, seed: int) -> int:
    hasher = xxhash.xxh3_64(preamble[:_CHECKSUM_AT], seed=(seed + offset) % _MODULUS)
    hasher.update(body)
    return int(hasher.intdigest())


def _unpacked(body: bytes, length: int) -> dict[str, Any]:
    """The facts at the start of a checksummed area; zeros follow them."""
    facts = msgpack.unpackb(body[:length], strict_map_key=False)
    assert isinstance(facts, dict)
    return facts
