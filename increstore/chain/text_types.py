"""Text becoming typed values: the type that a column of text plainly is, and the conversion to it.

Guessing is careful, because a guess is remembered: a column is a number only when every value is
written as one that text would not be (no leading zero, no plus sign), so codes such as "007" and
telephone numbers stay text. A key is an integer or text, never anything finer.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.pieces import first_refused

_INTEGER = r"^-?(0|[1-9][0-9]{0,18})$"
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_BOOLEAN = r"^(true|false|True|False|TRUE|FALSE)$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$"
_TIMESTAMP_UTC = _TIMESTAMP[:-1] + "Z$"
# A number with more digits than this may change when it becomes a double; zeros at its end do not.
_LONG_NUMBER = r"^-?[0-9]{17,}$|^-?[0.]*[1-9](\.?[0-9]){16,}\.?[1-9]"

_LADDER: tuple[tuple[str, pa.DataType], ...] = (
    (_INTEGER, pa.int64()),
    (_NUMBER, pa.float64()),
    (_BOOLEAN, pa.bool_()),
    (_DATE, pa.date32()),
    (_TIMESTAMP, pa.timestamp("us")),
    (_TIMESTAMP_UTC, pa.timestamp("us", tz="UTC")),
)
SAMPLE_ROWS = 1000
_EMPTY = pa.scalar("")  # Made once: pyarrow takes long over a Python value.
_NULL = pa.scalar(None, pa.string())


@dataclass(frozen=True, slots=True)
class Unfit(Exception):
    """The first value that is none of the type: its row (from 0) and its text."""

    row: int
    value: str


class TypeGuess:
    """The type of a column of text that is shown part by part: what all its values plainly are.

    The answer does not depend on where the parts end. It is text before there is a value, and for
    good after any doubt.
    """

    def __init__(self, *, is_key: bool) -> None:
        self._ladder = _LADDER[:1] if is_key else _LADDER
        self._kind: pa.DataType | None = None
        self._is_text = False
        self._has_long_integer = False

    @property
    def type(self) -> pa.DataType:
        return pa.string() if self._is_text or self._kind is None else self._kind

    def watch(self, text: pa.ChunkedArray) -> None:
        """Take the next part into account."""
        if self._is_text:
            return
        values = _values_of(text)
        if len(values) == 0:
            return
        self._kind = self._kind_with(values)
        self._is_text = self._kind is None or not self._keeps(values, self._kind)

    def _kind_with(self, values: pa.ChunkedArray) -> pa.DataType | None:
        """The first kind that `values` and those before are written as."""
        for pattern, kind in self._ladder:
            if self._may_become(kind) and _all_match(values, pattern):
                return kind
        return None

    def _may_become(self, kind: pa.DataType) -> bool:
        """Integers are also written as numbers; else no text is of two kinds."""
        return self._kind in (None, kind) or (self._kind, kind) == (pa.int64(), pa.float64())

    def _keeps(self, values: pa.ChunkedArray, kind: pa.DataType) -> bool:
        """Whether no value, nor one of those before, changes by becoming `kind`."""
        try:
            found = _cast(values, kind)
        except pa.ArrowInvalid:
            return False  # Such as an integer beyond 64 bits, 30 February, or 1e400.
        if kind == pa.int64():
            self._has_long_integer |= _has_long_integer(found)
        if kind == pa.float64():
            return not (self._has_long_integer or _any_match(values, _LONG_NUMBER))
        return True


def _values_of(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without NULL and the empty text, which is NULL in every type but text."""
    return text.filter(pc.fill_null(pc.not_equal(text, _EMPTY), False))


def _all_match(values: pa.ChunkedArray, pattern: str) -> bool:
    """The beginning is looked at first, since most patterns fail at once or never."""
    parts = [values] if len(values) <= SAMPLE_ROWS else [values.slice(0, SAMPLE_ROWS), values]
    return all(pc.all(pc.match_substring_regex(part, pattern)).as_py() for part in parts)


def _any_match(values: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(values, pattern)).as_py())


def _has_long_integer(integers: pa.ChunkedArray) -> bool:
    """Whether one is long by `_LONG_NUMBER`: has 17 digits or more."""
    limits = pc.min_max(integers)
    return bool(max(limits["max"].as_py(), -limits["min"].as_py()) >= 10**16)


def convert(text: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The values of a column of text as `kind`; the empty text is NULL unless `kind` is text.

    Spaces around a value and a whole number written "450.0" in an integer column are accepted.
    Raises: Unfit with the first value that is none of `kind`.
    """
    if pa.types.is_string(kind):
        return text
    values = text if pa.types.is_binary(kind) else _empty_as_null(text)
    try:
        return _cast(values, kind)
    except pa.ArrowInvalid:
        tidy = _tidied(values, kind)
    try:
        return _cast(tidy, kind)
    except pa.ArrowInvalid as error:
        row = first_refused(tidy, lambda part: _cast(part, kind))
        raise Unfit(row, values[row].as_py()) from error


def _empty_as_null(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(text, _EMPTY), _NULL, text)


def _tidied(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    values = pc.utf8_trim_whitespace(values)
    if pa.types.is_integer(kind):
        values = pc.replace_substring_regex(values, r"^([+-]?[0-9]+)\.0*$", r"\1")
    return _empty_as_null(values)


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Raises: pa.ArrowInvalid."""
    if pa.types.is_duration(kind):
        return pc.cast(_cast(values, pa.int64()), kind)
    if pa.types.is_time(kind):
        # Arrow reads a time of day only as a part of a timestamp.
        moments = pc.binary_join_element_wise("1970-01-01T", values, "")
        return pc.cast(pc.cast(moments, pa.timestamp(kind.unit)), kind)
    if pa.types.is_integer(kind):
        _refuse_hexadecimal(values)
    found = pc.cast(values, kind)
    if pa.types.is_floating(kind):
        _refuse_overflow(values, found)
    return found


def _refuse_hexadecimal(values: pa.ChunkedArray) -> None:
    """Arrow takes 0x1F for 31; here it is a code, or a mistake. Raises: pa.ArrowInvalid."""
    if any(pc.any(pc.starts_with(values, start)).as_py() for start in ("0x", "0X")):
        raise pa.ArrowInvalid("hexadecimal digits are no integer")


def _refuse_overflow(values: pa.ChunkedArray, found: pa.ChunkedArray) -> None:
    """Arrow makes an infinite number of one that is too large. Raises: pa.ArrowInvalid."""
    infinite = pc.fill_null(pc.is_inf(found), False)
    if pc.any(infinite).as_py():
        said = pc.match_substring_regex(values.filter(infinite), "(?i)inf")
        if not pc.all(said).as_py():
            raise pa.ArrowInvalid("a number is too large for a floating point number")
