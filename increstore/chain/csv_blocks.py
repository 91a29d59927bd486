"""The bytes of a CSV file in blocks of whole rows, each of which can be parsed by itself.

So Arrow's parser is given memory and never a file: no thread of its own lives beyond a call, none
ever calls Python, and no more is read than what is asked for and one block ahead.

What ends a row is what Arrow's parser takes for it: quotes mean something only where a field
begins, and from there up to the quote that is not doubled.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Places = NDArray[np.int64]

BLOCK_BYTES = 4 << 20
BLOCK_BYTES_MAX = 72 << 20
"""A row of 32 MiB of which every character is a quote, doubled."""

BLOCKS_AHEAD = 1
"""Blocks read, and uncompressed, while the one before is used; `blocks_of_rows` knows no other."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_FEED, RETURN, QUOTE = b'\n\r"'

TAIL_BYTES = 64 << 10
"""At the end of a block, where the end of a row is looked for at first."""


class RowTooLong(Exception):
    """A block as large as allowed has no end of a row."""


class EndsInQuotes(Exception):
    """The file ends within quotes, behind the rows that were given."""


def blocks_of_rows(stream: pa.NativeFile, delimiter: str) -> Iterator[pa.Buffer]:
    """The file in `stream` without its byte order mark; each block ends with a line break.

    Memory: two blocks and the places of their quotes, or those of the longest row. The blocks are
    Arrow's own memory, which it may let go in any thread.
    Raises: RowTooLong; EndsInQuotes; what `stream` raises.
    """
    blocks = _blocks(stream, ord(delimiter))
    with ThreadPoolExecutor(1, thread_name_prefix="csv") as ahead:
        coming = ahead.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = ahead.submit(next, blocks, None)
            yield block


def _blocks(stream: pa.NativeFile, delimiter: int) -> Iterator[pa.Buffer]:
    start = stream.read(len(BYTE_ORDER_MARK))
    rest = np.frombuffer(b"" if start == BYTE_ORDER_MARK else start, np.uint8)
    is_at_end = False
    while not is_at_end:
        size = min(max(BLOCK_BYTES, 2 * len(rest)), BLOCK_BYTES_MAX)
        if len(rest) == size:
            raise RowTooLong
        buffer = pa.allocate_buffer(size)
        block = np.frombuffer(buffer, np.uint8)
        filled = _fill(block, rest, stream)
        is_at_end = filled < size
        if is_at_end:
            block[filled] = LINE_FEED  # The parser skips blank lines, but wants its header ended.
            block = block[: filled + 1]
        whole, is_in_quotes = whole_rows(block, delimiter)
        if whole:
            yield buffer.slice(0, whole)
        if is_at_end and is_in_quotes:
            raise EndsInQuotes
        rest = block[whole:]


def _fill(block: Bytes, rest: Bytes, stream: pa.NativeFile) -> int:
    """Put `rest` and what follows into `block`; returns how many bytes that are."""
    filled = len(rest)
    block[:filled] = rest
    # A compressed stream gives less than it could.
    while filled < len(block) and (found := stream.readinto(block[filled:])):
        filled += found
    return filled


# --- Where rows end.


def whole_rows(block: Bytes, delimiter: int) -> tuple[int, bool]:
    """How many bytes its whole rows take, and whether it ends within quotes.

    The block begins where a row does.
    """
    quotes = _meaningful(np.flatnonzero(block == QUOTE), block, delimiter)
    tail = max(0, len(block) - TAIL_BYTES)
    whole = _behind_last_break(block, tail, quotes) or _behind_last_break(block, 0, quotes)
    return whole, len(quotes) % 2 == 1


def _behind_last_break(block: Bytes, start: int, quotes: Places) -> int:
    """Behind the last line break outside quotes that is not before `start`; or 0."""
    part = block[start:]
    found = np.flatnonzero((part == LINE_FEED) | (part == RETURN)) + start
    outside = found[np.searchsorted(quotes, found) % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0


def _meaningful(quotes: Places, block: Bytes, delimiter: int) -> Places:
    """The quotes that open and close, in turns. One that is doubled closes and opens again."""
    opens = np.zeros(256, np.bool_)
    opens[[delimiter, LINE_FEED, RETURN, QUOTE]] = True
    if opens[_before(quotes[::2], block)].all():
        return quotes
    before = _before(quotes, block)
    is_doubled = before == QUOTE
    return quotes[_taking_turns((opens[before] & ~is_doubled).tolist(), is_doubled.tolist())]


def _before(places: Places, block: Bytes) -> Bytes:
    """The bytes before these places; a line break before the first."""
    before = block[places - 1]
    before[places == 0] = LINE_FEED
    return before


def _taking_turns(opens: list[bool], is_doubled: list[bool]) -> list[int]:
    """The same, of quotes among which some are in the middle of a field without: `5"`."""
    found: list[int] = []
    is_open = has_closed = False
    for number, (may_open, follows) in enumerate(zip(opens, is_doubled, strict=True)):
        if is_open or may_open or (follows and has_closed):
            found.append(number)
            has_closed = is_open
            is_open = not is_open
        else:
            has_closed = False
    return found
