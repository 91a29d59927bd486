"""Keys as Python values, for the few rows where one is needed: bounds, faults, manifests.

Rules of this file:
- A key is a tuple that compares as Arrow orders the key columns: text by code point (the same as
  by UTF-8 byte), bytes by byte, dates and times by the integer that Arrow stores.
- Never one Python object per row: whole columns are compared by numpy or pyarrow, and a bound is
  found by a binary search that looks at a logarithm of the rows.
- Arrow's kernels take a fortieth of a second to import, before a restore can read its first page:
  only keys that are no integers need them, and import them where they do.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.chain.schema import TableSchema

Key: TypeAlias = tuple[Any, ...]

SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class OrderFault:
    """The first row that may not stand where it does; a NULL in `key` is None."""

    row: int
    kind: Literal["null", "duplicate", "unsorted"]
    key: Key


def key_of_row(batch: pa.RecordBatch, names: Sequence[str], row: int) -> Key:
    """The key of one row; None stands for NULL, which only a faulty batch holds."""
    return tuple(_value(batch.column(name)[row]) for name in names)


def _value(scalar: pa.Scalar) -> Any:
    return scalar.value if pa.types.is_temporal(scalar.type) else scalar.as_py()


# --- Keys as JSON.


def encode_key(key: Key, schema: TableSchema) -> list[Any]:
    """The key as JSON values, exactly: bytes as hex digits, a decimal as its digits."""
    return [
        _codec_of(schema.type_of(name)).encode(value)
        for name, value in zip(schema.key, key, strict=True)
    ]


def decode_key(encoded: list[Any], schema: TableSchema) -> Key:
    """The key that `encode_key` wrote. Raises: ValueError when its shape or a type is wrong."""
    if not isinstance(encoded, list) or len(encoded) != len(schema.key):
        raise ValueError(
            f"expected a list of {len(schema.key)} key values ({', '.join(schema.key)}), "
            f"got {encoded!r}"
        )
    return tuple(
        _decode_value(item, name, schema.type_of(name))
        for name, item in zip(schema.key, encoded, strict=True)
    )


def _decode_value(item: Any, name: str, kind: pa.DataType) -> Any:
    codec = _codec_of(kind)
    if type(item) is codec.written_as:  # Exactly: JSON's true is no integer here.
        try:
            return codec.decode(item)
        except (ValueError, InvalidOperation):
            pass
    raise ValueError(f"key column {name!r}: expected a value of type {kind}, got {item!r}")


@dataclass(frozen=True, slots=True)
class _Codec:
    written_as: type
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _codec_of(kind: pa.DataType) -> _Codec:
    if pa.types.is_boolean(kind):
        return _Codec(bool, bool, bool)
    if pa.types.is_integer(kind) or pa.types.is_temporal(kind):
        return _Codec(int, int, int)
    if pa.types.is_decimal(kind):
        return _Codec(str, str, _finite_decimal)
    if pa.types.is_string(kind):
        return _Codec(str, str, str)
    if pa.types.is_binary(kind):
        return _Codec(str, bytes.hex, bytes.fromhex)
    raise ValueError(f"type {kind} is not one that a key may have")


def _finite_decimal(digits: str) -> Decimal:
    value = Decimal(digits)
    if not value.is_finite():
        raise ValueError(f"{digits} is not a finite number")
    return value


def show_key(key: Key) -> str:
    """The key for a message to people: `42`, or `('oslo', 7)`; long values are cut."""
    return _joined([_show_value(value) for value in key])


def show_key_of_row(batch: pa.RecordBatch, names: Sequence[str], row: int) -> str:
    """The same of one row, with days and moments as people write them."""
    return _joined([_show_scalar(batch.column(name).slice(row, 1)) for name in names])


def _joined(shown: list[str]) -> str:
    return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"


def _show_scalar(one: pa.Array) -> str:
    if pa.types.is_temporal(one.type) and one.null_count == 0:
        with contextlib.suppress(pa.ArrowInvalid):  # A time zone that this system does not know.
            return str(one.cast(pa.string())[0].as_py())
    return _show_value(_value(one[0]))


def _show_value(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        text = "0x" + value[:SHOWN_CHARACTERS].hex()
    elif isinstance(value, str):
        text = repr(value[:SHOWN_CHARACTERS]) + (".." if len(value) > SHOWN_CHARACTERS else "")
        return text
    else:
        text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + ".."


# --- Keys in order.


def integer_values(column: pa.Array) -> npt.NDArray[Any] | None:
    """The integers that Arrow stores for `column`, without a copy; None for another type.

    Rows that are NULL hold any integer.
    """
    kind = column.type
    if pa.types.is_integer(kind):
        name = str(kind)
    elif pa.types.is_temporal(kind):
        name = f"int{kind.bit_width}"
    else:
        return None
    if len(column) == 0:
        return np.empty(0, dtype=name)
    values = np.frombuffer(column.buffers()[1], dtype=name, count=column.offset + len(column))
    return values[column.offset :]


def cut(batch: pa.RecordBatch, names: Sequence[str], bounds: Sequence[Key]) -> list[int]:
    """For each bound (ascending), how many rows of the sorted `batch` have a smaller key."""
    if len(names) == 1:
        integers = integer_values(batch.column(names[0]))
        if integers is not None:
            return _cut(integers.data, [bound[0] for bound in bounds], None)
    return _cut(range(batch.num_rows), bounds, lambda row: key_of_row(batch, names, row))


def _cut(
    rows: Sequence[Any] | memoryview, bounds: Sequence[Any], key: Callable[[int], Any] | None
) -> list[int]:
    positions = []
    low = 0
    for bound in bounds:
        low = bisect_left(rows, bound, lo=low, key=key)
        positions.append(low)
    return positions


def order_fault(
    batch: pa.RecordBatch, names: Sequence[str], after: Key | None
) -> OrderFault | None:
    """The first fault of `batch`: a NULL in a key, or a key not above the one before it.

    The first key must be above `after`, unless that is None. NULLs are reported first.
    """
    if batch.num_rows == 0:
        return None
    null_row = _first_null(batch, names)
    if null_row is not None:
        return OrderFault(null_row, "null", key_of_row(batch, names, null_row))
    if after is not None:
        first = key_of_row(batch, names, 0)
        if first <= after:
            return OrderFault(0, "duplicate" if first == after else "unsorted", first)
    rises, repeats = adjacent_order(batch, names)
    if rises.all():
        return None
    row = int(np.argmin(rises)) + 1
    kind: Literal["duplicate", "unsorted"] = "duplicate" if repeats[row - 1] else "unsorted"
    return OrderFault(row, kind, key_of_row(batch, names, row))


def _first_null(batch: pa.RecordBatch, names: Sequence[str]) -> int | None:
    columns = [batch.column(name) for name in names if batch.column(name).null_count]
    return min(map(_first_null_of_column, columns), default=None)


def _first_null_of_column(column: pa.Array) -> int:
    import pyarrow.compute as pc

    return int(pc.index(pc.is_null(column), True).as_py())


def adjacent_order(
    batch: pa.RecordBatch, names: Sequence[str]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each key but the first is above, and whether it equals, the key one row before.

    No key is NULL.
    """
    rises, repeats = _adjacent_order_of_column(batch.column(names[0]))
    for name in names[1:]:
        column_rises, column_repeats = _adjacent_order_of_column(batch.column(name))
        rises |= repeats & column_rises
        repeats &= column_repeats
    return rises, repeats


def _adjacent_order_of_column(
    column: pa.Array,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    integers = integer_values(column)
    if integers is not None:
        return integers[1:] > integers[:-1], integers[1:] == integers[:-1]
    import pyarrow.compute as pc

    before, here = column.slice(0, max(len(column) - 1, 0)), column.slice(1)
    rises = pc.greater(here, before).to_numpy(zero_copy_only=False)
    repeats = pc.equal(here, before).to_numpy(zero_copy_only=False)
    return np.array(rises, dtype=bool), np.array(repeats, dtype=bool)
