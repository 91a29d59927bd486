"""Cutting and reading by key range: every row in exactly one range, whatever memory allows."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from increstore.errors import VerificationFailed
from increstore.verification.data_file import RangeReader, Room, measure, open_file
from increstore.verification.ranges import KeyRange, cut, greatest, plain_keys, sample, smallest
from increstore.verification.report import show, show_apart

KEY = ("a", "b")


def some_rows(count: int, order: str) -> pa.Table:
    """Rows with the composite keys (0, "000"), (0, "001"), ... ten of each first part."""
    keys = [(n // 10, f"{n:03d}") for n in range(count)]
    if order == "shuffled":
        random.Random(7).shuffle(keys)
    return pa.table({"a": [a for a, _ in keys], "b": [b for _, b in keys], "v": range(count)})


def test_cuts_cover_all_keys_and_hold_about_the_rows_asked_for():
    samples = [((n,), 10) for n in range(100)]
    parts = cut(samples, 200)
    assert (parts[0].low, parts[-1].high) == (None, None)
    assert [part.high for part in parts[:-1]] == [part.low for part in parts[1:]]
    assert [part.low for part in parts[1:]] == [(n,) for n in range(20, 100, 20)]


def test_a_key_that_occurs_in_many_inputs_is_never_cut_in_two():
    parts = cut([((1,), 10)] * 9 + [((2,), 10)], 20)
    assert [part.low for part in parts] == [None, (1,), (2,)]


def test_no_rows_are_one_range():
    assert cut([], 5) == [KeyRange(None, None)]


def test_samples_stand_for_all_rows():
    rows = some_rows(25, "sorted")
    taken = sample(plain_keys(rows, KEY), step=10)
    assert taken == [((0, "000"), 10), ((1, "010"), 10), ((2, "020"), 5)]


@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_extremes_of_composite_keys_compare_column_by_column(order):
    keys = plain_keys(some_rows(37, order), KEY)
    assert (smallest(keys), greatest(keys)) == ((0, "000"), (3, "036"))


@pytest.mark.parametrize("order", ["sorted", "shuffled"])
@pytest.mark.parametrize("room", [0, 700, 1 << 20])
@pytest.mark.parametrize("row_group_rows", [7, 1000])
def test_every_row_is_read_in_exactly_one_range(tmp_path: Path, order, room, row_group_rows):
    rows = some_rows(100, order)
    pq.write_table(rows, tmp_path / "x.parquet", row_group_size=row_group_rows)
    measured = measure([open_file(tmp_path / "x.parquet", VerificationFailed, "")], KEY)
    space = Room(room)
    reader = RangeReader(measured.pieces, KEY, rows.schema, space)
    bounds = [(0, "005"), (0, "0051"), (3, "036"), (9, "099")]

    read = [reader.read(KeyRange(low, high))["b"].to_pylist()
            for low, high in zip([None, *bounds], [*bounds, None], strict=True)]  # fmt: skip

    assert [len(part) for part in read] == [5, 1, 30, 63, 1]
    assert [key for part in read for key in sorted(part)] == sorted(rows["b"].to_pylist())
    assert space.bytes_left == room


def test_long_texts_are_shown_where_they_differ():
    expected, got = show_apart("x" * 500 + "a" + "y" * 500, "x" * 500 + "b" + "y" * 500)
    assert expected != got
    assert len(expected) < 80
    assert show_apart("abc", None) == ('"abc"', "NULL")
    assert (show("NULL"), show(None), show(1.5)) == ('"NULL"', "NULL", "1.5")
