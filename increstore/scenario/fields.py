"""Types of model fields that hold the values of a scenario file (`values`).

A file must give texts with units; Python code may give the integers (or a `Span`) as they are:
`context={"file": True}` tells the two apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from increstore.scenario.values import (
    DURATION_EXAMPLES,
    RATE_EXAMPLES,
    SIZE_EXAMPLES,
    Span,
    exactly,
    parse_duration,
    parse_duration_span,
    parse_rate,
    parse_rate_span,
    parse_seeds,
    parse_size,
    show_duration,
    show_duration_span,
    show_rate,
    show_rate_span,
    show_seeds,
    show_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def from_file(info: ValidationInfo) -> bool:
    return bool(info.context and info.context.get("file"))


def _number(value: Any, info: ValidationInfo, what: str) -> bool:
    """Whether `value` is an integer that Python code gave; raises for one of a file."""
    if isinstance(value, int) and not isinstance(value, bool) and not from_file(info):
        return True
    if not isinstance(value, str):
        raise ValueError(f"expected {what}, written as text, got {value!r}")
    return False


def _read_duration(value: Any, info: ValidationInfo) -> int:
    if _number(value, info, f"a duration {DURATION_EXAMPLES}"):
        return int(value)
    return parse_duration(value)


def _read_positive_duration(value: Any, info: ValidationInfo) -> int:
    found = _read_duration(value, info)
    if found <= 0:
        raise ValueError(f"expected a duration longer than 0, got {value!r}")
    return found


def _read_span(value: Any, info: ValidationInfo, what: str, parse: Callable[[str], Span]) -> Span:
    if isinstance(value, Span):
        return value
    return exactly(value) if _number(value, info, what) else parse(value)


def _read_duration_span(value: Any, info: ValidationInfo) -> Span:
    what = f'a duration {DURATION_EXAMPLES}, or a range "1ms..20ms"'
    return _read_span(value, info, what, parse_duration_span)


def _read_later(value: Any, info: ValidationInfo) -> Span:
    found = _read_duration_span(value, info)
    if found.low < 0:
        raise ValueError(f"expected a duration of at least 0, got {value!r}")
    return found


def _read_rate(value: Any, info: ValidationInfo) -> int:
    return value if _number(value, info, f"a rate {RATE_EXAMPLES}") else parse_rate(value)


def _read_rate_span(value: Any, info: ValidationInfo) -> Span:
    what = f'a rate {RATE_EXAMPLES}, or a range "0..5%"'
    return _read_span(value, info, what, parse_rate_span)


def _read_size(value: Any, info: ValidationInfo) -> int:
    found = value if _number(value, info, f"a size {SIZE_EXAMPLES}") else parse_size(value)
    if found <= 0:
        raise ValueError(f"expected a size above 0, got {value!r}")
    return int(found)


def _read_seeds(value: Any, info: ValidationInfo) -> Span:
    if isinstance(value, Span):
        return value
    return parse_seeds(str(value) if type(value) is int else _text(value, "seeds"))


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f'expected {what} such as "7" or "0..9", got {value!r}')
    return value


def _shape(name: str, pattern: str, *examples: str) -> WithJsonSchema:
    """How an editor recognises such a text; `schema` finds the shape by its title."""
    return WithJsonSchema(
        {"title": name, "type": "string", "pattern": f"^({pattern})$", "examples": [*examples]}
    )


_NUMBER = r"\d+(\.\d+)?"
_WAIT = rf"{_NUMBER} ?(ns|us|ms|s|m|h)|0"
_RATE = rf"{_NUMBER} ?%|0"

Patience = Annotated[
    int, BeforeValidator(_read_positive_duration), PlainSerializer(show_duration),
    _shape("duration", _WAIT, "250ms", "3s", "2m"),
]  # fmt: skip
"""A duration longer than 0, in nanoseconds."""
Later = Annotated[
    Span, BeforeValidator(_read_later), PlainSerializer(show_duration_span),
    _shape("duration or range", rf"({_WAIT})(\.\.({_WAIT}))?", "250ms", "1ms..20ms"),
]  # fmt: skip
"""A duration of at least 0 or a range of them, in nanoseconds."""
Shift = Annotated[
    Span, BeforeValidator(_read_duration_span), PlainSerializer(show_duration_span),
    _shape("shift", rf"(-?({_WAIT}))(\.\.(-?({_WAIT})))?", "-1h", "10m", "-1s..1s"),
]  # fmt: skip
"""A duration that may be negative, or a range of them, in nanoseconds."""
Rate = Annotated[
    int, BeforeValidator(_read_rate), PlainSerializer(show_rate),
    _shape("rate", _RATE, "5%", "0.5%"),
]  # fmt: skip
"""Parts of 100,000."""
RateRange = Annotated[
    Span, BeforeValidator(_read_rate_span), PlainSerializer(show_rate_span),
    _shape("rate or range", rf"({_RATE})|{_NUMBER} ?%?\.\.({_RATE})", "5%", "0..5%"),
]  # fmt: skip
"""A range of them, of which a run has one."""
Size = Annotated[
    int, BeforeValidator(_read_size), PlainSerializer(show_size),
    _shape("size", rf"{_NUMBER} ?(B|KB|KiB|MB|MiB|GB)", "64KB", "1MB"),
]  # fmt: skip
"""Bytes, above 0."""
Seeds = Annotated[
    Span, BeforeValidator(_read_seeds), PlainSerializer(show_seeds),
    WithJsonSchema({"anyOf": [
        {"type": "string", "pattern": r"^\d+(\.\.\d+)?$", "examples": ["7", "0..9"]},
        {"type": "integer", "minimum": 0},
    ]}),
]  # fmt: skip
"""One seed or a range of them."""
Count = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
Shards = Annotated[int, Field(strict=True, ge=1, le=256)]
"""Also tables: what a typing error makes of it must not fill the memory."""
ChainLength = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Rows = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Switch = Annotated[bool, Field(strict=True)]
