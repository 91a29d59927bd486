"""The values of a scenario file: durations, rates, sizes and ranges, as text and as integers.

| in the file | inside |
|---|---|
| `"250ms"` `"1.5s"` `"-1h"` | nanoseconds |
| `"5%"` `"0.5%"` | parts of 100,000 |
| `"64KB"` `"1MB"` | bytes (a KB is 1,000, a KiB 1,024) |
| `"1ms..20ms"` `"0..5%"` | a `Span` of the same, both ends included |

No float is made on the way: what cannot be written as such an integer is refused. `fields` has the
types of models that read and write these texts.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

RATE_WHOLE = 100_000
"""What 100 % is inside."""

SEEDS_MAX = 1_000_000_000
"""Of one range: more runs than anybody waits for."""

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_UNITS_BYTES = {
    "B": 1,
    "KB": 1_000,
    "KiB": 1 << 10,
    "MB": 1_000_000,
    "MiB": 1 << 20,
    "GB": 1_000_000_000,
}
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"(-?){_NUMBER} ?(ns|us|ms|s|m|h)", re.ASCII)
_RATE = re.compile(rf"{_NUMBER} ?%", re.ASCII)
_SIZE = re.compile(rf"{_NUMBER} ?(B|KB|KiB|MB|MiB|GB)", re.ASCII)
_SEEDS = re.compile(r"(\d+)(?:\.\.(\d+))?", re.ASCII)

DURATION_EXAMPLES = 'such as "250ms", "3s", "2m" or "1h"'
RATE_EXAMPLES = 'such as "5%" or "0.5%"'
SIZE_EXAMPLES = 'such as "64KB" or "1MB"'


class Span(NamedTuple):
    """Two integers of one unit, `low <= high`, both included; `low == high` is a plain value."""

    low: int
    high: int

    @property
    def width(self) -> int:
        return self.high - self.low

    @property
    def is_one_value(self) -> bool:
        return self.low == self.high


def exactly(value: int) -> Span:
    """The span of one value."""
    return Span(value, value)


# --- Reading. Raises: ValueError that says what was expected, with examples.


def parse_duration(text: str) -> int:
    """Nanoseconds of `"1.5s"`; `"0"` needs no unit."""
    if text == "0":
        return 0
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a duration {DURATION_EXAMPLES}, got {text!r}")
    sign, number, unit = found.groups()
    value = _whole(Decimal(number) * _UNITS_NS[unit], text, "nanoseconds")
    return -value if sign else value


def parse_rate(text: str) -> int:
    """Parts of 100,000 of `"0.5%"`; `"0"` needs no sign."""
    if text == "0":
        return 0
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a rate {RATE_EXAMPLES}, got {text!r}")
    value = _whole(Decimal(found[1]) * (RATE_WHOLE // 100), text, "thousandths of a percent")
    if value > RATE_WHOLE:
        raise ValueError(f"expected a rate of at most 100%, got {text!r}")
    return value


def parse_size(text: str) -> int:
    """Bytes of `"64KB"`."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a size {SIZE_EXAMPLES}, got {text!r}")
    return _whole(Decimal(found[1]) * _UNITS_BYTES[found[2]], text, "bytes")


def parse_seeds(text: str) -> Span:
    """`"7"` is one seed, `"0..9"` are ten."""
    found = _SEEDS.fullmatch(text)
    if found is None:
        raise ValueError(f'expected a seed such as "7", or a range such as "0..9", got {text!r}')
    low = int(found[1])
    seeds = _ordered(low, int(found[2]) if found[2] else low, text)
    if seeds.width >= SEEDS_MAX:
        raise ValueError(f"expected {SEEDS_MAX:,} seeds at most, got {text!r}")
    return seeds


def parse_duration_span(text: str) -> Span:
    low, _, high = text.partition("..")
    return _ordered(parse_duration(low), parse_duration(high or low), text)


def parse_rate_span(text: str) -> Span:
    """`"0..5%"` and `"1%..5%"`: the first end may leave the sign to the second."""
    low, dots, high = text.partition("..")
    if dots and not low.endswith("%"):
        low += "%"
    return _ordered(parse_rate(low), parse_rate(high or low), text)


def _whole(value: Decimal, text: str, unit: str) -> int:
    if value != value.to_integral_value():
        raise ValueError(f"expected a whole number of {unit}, got {text!r}")
    return int(value)


def _ordered(low: int, high: int, text: str) -> Span:
    if low > high:
        raise ValueError(f"expected the smaller end of a range first, got {text!r}")
    return Span(low, high)


# --- Writing: the shortest text that is read as the same integer.


def show_duration(value: int) -> str:
    if value == 0:
        return "0s"
    unit = max(
        (unit for unit in _UNITS_NS if value % _UNITS_NS[unit] == 0), key=_UNITS_NS.__getitem__
    )
    return f"{value // _UNITS_NS[unit]}{unit}"


def show_rate(value: int) -> str:
    whole, rest = divmod(value, RATE_WHOLE // 100)
    return f"{whole}.{rest:03}".rstrip("0").rstrip(".") + "%"


def show_size(value: int) -> str:
    if value == 0:
        return "0B"
    unit = max(
        (unit for unit in _UNITS_BYTES if value % _UNITS_BYTES[unit] == 0),
        key=_UNITS_BYTES.__getitem__,
    )
    return f"{value // _UNITS_BYTES[unit]}{unit}"


def show_seeds(value: Span) -> str:
    return str(value.low) if value.is_one_value else f"{value.low}..{value.high}"


def show_duration_span(value: Span) -> str:
    low = show_duration(value.low)
    return low if value.is_one_value else f"{low}..{show_duration(value.high)}"


def show_rate_span(value: Span) -> str:
    low = show_rate(value.low)
    return low if value.is_one_value else f"{low}..{show_rate(value.high)}"
