"""A table's state as positions: for each key and column, which input row its value comes from.

The chain is applied in its own order, backup after backup, each by scattering row positions over
the numbers of its keys. That is the definition of a chain, taken literally; nothing is sorted,
folded or looked up backwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from increstore.chain.changes import Op
from increstore.chain.schema import OP_COLUMN, SET_COLUMN
from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from increstore.verification.history import Step
    from increstore.verification.numbering import Flags, Integers, Numbering

NOWHERE = -1
"""The position of a NULL that no row holds."""


class TableState:
    """Which keys live, and where the value of each column of each key is found.

    Positions count the rows of all steps, one after the other, in the order they were applied.
    """

    def __init__(self, numbering: Numbering, since: dict[str, int]) -> None:
        """`since` names the value columns and the incremental from which each one counts."""
        self._numbering = numbering
        self._since = since
        self.lives: Flags = np.zeros(numbering.keys, np.bool_)
        self._positions = {name: np.full(numbering.keys, NOWHERE, np.int64) for name in since}
        self._values: dict[str, list[pa.Array]] = {name: [] for name in since}
        self._rows = 0

    def apply(self, step: Step, rows: pa.Table, numbers: Integers) -> None:
        """Apply one backup's rows of the range; `numbers` are their keys'.

        Raises: BackupChainBroken when a key occurs twice, or an operation does not exist.
        """
        self._refuse_double_keys(step, numbers)
        op = _operations(step, rows)
        if op is not None:
            forgotten = numbers[op != Op.UPSERT]
            for positions in self._positions.values():
                positions[forgotten] = NOWHERE
        kept = None if op is None else op != Op.ERASE
        self.lives[numbers] = True if kept is None else kept
        places = np.arange(self._rows, self._rows + len(numbers))
        for name, positions in self._positions.items():
            counts = name in step.schema.names and self._since[name] <= step.incremental
            if counts:
                touched = _both(kept, _touched(rows, name))
                positions[_where(numbers, touched)] = _where(places, touched)
            self._remember(name, rows, counts)
        self._rows += len(numbers)

    def values(self, name: str, numbers: Integers, kind: pa.DataType) -> pa.Array:
        """The expected values of one column for the keys with these numbers, as `kind`."""
        positions = self._positions[name][numbers]
        held = [part.cast(kind) for part in self._values[name]]
        column = pa.chunked_array(held, kind).combine_chunks()
        return column.take(pa.array(positions, mask=positions == NOWHERE))

    def _remember(self, name: str, rows: pa.Table, counts: bool) -> None:
        """Keep a step's values; a step without the column holds the places of its rows."""
        if counts:
            self._values[name].extend(rows.column(name).chunks)
        else:
            self._values[name].append(pa.nulls(rows.num_rows, pa.null()))

    def _refuse_double_keys(self, step: Step, numbers: Integers) -> None:
        counts = np.bincount(numbers, minlength=1)
        if counts.max() > 1:
            key = self._numbering.key(int(counts.argmax()))
            shown = ", ".join(str(part) for part in key)
            raise BackupChainBroken(
                f"{step.folder}: the key ({shown}) occurs {counts.max()} times, expected at most "
                "one change of a key in one backup; make the backup again"
            )


def _operations(step: Step, rows: pa.Table) -> Integers | None:
    if not step.entry.has_op:
        return None
    op: Integers = rows.column(OP_COLUMN).to_numpy()
    if len(op) and op.max() > max(Op):
        raise BackupChainBroken(
            f"{step.folder}: unknown operation {op.max()} in column {OP_COLUMN} "
            f"(expected {', '.join(str(int(known)) for known in Op)}); upgrade increstore"
        )
    return op


def _touched(rows: pa.Table, name: str) -> Flags | None:
    """Per row, whether the change touches the column; None when every row does."""
    if SET_COLUMN not in rows.column_names:
        return None
    flags = pc.struct_field(rows.column(SET_COLUMN), [name])
    # No flags at all (NULL in the row) means that the change touches every column.
    touched: Flags = pc.fill_null(flags, True).to_numpy()
    return touched


def _both(one: Flags | None, other: Flags | None) -> Flags | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _where(numbers: Integers, mask: Flags | None) -> Integers:
    return numbers if mask is None else numbers[mask]
