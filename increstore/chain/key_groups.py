"""Rows of one key brought together: the sort that folding and comparing stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.keys import adjacent_order, integer_values

if TYPE_CHECKING:
    from collections.abc import Sequence

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KeyGroups:
    """The rows by key, and those of one key in the order they came.

    `order` holds row positions; `ends` holds, for each key, where in `order` its last row is.
    """

    order: Positions
    ends: Positions

    @property
    def newest(self) -> Positions:
        """For each key, the position of the row that came last."""
        return self.order[self.ends]

    @property
    def sizes(self) -> Positions:
        """For each key, how many rows have it."""
        return np.diff(self.ends, prepend=-1)


def group_by_key(columns: Sequence[pa.Array]) -> KeyGroups:
    """The groups of rows that are equal in all key `columns`; fast when they come as sorted runs.

    At least one row; no NULL.
    """
    integers = integer_values(columns[0]) if len(columns) == 1 else None
    if integers is not None:
        # A stable sort of integers merges the runs it finds: little more than reading them.
        order = np.argsort(integers, kind="stable")
        by_key = integers[order]
        changes = by_key[1:] != by_key[:-1]
    else:
        names = [str(number) for number in range(len(columns))]
        batch = pa.RecordBatch.from_arrays(list(columns), names=names)
        indices = pc.sort_indices(batch, sort_keys=[(name, "ascending") for name in names])
        order = indices.to_numpy().astype(np.int64)
        _, repeats = adjacent_order(batch.take(indices), names)
        changes = ~repeats
    return KeyGroups(order, np.flatnonzero(np.append(changes, True)))
