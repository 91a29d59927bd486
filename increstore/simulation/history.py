"""What a generated chain says: which keys it touches, how, and with which values.

Rules of this file:
- Every choice is a keyed draw from the workload's own seed: the same description gives the same
  chain, whatever the seed of the run that restores it.
- What tends to be forgotten is common here: NULL, empty text, the ends of int64, letters beyond
  ASCII, deletes of keys that are not there, keys that come back, keys that change again and again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import xxhash

from increstore.scenario.nodes import table_names
from increstore.scenario.values import RATE_WHOLE
from increstore.simulation.model import ERASE, RESET, UPSERT, Change, Key, TableHistory, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from increstore.scenario.model import WorkloadSpec

    Draw: TypeAlias = Callable[[str, int], int]

CACHED_MAX = 64
"""Chains kept in memory: a shrinking run tries many, one after the other."""

KEY_COLUMNS = {"int": ("id",), "text": ("code",), "composite": ("region", "number")}
_REGIONS = ("north", "", "süd")
_PREFIXES = ("a", "Z", "é", "", "𝄞")
_INT64 = (-(1 << 63), (1 << 63) - 1)
_NOTES = ("", "ünï\n\t", "text " * 5)
_RATES = (0.0, -2.5, 1e300)


@lru_cache(CACHED_MAX)
def generate(spec: WorkloadSpec) -> tuple[TableHistory, ...]:
    """The history of every table, in the order of `table_names`."""
    names = table_names(spec.tables)
    return tuple(_Author(spec, name, number).write() for number, name in enumerate(names))


def value_columns(table_number: int) -> tuple[str, ...]:
    """An integer, a text, and a float in every other table, a bool in the rest."""
    return ("amount", "note", "paid" if table_number % 2 else "rate")


class _Author:
    """Writes the history of one table. Keys are numbers here until they are written down."""

    def __init__(self, spec: WorkloadSpec, table: str, table_number: int) -> None:
        self._spec = spec
        self._table = table
        self._is_last = table_number == spec.tables - 1
        self._columns = value_columns(table_number)
        self._draw = _draw_from(spec.seed)
        # A third of the keys is not in the full backup, and no incremental touches every key.
        self._numbers = max(spec.rows * 3 // 2, spec.changes * 3, 8)

    def write(self) -> TableHistory:
        spec = self._spec
        full = tuple(
            self._change(number, UPSERT, f"{self._table} full {number}", -1)
            for number in self._chosen(0, spec.rows)
        )
        later = (self._incremental(n) for n in range(1, spec.incrementals + 1))
        backups = (full, *later)
        return TableHistory(
            self._table,
            KEY_COLUMNS[spec.keys],
            self._columns,
            tuple(None if b is None else tuple(sorted(b, key=_by_key)) for b in backups),
        )

    def _incremental(self, incremental: int) -> tuple[Change, ...] | None:
        spec = self._spec
        if incremental in spec.empty:
            return ()
        if incremental in spec.unchanged and self._is_last:
            return None
        label = f"{self._table} {incremental}"
        deletes = RATE_WHOLE if incremental in spec.delete_only else spec.deletes
        return tuple(
            self._change(number, op, f"{label} {number}", touched)
            for number, op, touched in self._kinds(incremental, deletes)
        )

    def _chosen(self, incremental: int, count: int) -> list[int]:
        """So many numbers; every fourth is hot: it is chosen four times as often as another."""
        label = f"{self._table} {incremental} order"
        places = {n: self._draw(f"{label} {n}", 1 << 32) for n in range(self._numbers)}
        ranked = sorted((place >> (n % 4 == 0) * 2, n) for n, place in places.items())
        return [n for _, n in ranked[:count]]

    def _kinds(self, incremental: int, deletes: int) -> Iterator[tuple[int, int, int]]:
        """Key number, operation, and a bit for each column touched: it may be none.

        The described shares are kept as exactly as whole changes can, so that a short chain has
        of everything as well.
        """
        spec, label = self._spec, f"{self._table} {incremental} kind"
        numbers = self._chosen(incremental, spec.changes)
        numbers.sort(key=lambda number: self._draw(f"{label} {number}", 1 << 32))
        erases = self._share(f"{label} erases", len(numbers), deletes)
        rest = len(numbers) - erases
        resets = self._share(f"{label} resets", rest, spec.resets)
        partial = min(rest - resets, self._share(f"{label} partial", rest, spec.partial))
        every = (1 << len(self._columns)) - 1
        for place, number in enumerate(numbers):
            if place < erases:
                yield number, ERASE, 0
            elif place < erases + resets:
                yield number, RESET, self._draw(f"{label} {number} touched", every + 1)
            elif place < erases + resets + partial:
                yield number, UPSERT, self._draw(f"{label} {number} touched", every)
            else:
                yield number, UPSERT, every

    def _share(self, label: str, count: int, rate: int) -> int:
        """`rate` of `count`, rounded up as often as its fraction says."""
        return (count * rate + self._draw(label, RATE_WHOLE)) // RATE_WHOLE

    def _change(self, number: int, op: int, label: str, touched: int) -> Change:
        values = {
            name: _VALUES[name](f"{label} {name}", self._draw)
            for place, name in enumerate(self._columns)
            if touched >> place & 1
        }
        return Change(self._key(number), op, values)

    def _key(self, number: int) -> Key:
        """Another key for each number. Their orders differ, except for integers."""
        if self._spec.keys == "text":
            return (f"{_PREFIXES[number % len(_PREFIXES)]}{number}",)
        if self._spec.keys == "composite":
            return (_REGIONS[number % len(_REGIONS)], number - 10)
        return (number * 7 - 100,)


def _draw_from(seed: int) -> Draw:
    """Label and bound to 0 .. bound - 1; the label alone decides, not what was drawn before."""
    word = xxhash.xxh3_64_intdigest(str(seed).encode())

    def draw(label: str, bound: int) -> int:
        return int(xxhash.xxh3_64_intdigest(label.encode(), word)) % bound

    return draw


def _by_key(change: Change) -> Key:
    return change.key


# --- Values: NULL in one of eight, something awkward in as many.


def _amount(label: str, draw: Draw) -> Value:
    chance = draw(label, 16)
    if chance < 2:
        return None
    return _INT64[chance - 2] if chance < 4 else draw(f"{label} value", 1000) - 500


def _note(label: str, draw: Draw) -> Value:
    chance = draw(label, 24)
    if chance < 3:
        return None
    return _NOTES[chance - 3] if chance < 6 else f"note {draw(f'{label} value', 1000)}"


def _rate(label: str, draw: Draw) -> Value:
    chance = draw(label, 24)
    if chance < 3:
        return None
    # Eighths are exact in binary: every reader gets the same value.
    return _RATES[chance - 3] if chance < 6 else draw(f"{label} value", 1000) / 8


def _paid(label: str, draw: Draw) -> Value:
    return (None, False, True)[draw(label, 3)]


_VALUES = {
    "amount": _amount,
    "note": _note,
    "rate": _rate,
    "paid": _paid,
}
