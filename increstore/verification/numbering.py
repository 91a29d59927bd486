"""Each key of a range gets a number, the same in every input: rows are then told apart by integers.

The numbers come from Arrow's hash tables (dictionary encoding), column by column for a composite
key; no order of keys is used anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Numbering:
    """`of_inputs` holds, per input, the key number of each row: 0 <= number < `keys`."""

    of_inputs: tuple[Integers, ...]
    keys: int
    columns: tuple[Any, ...]
    """The key columns of all inputs, one input after the other."""

    def key(self, number: int) -> list[pa.Scalar]:
        """The key with this number: one pass over the rows, for the few keys that are shown."""
        first = 0
        for numbers in self.of_inputs:
            places = np.flatnonzero(numbers == number)
            if len(places):
                return [column[first + int(places[0])] for column in self.columns]
            first += len(numbers)
        raise KeyError(number)


def number_keys(inputs: Sequence[pa.Table], names: Sequence[str]) -> Numbering:
    """Number the keys of all inputs together; no key part is NULL."""
    columns = tuple(
        pa.chunked_array([c for rows in inputs for c in rows.column(name).chunks],
                         inputs[0].schema.field(name).type)
        for name in names
    )  # fmt: skip
    codes, keys = _encode(columns[0])
    for column in columns[1:]:
        more, size = _encode(column)
        # Both are below the rows of a range, so that the product fits into 64 bits.
        codes, keys = _encode(pa.chunked_array([pa.array(codes * size + more)]))
    ends = np.cumsum([rows.num_rows for rows in inputs])
    return Numbering(tuple(np.split(codes, ends[:-1])), keys, columns)


def _encode(column: pa.ChunkedArray) -> tuple[Integers, int]:
    encoded = column.combine_chunks().dictionary_encode()
    numbers = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    assert encoded.indices.null_count == 0, "keys are complete here"
    return numbers, max(1, len(encoded.dictionary))
