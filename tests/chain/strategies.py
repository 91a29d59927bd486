"""Tables, rows and lists of changes for the property tests."""

from __future__ import annotations

import math
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

from increstore.chain.changes import Op
from increstore.chain.schema import Column, TableSchema

from .model import Change

_INTEGERS = {
    pa.bool_(): None,
    pa.int8(): (-(1 << 7), (1 << 7) - 1),
    pa.int16(): (-(1 << 15), (1 << 15) - 1),
    pa.int32(): (-(1 << 31), (1 << 31) - 1),
    pa.int64(): (-(1 << 63), (1 << 63) - 1),
    pa.uint8(): (0, (1 << 8) - 1),
    pa.uint16(): (0, (1 << 16) - 1),
    pa.uint32(): (0, (1 << 32) - 1),
    pa.uint64(): (0, (1 << 64) - 1),
    pa.date32(): (-700_000, 2_900_000),
    pa.time32("s"): (0, 86_399),
    pa.time32("ms"): (0, 86_399_999),
    pa.time64("us"): (0, 86_399_999_999),
    pa.time64("ns"): (0, 86_399_999_999_999),
    pa.timestamp("s"): (-(1 << 33), 1 << 33),
    pa.timestamp("us", tz="UTC"): (-(1 << 50), 1 << 50),
    pa.timestamp("ns", tz="Europe/Oslo"): (-(1 << 62), 1 << 62),
}
_DURATIONS = {pa.duration("ns"): (-(1 << 62), 1 << 62)}
_DECIMALS = {pa.decimal128(12, 3): (12, 3), pa.decimal256(50, 4): (50, 4)}

KEY_TYPES = [*_INTEGERS, *_DECIMALS, pa.string(), pa.binary()]
VALUE_TYPES = [*KEY_TYPES, *_DURATIONS, pa.float32(), pa.float64()]


def _decimals(kind: pa.DataType) -> st.SearchStrategy[Decimal]:
    digits, scale = _DECIMALS[kind]
    largest = 10**digits - 1

    def scaled(unscaled: int) -> Decimal:
        sign, figures = int(unscaled < 0), tuple(int(d) for d in str(abs(unscaled)))
        return Decimal((sign, figures, -scale))

    return st.integers(-largest, largest).map(scaled)


def _floats(width: int) -> st.SearchStrategy[float | str]:
    return st.floats(width=width).map(lambda v: "NaN" if math.isnan(v) else v + 0.0)


def values(kind: pa.DataType) -> st.SearchStrategy:
    """Any value of the type but NULL."""
    if kind == pa.bool_():
        return st.booleans()
    if limits := (_INTEGERS | _DURATIONS).get(kind):
        return st.integers(*limits)
    if kind in _DECIMALS:
        return _decimals(kind)
    if kind == pa.string():
        return st.text(max_size=20)
    if kind == pa.binary():
        return st.binary(max_size=20)
    return _floats(kind.bit_width)


KEYS = {
    "int": (Column("id", pa.int64()),),
    "text": (Column("id", pa.string()),),
    "composite": (Column("place", pa.string()), Column("number", pa.uint8())),
}

SOME_VALUES = (Column("a", pa.int32()), Column("b", pa.string()), Column("c", pa.float64()))


def schema_of(key: str, columns: tuple[Column, ...] = SOME_VALUES) -> TableSchema:
    """A key of few values, so that changes meet, and the value `columns`."""
    key_columns = KEYS[key]
    return TableSchema((*key_columns, *columns), tuple(column.name for column in key_columns))


_FEW_KEYS = {
    "int": st.tuples(st.integers(-4, 8)),
    "text": st.tuples(st.text("aé\U0001f600", max_size=2)),
    "composite": st.tuples(st.text("ab", max_size=1), st.integers(0, 3)),
}


def keys(key: str) -> st.SearchStrategy[tuple]:
    return _FEW_KEYS[key]


def rows_of(schema: TableSchema) -> st.SearchStrategy[dict]:
    return st.fixed_dictionaries(
        {c.name: st.none() | values(c.type) for c in schema.columns if c.name not in schema.key}
    )


def states(key: str, schema: TableSchema) -> st.SearchStrategy[dict]:
    return st.dictionaries(keys(key), rows_of(schema), max_size=10)


@st.composite
def _change(draw: st.DrawFn, key: tuple, schema: TableSchema) -> Change:
    op = draw(st.sampled_from(Op))
    if op == Op.ERASE:
        return Change(op, key)
    row = draw(rows_of(schema))
    touched = draw(st.just(set(row)) | st.sets(st.sampled_from(sorted(row)))) if row else set()
    return Change(op, key, {name: row[name] for name in row if name in touched})


@st.composite
def changes(draw: st.DrawFn, key: str, schema: TableSchema, max_size: int = 8) -> list[Change]:
    """The changes of one incremental: one a key."""
    several = draw(st.sets(keys(key), max_size=max_size))
    return [draw(_change(one, schema)) for one in sorted(several)]


@st.composite
def chains(draw: st.DrawFn, key: str, schema: TableSchema, max_size: int = 5) -> list[list[Change]]:
    """The changes of several incrementals, oldest first."""
    count = draw(st.integers(1, max_size))
    return [draw(changes(key, schema)) for _ in range(count)]
