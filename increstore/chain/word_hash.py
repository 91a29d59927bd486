"""64-bit words mixed into hashes, and the bytes of a text as one such word.

The definitions stand at the head of digest.py and never change. All arithmetic is modulo 2^64.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

Words: TypeAlias = npt.NDArray[np.uint64]
Bytes: TypeAlias = npt.NDArray[np.uint8]

MODULUS = 1 << 64

BLOCK_WORDS = 8
"""Words of a text gathered at once for all rows of a chunk."""

LONG_VALUE_BYTES = 4096
"""Longer texts are hashed one by one, in pieces of bounded memory."""

PIECE_WORDS = 1 << 16

_A = 0x9E3779B97F4A7C15
_B = 0xD6E8FEB86659FD93
_FINISH_1 = 0xBF58476D1CE4E5B9
_FINISH_2 = 0x94D049BB133111EB


def finish(words: Words) -> Words:
    """Every bit of a row reaches every bit of its hash; in place."""
    words ^= words >> np.uint64(32)
    words *= np.uint64(_FINISH_1)
    words ^= words >> np.uint64(29)
    words *= np.uint64(_FINISH_2)
    words ^= words >> np.uint64(32)
    return words


def spread(words: Words, factor: int | Words) -> Words:
    """`spread` of the file's head, in place."""
    words *= np.uint64(_A)
    words ^= words >> np.uint64(32)
    words *= np.uint64(factor) if isinstance(factor, int) else factor
    return words


def position_factors(first: int, count: int) -> Words:
    """The odd factors of word positions `first` and on: the numbers of SplitMix64."""
    words = np.arange(first + 1, first + count + 1, dtype=np.uint64)
    words *= np.uint64(_A)
    words ^= words >> np.uint64(30)
    words *= np.uint64(_FINISH_1)
    words ^= words >> np.uint64(27)
    words *= np.uint64(_FINISH_2)
    words ^= words >> np.uint64(31)
    words |= np.uint64(1)
    return words


def text_words(column: pa.Array) -> Words:
    """One word a row, of its length and its bytes; any word where NULL."""
    rows = len(column)
    offsets = np.frombuffer(
        column.buffers()[1], dtype=np.int32, count=rows + 1, offset=column.offset * 4
    ).astype(np.int64)
    lengths = np.diff(offsets)
    words: Words = lengths.astype(np.uint64)
    words *= np.uint64(_B)
    first, last = int(offsets[0]), int(offsets[-1])
    if first == last:
        return words
    data = _readable_beyond(column.buffers()[2], first, last)
    starts = offsets[:-1] - first
    long_rows = np.flatnonzero(lengths > LONG_VALUE_BYTES)
    for row in long_rows.tolist():
        start = int(starts[row])
        counted = _long_value_sum(data[start : start + int(lengths[row])])
        words[row] = (int(words[row]) + counted) % MODULUS
    lengths[long_rows] = 0
    _add_short_values(words, data, starts, lengths)
    return words


def _readable_beyond(buffer: pa.Buffer, first: int, last: int) -> Bytes:
    """The bytes `first` to `last` and a whole block beyond them that may be read, not used."""
    spare = BLOCK_WORDS * 8
    if last + spare <= buffer.size:
        return np.frombuffer(buffer, dtype=np.uint8, count=last + spare - first, offset=first)
    data = np.zeros(last + spare - first, dtype=np.uint8)
    data[: last - first] = np.frombuffer(buffer, np.uint8, count=last - first, offset=first)
    return data


def _add_short_values(
    words: Words, data: Bytes, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> None:
    """Add to `words` what the bytes of every row count, block by block."""
    longest = int(lengths.max())
    if longest <= BLOCK_WORDS * 8:
        words += _block_sums(data, starts, lengths, 0, longest)
        return
    for first_word in range(0, -(-longest // 8), BLOCK_WORDS):
        rows = np.flatnonzero(lengths > first_word * 8)
        left = lengths[rows] - first_word * 8
        words[rows] += _block_sums(data, starts[rows] + first_word * 8, left, first_word, longest)


def _block_sums(
    data: Bytes,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    first_word: int,
    longest: int,
) -> Words:
    """What the words `first_word` and on of every row count, up to a whole block."""
    width = min(BLOCK_WORDS, -(-longest // 8))
    if width == 0:
        return np.zeros(len(starts), dtype=np.uint64)
    # One unaligned gather of `width` words a row: a view of the bytes in which every byte starts
    # an item. What lies beyond the end of a value is masked away: a word of zeros counts nothing.
    items = np.ndarray((len(data) - width * 8 + 1,), f"V{width * 8}", data, strides=(1,))
    masks = _masks(width)[np.minimum(lengths, width * 8)]
    block: Words = items[starts].view(np.uint64)
    block &= masks.view(np.uint64)
    block *= np.uint64(_A)
    block ^= block >> np.uint64(32)
    sums: Words = block.reshape(-1, width) @ position_factors(first_word, width)
    return sums


@cache
def _masks(width: int) -> npt.NDArray[np.void]:
    """Item n has its first n bytes set, of `width` words."""
    size = width * 8
    inside = np.arange(size)[None, :] < np.arange(size + 1)[:, None]
    packed: npt.NDArray[np.void] = (inside * np.uint8(255)).view(f"V{size}").reshape(-1)
    return packed


def _long_value_sum(value: Bytes) -> int:
    """What the words of one long value count."""
    total = 0
    for first_word in range(0, -(-len(value) // 8), PIECE_WORDS):
        piece = value[first_word * 8 : (first_word + PIECE_WORDS) * 8]
        filled = np.zeros(-(-len(piece) // 8) * 8, dtype=np.uint8)
        filled[: len(piece)] = piece
        words: Words = filled.view(np.uint64)
        spread(words, position_factors(first_word, len(words)))
        total += int(words.sum(dtype=np.uint64))
    return total % MODULUS
