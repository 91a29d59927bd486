"""The state digest: its definition kept by golden values, and what it must not and must see."""

from __future__ import annotations

import math
import random
import struct
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain import digest as digest_module
from increstore.chain.digest import payload_digest, rows_digest
from increstore.chain.schema import Column, TableSchema
from increstore.chain.word_hash import LONG_VALUE_BYTES, PIECE_WORDS

from .model import array_of, batch_of_rows
from .strategies import SOME_VALUES, VALUE_TYPES, schema_of, states, values

MODULUS = 1 << 64


# --- The definition, once more, one value at a time.


def spread(word: int, factor: int) -> int:
    mixed = word * 0x9E3779B97F4A7C15 % MODULUS
    return (mixed ^ mixed >> 32) * factor % MODULUS


def split_mix(position: int) -> int:
    word = (position + 1) * 0x9E3779B97F4A7C15 % MODULUS
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % MODULUS
    word = (word ^ word >> 27) * 0x94D049BB133111EB % MODULUS
    return (word ^ word >> 31) | 1


def finish(word: int) -> int:
    word = (word ^ word >> 32) * 0xBF58476D1CE4E5B9 % MODULUS
    word = (word ^ word >> 29) * 0x94D049BB133111EB % MODULUS
    return word ^ word >> 32


