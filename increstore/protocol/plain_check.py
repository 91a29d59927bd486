"""What a plain list must be to become a message or record, checked field by field, with reasons.

This decides what is accepted. It is slow; `plain_code` reads at once whatever is well formed.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from functools import cache
from typing import Any

from increstore.errors import RemoteProtocolError
from increstore.protocol import messages, records

CLASSES: dict[str, type] = {
    cls.__name__: cls
    for module in (messages, records)
    for cls in vars(module).values()
    if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}
"""Everything that may be written and read, by its kind."""


def check_and_build(plain: object) -> Any:
    """The message or record that `plain` is.

    Raises: RemoteProtocolError when the kind is unknown, or a field is missing, surplus or of
    another type.
    """
    if not isinstance(plain, list | tuple) or not plain or not isinstance(plain[0], str):
        raise RemoteProtocolError(f"expected [kind, field, ...], got {_short(plain)}")
    cls = CLASSES.get(plain[0])
    if cls is None:
        raise RemoteProtocolError(f"unknown kind {plain[0]!r} (a newer peer?)")
    return _build(cls, plain[1:])


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """The resolved annotations of the fields of `cls`, in field order."""
    namespace = {**vars(messages), **vars(records)}
    return typing.get_type_hints(cls, globalns=namespace)


def _build(cls: type, fields: list[Any] | tuple[Any, ...]) -> Any:
    hints = hints_of(cls)
    if len(fields) != len(hints):
        raise RemoteProtocolError(
            f"{cls.__name__} has {len(hints)} fields, got {len(fields)}: {_short(fields)}"
        )
    values = [
        _checked(hint, item, f"{cls.__name__}.{name}")
        for (name, hint), item in zip(hints.items(), fields, strict=True)
    ]
    return cls(*values)


def _checked(hint: Any, item: Any, where: str) -> Any:
    """`item` as the annotated type; only the few shapes our messages use exist here."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _checked_union(hint, item, where)
    if origin is tuple:
        return _checked_tuple(hint, item, where)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if not isinstance(item, list | tuple):
            raise RemoteProtocolError(f"{where}: expected {hint.__name__}, got {_short(item)}")
        return _build(hint, item)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(item)
        except ValueError as error:
            raise RemoteProtocolError(f"{where}: {error}") from error
    if not isinstance(item, hint) or (hint is int and isinstance(item, bool)):
        raise RemoteProtocolError(f"{where}: expected {hint.__name__}, got {_short(item)}")
    return item


def _checked_union(hint: Any, item: Any, where: str) -> Any:
    members = typing.get_args(hint)
    if item is None and type(None) in members:
        return None
    plain_types = tuple(m for m in members if isinstance(m, type) and isinstance(item, m))
    if plain_types:
        return item
    for member in members:
        if isinstance(member, type) and dataclasses.is_dataclass(member):
            return _checked(member, item, where)
    raise RemoteProtocolError(f"{where}: expected {hint}, got {_short(item)}")


def _checked_tuple(hint: Any, item: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(item, list | tuple):
        raise RemoteProtocolError(f"{where}: expected a list, got {_short(item)}")
    members = typing.get_args(hint)
    if len(members) == 2 and members[1] is Ellipsis:
        return tuple(_checked(members[0], part, where) for part in item)
    if len(members) != len(item):
        raise RemoteProtocolError(f"{where}: expected {len(members)} items, got {len(item)}")
    return tuple(_checked(m, part, where) for m, part in zip(members, item, strict=True))


def _short(value: object, width: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= width else text[:width] + ".."
