"""The rows of the benchmark's chain, made from numbers alone: any size, always the same.

Every value of a row is a pure function of its key and of the backup that wrote it last (its
version). So a chain of any length is streamed out without keeping values, and the final state of
every engine is judged by sums that come from the keys and versions only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from workload import Workload

SCHEMA = pa.schema(
    [
        pa.field("key", pa.int64(), nullable=False),
        pa.field("a", pa.int64()),
        pa.field("b", pa.int64()),
        pa.field("amount", pa.float64()),
        pa.field("text", pa.string()),
    ]
)
CHANGE_SCHEMA = SCHEMA.append(pa.field("__op", pa.uint8(), nullable=False))

BATCH_ROWS = 65_536
KEY_GAP_MAX = 1 << 20
TEXT_BYTES = 60
_WORD_BYTES = 12
_UPSERT, _ERASE = 0, 2

Keys = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Step:
    """One incremental: its changes in key order, and the rows they replace or erase."""

    version: int
    keys: Keys
    erased: npt.NDArray[np.bool_]
    old_keys: Keys
    old_versions: npt.NDArray[np.int32]


class Table:
    """The live keys, ascending, each with the version that wrote it."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self._draw = np.random.default_rng(workload.seed)
        self.keys: Keys = np.cumsum(self._draw.integers(1, KEY_GAP_MAX, workload.rows))
        self.versions = np.zeros(workload.rows, dtype=np.int32)
        self._hot_keys = np.sort(self._draw.choice(self.keys, self._hot_size(), replace=False))

    def advance(self, version: int) -> Step:
        """Apply incremental number `version` and tell what it changed."""
        workload = self.workload
        is_hot = np.zeros(len(self.keys), dtype=bool)
        is_hot[np.searchsorted(self.keys, self._hot_keys)] = True
        others = np.flatnonzero(~is_hot)
        updates = workload.upserts - workload.hot - workload.inserts
        picked = self._draw.choice(others, updates + workload.inserts, replace=False)
        hot = self._draw.choice(np.flatnonzero(is_hot), workload.hot, replace=False)
        updated, erased = np.concatenate([picked[:updates], hot]), picked[updates:]
        added = self._new_keys(workload.inserts)
        touched = np.concatenate([updated, erased])
        step = self._step(version, updated, erased, added, touched)
        self.versions[updated] = version
        self._replace(erased, added, version)
        return step

    def _hot_size(self) -> int:
        return self.workload.upserts if self.workload.hot else 0

    def _new_keys(self, count: int) -> Keys:
        drawn = np.unique(self._draw.integers(0, int(self.keys[-1]), 2 * count + 16))
        place = np.searchsorted(self.keys, drawn)
        fresh = drawn[self.keys[place] != drawn]
        return np.sort(self._draw.choice(fresh, count, replace=False))

    def _step(self, version, updated, erased, added, touched) -> Step:
        keys = np.concatenate([self.keys[updated], added, self.keys[erased]])
        is_erased = np.arange(len(keys)) >= len(updated) + len(added)
        order = np.argsort(keys)
        old = self.keys[touched], self.versions[touched]
        return Step(version, keys[order], is_erased[order], *old)

    def _replace(self, erased, added: Keys, version: int) -> None:
        keys = np.delete(self.keys, erased)
        versions = np.delete(self.versions, erased)
        place = np.searchsorted(keys, added)
        self.keys = np.insert(keys, place, added)
        self.versions = np.insert(versions, place, version)


def row_batches(keys: Keys, versions: npt.NDArray[np.int32]) -> Iterator[pa.RecordBatch]:
    """Plain rows of these keys, in the order given."""
    for start in range(0, len(keys), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        yield _rows(keys[part], versions[part])


def change_batches(step: Step) -> Iterator[pa.RecordBatch]:
    """The incremental as change batches: an erase carries its key and NULLs."""
    for start in range(0, len(step.keys), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        keys, erased = step.keys[part], step.erased[part]
        rows = _rows(keys, np.full(len(keys), step.version, dtype=np.int32), erased)
        ops = pa.array(np.where(erased, _ERASE, _UPSERT).astype(np.uint8))
        yield pa.record_batch([*rows.columns, ops], schema=CHANGE_SCHEMA)


def expected_sums(table: Table) -> dict[str, int]:
    """What `SUMS_SQL` of the peers gives over the final rows."""
    sums = dict.fromkeys(("rows", "key", "a", "b", "cents", "letters"), 0)
    for start in range(0, len(table.keys), BATCH_ROWS):
        keys = table.keys[start : start + BATCH_ROWS]
        hashes = _hashes(keys, table.versions[start : start + BATCH_ROWS])
        sums["rows"] += len(keys)
        sums["key"] += int(keys.sum())
        sums["a"] += int(_column_a(hashes).sum())
        sums["b"] += int(_column_b(hashes).sum())
        sums["cents"] += int(_cents(hashes).sum())
        sums["letters"] += int(_text(hashes)[:, _WORD_BYTES].astype(np.int64).sum())
    return sums


def _rows(keys: Keys, versions, erased=None) -> pa.RecordBatch:
    hashes = _hashes(keys, versions)
    columns = [_column_a(hashes), _column_b(hashes), _cents(hashes) / 100]
    arrays = [pa.array(values, mask=erased) for values in columns]
    return pa.record_batch([pa.array(keys), *arrays, _strings(hashes, erased)], schema=SCHEMA)


def _strings(hashes: Hashes, erased) -> pa.Array:
    lengths = np.full(len(hashes), TEXT_BYTES, dtype=np.int32)
    present = None
    if erased is not None:
        lengths[erased] = 0
        hashes = hashes[~erased]
        present = pa.py_buffer(np.packbits(~erased, bitorder="little"))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    data = pa.py_buffer(_text(hashes).tobytes())
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), data, present)


def _hashes(keys: Keys, versions) -> Hashes:
    with np.errstate(over="ignore"):
        seeds = keys.view(np.uint64) ^ (versions.astype(np.uint64) << np.uint64(48))
        return _mix(seeds)


def _mix(words: Hashes) -> Hashes:
    """The finishing steps of SplitMix64."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _column_a(hashes: Hashes) -> Keys:
    return (hashes >> np.uint64(40)).astype(np.int64)


def _column_b(hashes: Hashes) -> Keys:
    return (hashes & np.uint64(0x3FF)).astype(np.int64)


def _cents(hashes: Hashes) -> Keys:
    return ((hashes >> np.uint64(10)) % np.uint64(1_000_000)).astype(np.int64)


def _text(hashes: Hashes) -> npt.NDArray[np.uint8]:
    """60 letters a row: four words of a small vocabulary and one that no other row has."""
    picks = _mix(hashes + np.uint64(1)).view(np.uint8).reshape(-1, 8)[:, :4]
    shifts = np.arange(0, 4 * _WORD_BYTES, 4, dtype=np.uint64)
    nibbles = (_mix(hashes + np.uint64(2))[:, None] >> shifts) & np.uint64(15)
    own = nibbles.astype(np.uint8) + np.uint8(97)
    return np.hstack([_VOCABULARY[picks].reshape(-1, 4 * _WORD_BYTES), own])


def _vocabulary() -> npt.NDArray[np.uint8]:
    letters = np.random.default_rng(7).integers(97, 123, (256, _WORD_BYTES), dtype=np.uint8)
    letters[:, -1] = 32
    return letters


_VOCABULARY = _vocabulary()
