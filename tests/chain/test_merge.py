"""The merge of runs equals their fold, whatever the batches and slices, in bounded memory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain import merge as merge_module
from increstore.chain.fold import FoldLayout
from increstore.chain.keys import Key, key_of_row
from increstore.chain.merge import merge
from increstore.chain.schema import Column, TableSchema

from . import model
from .strategies import chains, schema_of


@dataclass
class Loads:
    """How many batches were loaded, and the rows of each."""

    count: int = 0
    rows_read: list[int] = field(default_factory=list)


@dataclass
class CountedBatch:
    """A `SortedBatch` in memory that counts how often it is loaded."""

    batch: pa.RecordBatch
    names: tuple[str, ...]
    loads: Loads

    @property
    def first(self) -> Key:
        return key_of_row(self.batch, self.names, 0)

    @property
    def last(self) -> Key:
        return key_of_row(self.batch, self.names, self.batch.num_rows - 1)

    @property
    def rows(self) -> int:
        return self.batch.num_rows

    def load(self) -> pa.RecordBatch:
        self.loads.count += 1
        self.loads.rows_read.append(self.rows)
        return self.batch


def run_of(
    batch: pa.RecordBatch, schema: TableSchema, cuts: list[int], loads: Loads
) -> list[CountedBatch]:
    """The batch cut into a run; no piece is empty."""
    edges = sorted({0, batch.num_rows, *(cut for cut in cuts if cut < batch.num_rows)})
    return [
        CountedBatch(batch.slice(low, high - low), schema.key, loads)
        for low, high in itertools.pairwise(edges)
    ]


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    key=st.sampled_from(["int", "text", "composite"]),
    slice_rows=st.integers(1, 30),
)
def test_a_merge_says_what_the_changes_say_one_after_the_other(data, key, slice_rows):
    schema = schema_of(key)
    layout = FoldLayout(schema, {})
    parts = data.draw(chains(key, schema))
    loads = Loads()
    runs = [
        run_of(
            model.batch_of_changes(part, schema),
            schema,
            data.draw(st.lists(st.integers(1, 8), max_size=4)),
            loads,
        )
        for part in parts
    ]

    slices = list(merge(runs, layout, slice_rows=slice_rows, as_rows=False))

    assert all(one.num_rows for one in slices)
    merged = [change for one in slices for change in model.changes_of_batch(one, schema)]
    names = schema.value_names
    assert model.plainest(merged, names) == model.plainest(model.fold_lists(parts), names)
    assert loads.count == sum(len(run) for run in runs)
    _assert_rows_too(runs, parts, layout, slice_rows)


def _assert_rows_too(runs, parts, layout, slice_rows):
    state: model.State = {}
    for change in (change for part in parts for change in part):
        model.apply(state, change, layout.schema.value_names)
    slices = merge(runs, layout, slice_rows=slice_rows, as_rows=True)
    rows = [row for one in slices for row in model.rows_of_batch(one, layout.schema)]
    assert rows == sorted(state.items(), key=lambda item: item[0])


def test_no_runs_merge_to_nothing():
    assert list(merge([], FoldLayout(schema_of("int"), {}), as_rows=True)) == []
    assert list(merge([[], []], FoldLayout(schema_of("int"), {}), as_rows=False)) == []


# --- Memory.

_NUMBERS = TableSchema((Column("id", pa.int64()), Column("a", pa.int64())), ("id",))


def _numbers(ids: np.ndarray) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(ids), pa.array(ids)], schema=_NUMBERS.change_arrow(has_op=False, has_set=False)
    )


def _read_ahead(runs: list[list[CountedBatch]], loads: Loads, slice_rows: int) -> tuple[int, int]:
    """The most rows read and not yet behind the merge, and the most in one slice."""
    ids = np.concatenate([one.batch.column("id").to_numpy() for run in runs for one in run])
    most, largest = 0, 0
    for one in merge(runs, FoldLayout(_NUMBERS, {}), slice_rows=slice_rows, as_rows=True):
        behind = int((ids < one.column("id")[0].as_py()).sum())
        most = max(most, sum(loads.rows_read) - behind)
        largest = max(largest, one.num_rows)
    return most, largest


def test_no_more_is_read_than_a_slice_and_a_batch_of_each_run():
    loads, batch_rows, slice_rows = Loads(), 100, 500
    everything = np.arange(20_000)
    cuts = list(range(batch_rows, 20_000, batch_rows))
    runs = [run_of(_numbers(everything), _NUMBERS, cuts, loads)]
    runs += [run_of(_numbers(everything[n::25]), _NUMBERS, cuts, loads) for n in range(20)]

    most, largest = _read_ahead(runs, loads, slice_rows)

    assert most <= slice_rows + batch_rows * (len(runs) + 1)
    assert largest <= slice_rows * 3 // 2


def test_batches_that_all_begin_with_the_smallest_key_are_still_merged_in_small_slices():
    """Every run spans the whole table in one batch, so all are read; the slices stay small."""
    loads = Loads()
    everything = np.arange(10_000)
    runs = [
        run_of(_numbers(np.unique([0, *everything[n::7]])), _NUMBERS, [], loads) for n in range(7)
    ]

    _, largest = _read_ahead(runs, loads, slice_rows=500)

    assert loads.count == len(runs)
    assert largest <= 750


def test_a_slice_of_long_rows_is_split_by_its_bytes():
    schema = schema_of("int", (Column("t", pa.binary()),))
    long = bytes(merge_module.SLICE_BYTES // 4)
    batch = model.batch_of_rows({(n,): {"t": long} for n in range(7)}, schema)

    sizes = [
        one.num_rows
        for one in merge([run_of(batch, schema, [], Loads())], FoldLayout(schema, {}), as_rows=True)
    ]

    assert sum(sizes) == 7
    assert max(sizes) < 7


def test_short_rows_in_the_buffers_of_long_ones_are_not_taken_for_long():
    """A slice of a batch refers to the whole of its buffers."""
    schema = schema_of("int", (Column("t", pa.binary()),))
    values = [b"short"] * 100 + [bytes(merge_module.SLICE_BYTES * 2)]
    batch = model.batch_of_rows({(n,): {"t": value} for n, value in enumerate(values)}, schema)
    runs = [run_of(batch.slice(0, 100), schema, [30, 60], Loads())]

    sizes = [one.num_rows for one in merge(runs, FoldLayout(schema, {}), as_rows=True)]

    assert sizes == [100]


def test_of_long_rows_no_more_bytes_are_read_than_a_slice_and_a_batch():
    """A hundred rows never fill a slice by their number."""
    schema = schema_of("int", (Column("t", pa.binary()),))
    row_bytes = 1 << 20
    batch = model.batch_of_rows({(n,): {"t": bytes(row_bytes)} for n in range(200)}, schema)
    loads = Loads()
    runs = [run_of(batch, schema, list(range(1, 200)), loads)]

    ahead = []
    given_rows = 0
    for one in merge(runs, FoldLayout(schema, {}), as_rows=True):
        ahead.append((loads.count - given_rows) * row_bytes)
        given_rows += one.num_rows

    assert given_rows == 200
    assert max(ahead) <= merge_module.SLICE_BYTES * 3 // 2
