"""Plain checks of JSON values: each reader gives the value as meant, or says that it is unusual.

They say nothing about what is wrong: that is the work of `manifest_model`.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Record = TypeVar("Record")
Value = TypeVar("Value")
Reader: TypeAlias = "Callable[[Any], Value]"


class Unusual(Exception):
    """A value that is not plainly what is expected."""


def _exactly(kind: type[Value]) -> Reader[Value]:
    def read(value: Any) -> Value:
        if type(value) is not kind:  # JSON's true is no number here.
            raise Unusual
        return value

    return read


an_integer = _exactly(int)
a_bool = _exactly(bool)
a_string = _exactly(str)
a_list: Reader[list[Any]] = _exactly(list)


def a_count(value: Any) -> int:
    """A number that is not negative."""
    if type(value) is not int or value < 0:
        raise Unusual
    return value


def hex_digits(count: int) -> Reader[str]:
    """So many hex digits in lower case."""
    matches = re.compile(f"[0-9a-f]{{{count}}}").fullmatch

    def read(value: Any) -> str:
        if type(value) is not str or not matches(value):
            raise Unusual
        return value

    return read


def one_of(*words: str) -> Reader[str]:
    """One of these words."""

    def read(value: Any) -> str:
        if type(value) is not str or value not in words:
            raise Unusual
        return value

    return read


def or_none(reader: Reader[Value]) -> Reader[Value | None]:
    """What `reader` reads, or null."""
    return lambda value: None if value is None else reader(value)


def a_list_of(reader: Reader[Value]) -> Reader[list[Value]]:
    """A list, each item read by `reader`."""
    return lambda value: [reader(item) for item in a_list(value)]


def mapping_of(reader: Reader[Value]) -> Reader[dict[str, Value]]:
    """An object of any names, each value read by `reader`."""
    an_object: Reader[dict[str, Any]] = _exactly(dict)
    return lambda value: {name: reader(item) for name, item in an_object(value).items()}


def record_of(cls: type[Record], **readers: Reader[Any]) -> Reader[Record]:
    """An object with the fields of the dataclass `cls`; one that has a default may be left out."""
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    assert known == readers.keys(), f"{cls.__name__}: fields {known ^ readers.keys()}"
    required = {field.name for field in fields(cls) if field.default is MISSING}  # type: ignore[arg-type]

    def read(value: Any) -> Record:
        if type(value) is not dict or not required <= value.keys() <= known:
            raise Unusual
        return cls(**{name: readers[name](item) for name, item in value.items()})

    return read