def word_of(value: object) -> int:
    if isinstance(value, float):
        value = math.nan if math.isnan(value) else value + 0.0
        return struct.unpack("<Q", struct.pack("<d", value))[0]
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        total = len(data) * 0xD6E8FEB86659FD93
        for position in range(-(-len(data) // 8)):
            piece = data[position * 8 : position * 8 + 8].ljust(8, b"\0")
            total += spread(int.from_bytes(piece, "little"), split_mix(position))
        return total % MODULUS
    return int(value) % MODULUS


def value_hash(value: object, name: str) -> int:
    seed = xxhash.xxh3_64_intdigest(name.encode(), seed=1)
    factor = xxhash.xxh3_64_intdigest(name.encode(), seed=2) | 1
    if value is None:
        return 0
    if not isinstance(value, Decimal):
        return spread(word_of(value) ^ seed, factor)
    sign, digits, _ = value.as_tuple()
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    words = [unscaled >> 64 * position & MODULUS - 1 for position in range(4)]
    total = spread(words[0] ^ seed, factor)
    for position in (1, 2, 3):
        repeated = MODULUS - 1 if words[position - 1] >> 63 else 0
        total += spread(words[position] ^ repeated, factor * split_mix(position) % MODULUS)
    return total % MODULUS


def naive_digest(rows: list[dict]) -> int:
    return (
        sum(
            finish((0x2545F4914F6CDD1D + sum(value_hash(v, n) for n, v in row.items())) % MODULUS)
            for row in rows
        )
        % MODULUS
    )


def batch_of(kind: pa.DataType, some: list, name: str = "v") -> tuple[pa.RecordBatch, TableSchema]:
    batch = pa.RecordBatch.from_arrays([array_of(some, kind)], names=[name])
    return batch, TableSchema((Column(name, kind),), (name,))


def digest_of(kind: pa.DataType, some: list, name: str = "v") -> int:
    return rows_digest(*batch_of(kind, some, name))


@settings(max_examples=12, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", VALUE_TYPES, ids=str)
def test_the_digest_of_every_type_is_the_one_defined(kind, data):
    some = data.draw(st.lists(st.none() | values(kind), max_size=6))
    rows = [{"v": math.nan if value == "NaN" and kind != pa.string() else value} for value in some]
    assert digest_of(kind, some) == naive_digest(rows)


@pytest.mark.parametrize(
    "length",
    [
        0,
        1,
        7,
        8,
        9,
        63,
        64,
        65,
        128,
        200,
        LONG_VALUE_BYTES,
        LONG_VALUE_BYTES + 1,
        PIECE_WORDS * 8 + 3,
    ],
)
def test_the_digest_of_text_of_any_length_is_the_one_defined(length):
    """Lengths about the edges of a word, a block, and of what is hashed by itself."""
    some = ["", "y" * length, "å", None, "x" * (length + 1)]
    assert digest_of(pa.string(), some) == naive_digest([{"v": value} for value in some])


def test_the_golden_values_never_change():
    """They are in the manifests of backups that exist."""
    batch = pa.RecordBatch.from_pydict(
        {
            "id": pa.array([1, -2, 3], pa.int64()),
            "name": pa.array(["oslo", "", None]),
            "price": pa.array([1.5, -0.0, math.nan]),
            "paid": pa.array([True, None, False]),
            "total": pa.array([Decimal("-1.05"), None, Decimal("1e24")], pa.decimal128(38, 2)),
        }
    )
    schema = TableSchema(tuple(Column(f.name, f.type) for f in batch.schema), ("id",))
    assert f"{rows_digest(batch, schema):016x}" == "f26105c033fa5947"
    assert f"{payload_digest(b'increstore'):016x}" == "3276abcffc743002"


def test_no_rows_have_the_digest_zero():
    assert digest_of(pa.int64(), []) == 0


# --- What it must not see.


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_order_of_rows_order_of_columns_and_cuts_do_not_matter(data):
    schema = schema_of("composite")
    batch = batch_of_rows(data.draw(states("composite", schema)), schema)
    whole = rows_digest(batch, schema)
    rows = data.draw(st.permutations(range(batch.num_rows)))
    names = data.draw(st.permutations(schema.names))
    cut = data.draw(st.integers(0, batch.num_rows))
    turned = TableSchema(tuple(Column(n, schema.type_of(n)) for n in names), schema.key)

    assert rows_digest(batch.take(pa.array(rows, pa.int64())), schema) == whole
    assert rows_digest(batch.select(names), turned) == whole
    parts = rows_digest(batch.slice(0, cut), schema) + rows_digest(batch.slice(cut), schema)
    assert parts % MODULUS == whole


def test_rows_beyond_a_chunk_count_like_those_within():
    """More rows than are hashed at once, of texts about the size of a block."""
    draw, rows = random.Random(7), 40_000
    assert rows > 2 * digest_module.CHUNK_ROWS
    some = [draw.choice([None, "a" * draw.randrange(150)]) for _ in range(rows)]
    batch, schema = batch_of(pa.string(), some)
    parts = [rows_digest(batch.slice(n, 999), schema) for n in range(0, len(some), 999)]
    assert rows_digest(batch, schema) == sum(parts) % MODULUS


def test_a_column_full_of_nulls_counts_nothing():
    schema = schema_of("int", SOME_VALUES)
    wider = schema_of("int", (*SOME_VALUES, Column("later", pa.string())))
    state = {(1,): {"a": 1, "b": "x", "c": None}}
    with_nulls = {key: {**row, "later": None} for key, row in state.items()}
    narrow_digest = rows_digest(batch_of_rows(state, schema), schema)
    assert rows_digest(batch_of_rows(with_nulls, wider), wider) == narrow_digest


@pytest.mark.parametrize(
    ("narrow", "wide", "some"),
    [
        (pa.int8(), pa.int64(), [-1, 0, 127, None]),
        (pa.uint8(), pa.int16(), [0, 255, None]),
        (pa.uint32(), pa.uint64(), [0, (1 << 32) - 1]),
        (pa.float32(), pa.float64(), [0.5, -0.25, None]),
        (pa.decimal128(9, 2), pa.decimal256(60, 2), [Decimal("-1.05"), Decimal("0.00"), None]),
    ],
)
def test_a_wider_type_keeps_the_digest(narrow, wide, some):
    assert digest_of(narrow, some) == digest_of(wide, some)
    batch, _ = batch_of(narrow, some)
    assert rows_digest(batch, TableSchema((Column("v", wide),), ("v",))) == digest_of(wide, some)


def test_garbage_under_a_null_is_not_read():
    valid = pa.array([True, False, True])
    bitmap = pa.py_buffer(bytes([0b101]))
    for values_buffer in (np.array([1, 2, 3]), np.array([1, -99, 3])):
        column = pa.Array.from_buffers(pa.int64(), 3, [bitmap, pa.py_buffer(values_buffer)])
        batch = pa.RecordBatch.from_arrays([column], names=["v"])
        assert column.is_valid().equals(valid)
        schema = TableSchema((Column("v", pa.int64()),), ("v",))
        assert rows_digest(batch, schema) == digest_of(pa.int64(), [1, None, 3])


def test_one_zero_and_one_nan():
    quiet, other = struct.unpack("<2d", struct.pack("<2Q", 0x7FF8000000000000, 0xFFF0000000000001))
    column = pa.array(np.array([0.0, quiet]))
    turned = pa.array(np.array([-0.0, other]))
    schema = TableSchema((Column("v", pa.float64()),), ("v",))
    digests = {
        rows_digest(pa.RecordBatch.from_arrays([c], names=["v"]), schema) for c in (column, turned)
    }
    assert len(digests) == 1


# --- What it must see.


def test_null_differs_from_zero_the_empty_text_and_false():
    for kind, nothing in ((pa.int64(), 0), (pa.string(), ""), (pa.bool_(), False)):
        assert digest_of(kind, [nothing]) != digest_of(kind, [None])


def test_values_that_change_places_change_the_digest():
    schema = schema_of("int", (Column("a", pa.string()), Column("b", pa.string())))

    def digest(**values_: str | None) -> int:
        return rows_digest(batch_of_rows({(1,): values_}, schema), schema)

    assert digest(a="x", b="y") != digest(a="y", b="x")
    assert digest(a="x", b=None) != digest(a=None, b="x")
    assert digest(a="xy", b="") != digest(a="x", b="y")
    two = {(1,): {"a": "x", "b": "y"}, (2,): {"a": "u", "b": "v"}}
    crossed = {(1,): {"a": "x", "b": "v"}, (2,): {"a": "u", "b": "y"}}
    digests = [rows_digest(batch_of_rows(state, schema), schema) for state in (two, crossed)]
    assert digests[0] != digests[1]


def test_texts_that_differ_in_zeros_at_their_end_or_in_the_order_of_words_differ():
    some = [b"", b"\0", b"\0" * 8, b"\0" * 9, b"a" * 8 + b"b" * 8, b"b" * 8 + b"a" * 8]
    assert len({digest_of(pa.binary(), [value]) for value in some}) == len(some)


def test_flipping_any_one_bit_of_two_words_changes_the_digest():
    """Also the top bits of two words at once, which a plain sum of products would not see."""
    texts = [bytes(16)]
    for bit in range(64):
        for second in (None, bit):
            words = [1 << bit, 0 if second is None else 1 << second]
            texts.append(struct.pack("<2Q", *words))
    schema = schema_of("int", (Column("a", pa.int64()), Column("b", pa.int64())))
    pairs = [struct.unpack("<2q", text) for text in texts]
    of_rows = {
        rows_digest(batch_of_rows({(0,): {"a": a, "b": b}}, schema), schema) for a, b in pairs
    }
    assert len({digest_of(pa.binary(), [text]) for text in texts}) == len(texts)
    assert len(of_rows) == len(texts)


def test_rows_of_small_numbers_do_not_collide():
    """The rows of many a table: no two of them hash alike."""
    numbers = np.arange(4096)
    columns = [pa.array(numbers % 64), pa.array(numbers // 64)]
    schema = TableSchema((Column("a", pa.int64()), Column("b", pa.int64())), ("a",))
    batch = pa.RecordBatch.from_arrays(columns, names=["a", "b"])
    hashes = {rows_digest(batch.slice(row, 1), schema) for row in range(4096)}
    assert len(hashes) == 4096


def test_a_payload_digest_is_the_same_for_every_kind_of_buffer():
    payload = b"one batch as sent" * 9
    kinds = [payload, bytearray(payload), memoryview(payload), pa.py_buffer(payload)]
    assert {payload_digest(kind) for kind in kinds} == {xxhash.xxh3_64_intdigest(payload)}
