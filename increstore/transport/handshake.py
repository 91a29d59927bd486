"""The handshake that precedes every frame, without IO: who are you, and may we talk?

Both sides of a connection say the same three things, each when the one before was answered:

    HELLO    magic, the protocol versions spoken, host, incarnation, a nonce
    PROOF    HMAC-SHA256 of both hellos under the cluster token: the token itself never travels
    WELCOME  or REFUSED with the reason, so that people can read it at either end

The fields up to the versions never change their place, so that any two versions can tell each
other why they cannot talk. Afterwards both sides use the highest version both speak.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from increstore.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL_VERSION_MIN = 1
PROTOCOL_VERSION_MAX = 1
STEP_BYTES_MAX = 2048
HOST_NAME_BYTES_MAX = 1024
NONCE_BYTES = 16

_MAGIC = b"INCRSTOR"
_STEP = struct.Struct(">BH")  # kind, length of what follows
_HELLO = struct.Struct(f">8sHHQ{NONCE_BYTES}s")  # magic, versions, incarnation, nonce; then host
_FIXED = struct.Struct(">8sHH")


class Step(IntEnum):
    """What one side says; the numbers are on the wire."""

    HELLO = 1
    PROOF = 2
    WELCOME = 3
    REFUSED = 4


class Side(IntEnum):
    """Which end of the connection one is; bound into the proof, so that none can be echoed."""

    DIALLER = 1
    ACCEPTOR = 2


@dataclass(frozen=True, slots=True)
class Hello:
    """What a host says of itself. `incarnation` is larger for each later process of a host."""

    host: str
    incarnation: int
    nonce: bytes
    version_min: int = PROTOCOL_VERSION_MIN
    version_max: int = PROTOCOL_VERSION_MAX

    @property
    def versions(self) -> tuple[int, int]:
        return self.version_min, self.version_max

    def encode(self) -> bytes:
        host = self.host.encode()
        assert len(host) <= HOST_NAME_BYTES_MAX
        assert len(self.nonce) == NONCE_BYTES
        return _HELLO.pack(_MAGIC, *self.versions, self.incarnation, self.nonce) + host


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side after a handshake that succeeded."""

    host: str
    incarnation: int
    version: int


class Handshake:
    """One side of one handshake.

    Send `opening()`; then give every step that comes in to `answer()` and send what it returns,
    until `peer` is set. `refuse_host` is asked about a peer that has proven the token: a text says
    why it is not the one to talk to, None lets it in.

    Raises: RemoteProtocolError out of `answer`; `farewell` then holds the step that tells the peer
    why (empty when the peer was the one to refuse).
    """

    def __init__(
        self, side: Side, hello: Hello, token: bytes, refuse_host: Callable[[Hello], str | None]
    ) -> None:
        self._side = side
        self._hello = hello
        self._token = token
        self._refuse_host = refuse_host
        self._peer_hello: Hello | None = None
        self._is_proven = False
        self.peer: Peer | None = None
        self.farewell = b""

    def opening(self) -> bytes:
        return step_bytes(Step.HELLO, self._hello.encode())

    def answer(self, kind: int, body: bytes) -> bytes:
        """Take one step of the peer; the bytes to send next (none after the last)."""
        try:
            return self._answer(kind, body)
        except _RefusedByPeerError as refusal:
            raise RemoteProtocolError(str(refusal)) from None
        except RemoteProtocolError as error:
            self.farewell = step_bytes(Step.REFUSED, str(error).encode()[:STEP_BYTES_MAX])
            raise

    def _answer(self, kind: int, body: bytes) -> bytes:
        if kind == Step.REFUSED:
            raise _RefusedByPeerError(f"refused by the peer: {body.decode(errors='replace')}")
        if kind == Step.HELLO and self._peer_hello is None:
            self._peer_hello = decode_hello(body, self._hello.versions)
            return step_bytes(Step.PROOF, self._proof_of(self._side))
        if kind == Step.PROOF and self._peer_hello is not None and not self._is_proven:
            self._check_proof(body, self._peer_hello)
            return step_bytes(Step.WELCOME, b"")
        if kind == Step.WELCOME and self._peer_hello is not None and self._is_proven:
            self.peer = _agreed(self._hello, self._peer_hello)
            return b""
        raise RemoteProtocolError(f"handshake: step {kind} out of order (not our peer?)")

    def _check_proof(self, proof: bytes, peer: Hello) -> None:
        expected = self._proof_of(Side.ACCEPTOR if self._side == Side.DIALLER else Side.DIALLER)
        if not hmac.compare_digest(expected, proof):
            raise RemoteProtocolError(
                "handshake: wrong cluster token; start both sides with the same token"
            )
        self._is_proven = True
        refusal = self._refuse_host(peer)
        if refusal is not None:
            raise RemoteProtocolError(f"handshake: {refusal}")

    def _proof_of(self, side: Side) -> bytes:
        """The proof that `side` gives: over both hellos, the dialler's first."""
        assert self._peer_hello is not None
        hellos = [self._hello.encode(), self._peer_hello.encode()]
        if self._side == Side.ACCEPTOR:
            hellos.reverse()
        lengths = struct.pack(">BHH", side, *map(len, hellos))
        return hmac.digest(self._token, lengths + b"".join(hellos), "sha256")


class _RefusedByPeerError(Exception):
    """The peer has said no: there is nothing to answer."""


def step_bytes(kind: Step, body: bytes) -> bytes:
    """One step as it is sent: its kind, the length of its body, the body."""
    assert len(body) <= STEP_BYTES_MAX
    return _STEP.pack(kind, len(body)) + body


STEP_HEAD_BYTES = _STEP.size


def decode_step_head(head: bytes) -> tuple[int, int]:
    """(kind, length of the body). Raises: RemoteProtocolError for a length beyond the limit."""
    kind, length = _STEP.unpack(head)
    if length > STEP_BYTES_MAX or kind not in list(Step):
        raise RemoteProtocolError(f"handshake: got {head!r}: not an increstore peer")
    return kind, length


def decode_hello(body: bytes, our_versions: tuple[int, int]) -> Hello:
    """Raises: RemoteProtocolError when the peer is no peer, or speaks none of our versions."""
    if len(body) < _FIXED.size or not body.startswith(_MAGIC):
        raise RemoteProtocolError(f"handshake: got {body[:16]!r}: not an increstore peer")
    _, *versions = _FIXED.unpack_from(body)
    _agree_version(our_versions, (versions[0], versions[1]))
    if not _HELLO.size < len(body) <= _HELLO.size + HOST_NAME_BYTES_MAX:
        raise RemoteProtocolError(f"handshake: a hello of {len(body)} bytes")
    _, _, _, incarnation, nonce = _HELLO.unpack_from(body)
    try:
        host = body[_HELLO.size :].decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"handshake: a host name that is not UTF-8: {error}") from error
    return Hello(host, incarnation, nonce, versions[0], versions[1])


def _agree_version(ours: tuple[int, int], theirs: tuple[int, int]) -> int:
    """The highest version both speak; each side gives the lowest and the highest it speaks."""
    version = min(ours[1], theirs[1])
    if version < max(ours[0], theirs[0]):
        older, newer = sorted((ours, theirs))
        raise RemoteProtocolError(
            f"handshake: one side speaks protocol versions {older[0]} to {older[1]}, the other"
            f" {newer[0]} to {newer[1]}; upgrade the one that speaks {older[0]} to {older[1]}"
        )
    return version


def _agreed(ours: Hello, theirs: Hello) -> Peer:
    version = _agree_version(ours.versions, theirs.versions)
    return Peer(theirs.host, theirs.incarnation, version)
