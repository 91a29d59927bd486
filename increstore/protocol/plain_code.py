"""The source of a class's way to a plain list and back, written from its annotations.

A simulation sends hundreds of thousands of messages a second through here, so nothing is looked
up or dispatched for each field: for `ChangesApplied` the writer is

    lambda value: ['ChangesApplied', [(v1 := value.scan).restore, ...], value.generation, ...]

and the reader a function that returns None at the first thing that is not exactly as written.
"""

from __future__ import annotations

import types
import typing
from dataclasses import is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from increstore.protocol.frozen import draft_of, is_native
from increstore.protocol.plain_check import hints_of

if TYPE_CHECKING:
    from collections.abc import Callable


def compile_writer(cls: type) -> Callable[[Any], list[Any]]:
    """A function from a `cls` to `[kind, field, ...]`; it takes the value to be well typed."""
    writer: Callable[[Any], list[Any]] = eval(f"lambda value: {writer_source(cls)}")
    return writer


def writer_source(cls: type) -> str:
    """The expression that writes the variable `value`."""
    return f"[{cls.__name__!r}, {_Writer().fields(hints_of(cls), 'value')}]"


def compile_reader(cls: type) -> Callable[[list[Any]], Any]:
    """A function from `[kind, field, ...]` to a `cls`; None when anything is unusual or wrong."""
    reader = _Reader()
    hints = hints_of(cls)
    fields = [reader.fresh() for _ in hints]
    reader.line(f"if len(plain) != {len(hints) + 1}: return None")
    reader.line(f"_, {', '.join(fields)} = plain")
    reader.line(f"return {reader.instance(cls, fields)}")
    exec("def read(plain):\n" + "\n".join(reader.lines), reader.names)
    read: Callable[[list[Any]], Any] = reader.names["read"]
    return read


class _Writer:
    """Writes one expression; the variables in it are numbered."""

    def __init__(self) -> None:
        self._variables = 0

    def fields(self, hints: dict[str, Any], value: str) -> str:
        """The fields of what the expression `value` says, which is evaluated only once."""
        variable = holder = value
        if not value.isidentifier():
            variable = self._fresh()
            holder = f"({variable} := {value})"
        parts = []
        for name, hint in hints.items():
            parts.append(self._plain(hint, f"{holder}.{name}"))
            holder = variable
        return ", ".join(parts)

    def _plain(self, hint: Any, value: str) -> str:
        if is_dataclass(hint):
            return f"[{self.fields(hints_of(hint), value)}]"  # type: ignore[arg-type]
        if _is_enum(hint):
            return f"{value}._value_"  # Ten times faster than `value`, which is a property.
        if typing.get_origin(hint) is tuple:
            return self._list(hint, value)
        inner = _optional(hint)
        if inner is None:
            return value
        variable = self._fresh()
        return f"(None if ({variable} := {value}) is None else {self._plain(inner, variable)})"

    def _list(self, hint: Any, value: str) -> str:
        first, *others = typing.get_args(hint)
        if others != [Ellipsis]:
            assert all(map(_is_scalar, (first, *others))), f"{hint}: a pair holds plain values"
            return f"list({value})"
        if _is_scalar(first):
            return f"list({value})"
        item = self._fresh()
        return f"[{self._plain(first, item)} for {item} in {value}]"

    def _fresh(self) -> str:
        self._variables += 1
        return f"v{self._variables}"


class _Reader:
    """Writes the statements of one function, and gathers the names they need."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.lines: list[str] = []
        self._indent = 1
        self._variables = 0

    def line(self, text: str) -> None:
        self.lines.append(" " * self._indent + text)

    def fresh(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def instance(self, cls: type, fields: list[str]) -> str:
        """Check the variables `fields` and make a `cls` of them; the variable that holds it."""
        hints = hints_of(cls)
        parts = [
            self._value(hint, field) for hint, field in zip(hints.values(), fields, strict=True)
        ]
        value, name = self.fresh(), cls.__name__
        self.names[name] = cls
        if is_native(cls):
            self.line(f"{value} = {name}({', '.join(parts)})")
            return value
        self.names[f"{name}Draft"] = draft_of(cls)
        self.line(f"{value} = {name}Draft()")
        for field, part in zip(hints, parts, strict=True):
            self.line(f"{value}.{field} = {part}")
        self.line(f"{value}.__class__ = {name}")
        return value

    def _value(self, hint: Any, plain: str) -> str:
        """Check the variable `plain`; the variable that holds what it stands for."""
        if is_dataclass(hint):
            return self.instance(hint, self._unpacked(len(hints_of(hint)), plain))  # type: ignore[arg-type]
        if _is_enum(hint):
            return self._member(hint, plain)
        if typing.get_origin(hint) is tuple:
            return self._tuple(hint, plain)
        inner = _optional(hint)
        if inner is not None:
            return self._unless_none(inner, plain)
        kinds = typing.get_args(hint) or (hint,)
        self.line(f"if {' and '.join(self._is_not(kind, plain) for kind in kinds)}: return None")
        return plain

    def _is_not(self, kind: type, plain: str) -> str:
        self.names[kind.__name__] = kind
        return f"type({plain}) is not {kind.__name__}"

    def _unpacked(self, count: int, plain: str) -> list[str]:
        parts = [self.fresh() for _ in range(count)]
        self.line(f"if type({plain}) is not list or len({plain}) != {count}: return None")
        self.line(f"{', '.join(parts)}, = {plain}")
        return parts

    def _member(self, enum: type[Enum], plain: str) -> str:
        member, members = self.fresh(), f"{enum.__name__}Members"
        self.names[members] = {member.value: member for member in enum}
        self.line(f"if type({plain}) is not str: return None")
        self.line(f"{member} = {members}.get({plain})")
        self.line(f"if {member} is None: return None")
        return member

    def _tuple(self, hint: Any, plain: str) -> str:
        first, *others = typing.get_args(hint)
        if others != [Ellipsis]:
            parts = self._unpacked(1 + len(others), plain)
            values = [self._value(h, part) for h, part in zip((first, *others), parts, strict=True)]
            return f"({', '.join(values)},)"
        items, item = self.fresh(), self.fresh()
        self.line(f"if type({plain}) is not list: return None")
        self.line(f"{items} = []")
        self.line(f"for {item} in {plain}:")
        self._indent += 1
        self.line(f"{items}.append({self._value(first, item)})")
        self._indent -= 1
        return f"tuple({items})"

    def _unless_none(self, inner: Any, plain: str) -> str:
        value = self.fresh()
        self.line(f"{value} = None")
        self.line(f"if {plain} is not None:")
        self._indent += 1
        self.line(f"{value} = {self._value(inner, plain)}")
        self._indent -= 1
        return value


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Enum)


def _is_scalar(hint: Any) -> bool:
    return hint in (int, str)


def _optional(hint: Any) -> Any:
    """`X` of `X | None`; None when `hint` is not of this form."""
    members = typing.get_args(hint)
    if typing.get_origin(hint) not in (types.UnionType, typing.Union) or len(members) != 2:
        return None
    first, second = members
    return first if second is types.NoneType else None
