"""Digests: of one payload as sent, and of the rows of a table in any order and any batches.

The state digest is written into manifests, so its definition never changes (the golden values in
tests/chain/test_digest.py keep it). All arithmetic is modulo 2^64; `>>` is the logical shift.

- digest of a table  = sum over its rows of finish(sum over its columns of value_hash)
- value_hash         = 0 for NULL, else spread(word ^ seed, factor); seed and factor are made of
                       the column's name
- spread(w, f)       = (x ^ x >> 32) * f, where x = w * A
- word, by type: an integer, a date or a time by its value in 64 bits; a bool as 0 or 1; a float as
  the bits of its float64, with one zero and one NaN; text and bytes as
  length * B + sum over 8-byte little-endian words j (the last one filled with zeros) of
  spread(word j, factor of position j)
- a decimal has several words, low first, of its unscaled integer; a word above the first that only
  repeats the sign of the one below counts nothing, another counts like a column of its own

It follows that rows may come in any order and cut, columns in any order, that a column full of
NULLs counts nothing, and that a wider integer, float or precision of a decimal changes nothing.
Another scale of a decimal, or another unit of a time, changes the digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from increstore.chain.keys import integer_values
from increstore.chain.word_hash import (
    MODULUS,
    Bytes,
    Words,
    finish,
    position_factors,
    spread,
    text_words,
)

if TYPE_CHECKING:
    from increstore.chain.schema import TableSchema


DIGEST_MASK = MODULUS - 1
"""A sum of digests is cut to 64 bits by it."""

CHUNK_ROWS = 16384
"""Rows hashed at once: the temporaries of a chunk stay in the processor's cache."""

_FINISH_SEED = 0x2545F4914F6CDD1D
_NAN_BITS = 0x7FF8000000000000


def payload_digest(payload: bytes | bytearray | memoryview | pa.Buffer) -> int:
    """XXH3-64 of the bytes."""
    return int(xxhash.xxh3_64_intdigest(payload))


def rows_digest(batch: pa.RecordBatch, schema: TableSchema) -> int:
    """The state digest of `batch`; digests of parts add up, modulo 2^64, to that of the whole.

    Columns of `batch` beyond `schema` count nothing; those of a narrower type are widened first.
    """
    found = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns = [(found[column.name], column) for column in schema.columns]
    keyed = [
        (
            values if values.type == column.type else values.cast(column.type),
            _column_hash(column.name),
        )
        for values, column in columns
        if values.null_count < len(values)
    ]
    digest = 0
    for start in range(0, batch.num_rows, CHUNK_ROWS):
        rows = min(CHUNK_ROWS, batch.num_rows - start)
        sums = np.full(rows, _FINISH_SEED, dtype=np.uint64)
        for column, column_hash in keyed:
            sums += _value_hashes(column.slice(start, rows), column_hash)
        digest += int(finish(sums).sum(dtype=np.uint64))
    return digest % MODULUS


@dataclass(frozen=True, slots=True)
class _ColumnHash:
    """What makes the same value count differently in two columns."""

    seed: int
    factor: int

    def of(self, words: Words) -> Words:
        """In place."""
        words ^= np.uint64(self.seed)
        return spread(words, self.factor)


@cache
def _column_hash(name: str) -> _ColumnHash:
    text = name.encode()
    return _ColumnHash(
        xxhash.xxh3_64_intdigest(text, seed=1), xxhash.xxh3_64_intdigest(text, seed=2) | 1
    )


# --- One column.


def _value_hashes(column: pa.Array, column_hash: _ColumnHash) -> Words:
    """One hash a row, 0 where NULL."""
    if pa.types.is_decimal(column.type):
        hashes = _decimal_hashes(column, column_hash)
    elif pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        hashes = column_hash.of(text_words(column))
    else:
        hashes = column_hash.of(_fixed_words(column))
    if column.null_count:
        hashes *= _bits(column.buffers()[0], column)
    return hashes


def _bits(bitmap: pa.Buffer, column: pa.Array) -> Bytes:
    """The bits of `bitmap` that belong to the rows of `column`, each as 0 or 1."""
    first_byte, first_bit = divmod(column.offset, 8)
    packed = np.frombuffer(bitmap, dtype=np.uint8)[first_byte:]
    count = first_bit + len(column)
    return np.unpackbits(packed[: -(-count // 8)], bitorder="little")[first_bit:count]


def _fixed_words(column: pa.Array) -> Words:
    """One new word a row, of a type that has 64 bits or fewer."""
    if pa.types.is_boolean(column.type):
        return _bits(column.buffers()[1], column).astype(np.uint64)
    if pa.types.is_floating(column.type):
        return _float_words(_fixed_values(column, f"float{column.type.bit_width}"))
    integers = integer_values(column)
    assert integers is not None, f"{column.type} is not a stored type"
    if integers.dtype.kind == "u":
        return integers.astype(np.uint64)
    return integers.astype(np.int64).view(np.uint64)


def _fixed_values(column: pa.Array, dtype: str) -> npt.NDArray[Any]:
    """The values of a fixed-width column as `dtype`, without a copy."""
    width = np.dtype(dtype).itemsize
    return np.frombuffer(
        column.buffers()[1], dtype=dtype, count=len(column), offset=column.offset * width
    )


def _float_words(values: npt.NDArray[Any]) -> Words:
    with np.errstate(invalid="ignore"):  # A signalling NaN is data here, not an accident.
        doubles = values.astype(np.float64)
        doubles += 0.0  # -0.0 becomes 0.0.
    words: Words = doubles.view(np.uint64)
    nans = np.isnan(doubles)
    if nans.any():
        words[nans] = _NAN_BITS
    return words


def _decimal_hashes(column: pa.Array, column_hash: _ColumnHash) -> Words:
    width = column.type.bit_width // 64
    data = np.frombuffer(
        column.buffers()[1],
        dtype=np.uint64,
        count=len(column) * width,
        offset=column.offset * width * 8,
    )
    words = data.reshape(-1, width)
    hashes = column_hash.of(words[:, 0].copy())
    for position in range(1, width):
        sign_below = (words[:, position - 1].view(np.int64) >> np.int64(63)).view(np.uint64)
        surplus = words[:, position] ^ sign_below
        if surplus.any():
            factor = int(position_factors(position, 1)[0])
            hashes += spread(surplus, column_hash.factor * factor % MODULUS)
    return hashes
