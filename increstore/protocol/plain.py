"""Messages and records as plain lists, strings and integers, and back, checked on the way in.

The transport packs the result with msgpack and the coordinator log with JSON; neither needs to
know a single class. A value is written as `[class name, field, field, ...]` in field order.

Both directions are functions made for each class when it is first met. What `to_plain` writes is
read by these; anything else, right or wrong, is left to `plain_check`, which can say what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.protocol.plain_check import CLASSES, check_and_build
from increstore.protocol.plain_code import compile_reader, compile_writer

if TYPE_CHECKING:
    from collections.abc import Callable


class _Readers(dict[str, "Callable[[list[Any]], Any]"]):
    def __missing__(self, kind: str) -> Callable[[list[Any]], Any]:
        if kind not in CLASSES:
            return check_and_build  # Not kept: a peer could name kinds without end.
        reader = self[kind] = compile_reader(CLASSES[kind])
        return reader


_WRITERS: dict[type, Callable[[Any], list[Any]]] = {}
_READERS = _Readers()


def to_plain(value: object) -> list[Any]:
    """`value` (a message or record) as nested lists; byte payloads are passed through."""
    writer = _WRITERS.get(type(value))
    if writer is None:
        writer = _WRITERS[type(value)] = compile_writer(type(value))
    return writer(value)


def from_plain(plain: object) -> Any:
    """The message or record that `to_plain` wrote.

    Raises: RemoteProtocolError when the kind is unknown, or a field is missing, surplus or of
    another type.
    """
    if type(plain) is list and plain and type(plain[0]) is str:
        value = _READERS[plain[0]](plain)
        if value is not None:
            return value
    return check_and_build(plain)
