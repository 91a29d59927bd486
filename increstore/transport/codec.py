"""Messages as bytes: a small msgpack header, and the rows beside it, never inside.

The header is `[sender, receiver, [kind, field, ...]]`. The payload of `ApplyChanges` travels out
of band as it is, so that a megabyte of rows is neither copied nor scanned here; its place in the
header holds nil. Every other message has no payload at all.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, get_args

import msgpack

from increstore.errors import LocalProtocolError, RemoteProtocolError
from increstore.protocol.messages import ApplyChanges, Message
from increstore.protocol.plain import from_plain, to_plain

if TYPE_CHECKING:
    from increstore.protocol.messages import Payload

HEADER_BYTES_MAX = 1 << 20
NODE_NAME_CHARACTERS_MAX = 4096

_PAYLOAD_PLACE = 1 + [field.name for field in dataclasses.fields(ApplyChanges)].index("payload")
_CARRIES_ROWS = [ApplyChanges.__name__]
_MESSAGES = frozenset(get_args(Message))  # Only ever asked for membership.
# An error text may quote a file name that is not UTF-8; such a text must travel too.
_UNICODE_ERRORS = "surrogatepass"
# Kept, because a packer begins by allocating its buffer, which costs more than a header. It packs
# lists, texts and integers of exactly these types in two thirds of the time; texts of UTF-8 too.
_pack: Final = msgpack.Packer(strict_types=True).pack
_pack_any_text: Final = msgpack.Packer(strict_types=True, unicode_errors=_UNICODE_ERRORS).pack


def encode(sender: str, receiver: str, message: Message) -> tuple[bytes, Payload | None]:
    """The header and the payload (None for everything but `ApplyChanges`), payload by reference.

    Raises: LocalProtocolError when the message cannot be a header of at most `HEADER_BYTES_MAX`.
    """
    plain = to_plain(message)
    payload = None
    if isinstance(message, ApplyChanges):
        payload, plain[_PAYLOAD_PLACE] = message.payload, None
    try:
        header = _packed([sender, receiver, plain])
    except (TypeError, ValueError, OverflowError) as error:
        raise LocalProtocolError(
            f"{sender} to {receiver}: {type(message).__name__} cannot be encoded: {error}"
        ) from error
    if len(header) > HEADER_BYTES_MAX:
        raise LocalProtocolError(
            f"{sender} to {receiver}: {type(message).__name__} needs {len(header)} bytes"
            f" (expected at most {HEADER_BYTES_MAX}); nothing was sent"
        )
    return header, payload


def _packed(envelope: list[Any]) -> bytes:
    header: bytes
    try:
        header = _pack(envelope)
    except UnicodeEncodeError:
        header = _pack_any_text(envelope)
    return header


def decode(
    header: bytes | bytearray | memoryview, payload: Payload | None
) -> tuple[str, str, Message]:
    """(sender, receiver, message) of what `encode` wrote; the message keeps `payload` itself.

    Raises: RemoteProtocolError for anything `encode` would not have written.
    """
    sender, receiver, plain = _envelope(header)
    if payload is not None or plain[:1] == _CARRIES_ROWS:
        _put_back_payload(plain, payload)
    message = from_plain(plain)
    if type(message) not in _MESSAGES:
        raise RemoteProtocolError(f"{sender}: {type(message).__name__} is not a message")
    return sender, receiver, message


def _envelope(header: bytes | bytearray | memoryview) -> tuple[str, str, list[Any]]:
    """(sender, receiver, message as plain values), of which only the shape is known to be right."""
    if len(header) > HEADER_BYTES_MAX:
        raise RemoteProtocolError(
            f"header: {len(header)} bytes (expected at most {HEADER_BYTES_MAX})"
        )
    try:
        # Our headers hold lists, texts and integers only: nothing else may even be built.
        envelope = msgpack.unpackb(
            header, unicode_errors=_UNICODE_ERRORS, max_bin_len=0, max_map_len=0, max_ext_len=0
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise RemoteProtocolError(f"header: not msgpack as we write it: {error}") from error
    if type(envelope) is not list or len(envelope) != 3:
        raise _not_an_envelope(envelope)
    sender, receiver, plain = envelope
    if type(sender) is not str or type(receiver) is not str or type(plain) is not list:
        raise _not_an_envelope(envelope)
    if not (0 < len(sender) <= NODE_NAME_CHARACTERS_MAX >= len(receiver) > 0):
        raise RemoteProtocolError(
            f"header: expected node names of 1 to {NODE_NAME_CHARACTERS_MAX} characters,"
            f" got {_short(sender)} and {_short(receiver)}"
        )
    return sender, receiver, plain


def _not_an_envelope(got: object) -> RemoteProtocolError:
    return RemoteProtocolError(f"header: expected [sender, receiver, message], got {_short(got)}")


def _put_back_payload(plain: list[Any], payload: Payload | None) -> None:
    """Check that rows come with `ApplyChanges`, and only with it; put them in their place."""
    carries = plain[:1] == _CARRIES_ROWS
    if carries != (payload is not None):
        raise RemoteProtocolError(
            f"{_short(plain[:1])}: {'no payload' if carries else 'a payload'} (expected"
            f" {'the rows of the batch' if carries else 'none'})"
        )
    if len(plain) <= _PAYLOAD_PLACE or plain[_PAYLOAD_PLACE] is not None:
        raise RemoteProtocolError("ApplyChanges: the payload's place in the header is not nil")
    plain[_PAYLOAD_PLACE] = payload


def _short(value: object, characters_max: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= characters_max else text[:characters_max] + ".."
