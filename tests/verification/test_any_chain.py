"""Any chain: what the book says verifies, and no single cell may be changed unnoticed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain.changes import Op
from increstore.chain.schema import TableSchema
from increstore.verification.verify import verify

from .builder import ChainBuilder, Change, TableStep, a_schema, key_of

TYPES = {"i": pa.int16(), "t": pa.string(), "f": pa.float64(), "b": pa.bool_()}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.none() | st.integers(-3, 3),
    "t": st.none() | st.sampled_from(["", "a", "b"]),
    "f": st.none() | st.sampled_from([0.0, 1.5, float("inf"), float("nan")]),
    "b": st.none() | st.booleans(),
}
OTHERS: dict[str, list[Any]] = {
    "i": [None, 7], "t": [None, "", "c"], "f": [None, 9.0], "b": [None, True, False],
}  # fmt: skip
KEYS = st.tuples(st.integers(0, 5), st.sampled_from(["", "x", "y"]))


@st.composite
def any_step(draw, is_full: bool, names: tuple[str, ...]) -> TableStep:
    schema = a_schema(
        ("k", "l"), k=pa.int64(), l=pa.string(), **{name: TYPES[name] for name in names}
    )
    if not is_full and draw(st.integers(0, 4)) == 0:
        return TableStep(schema)
    keys = draw(st.lists(KEYS, unique=True, max_size=18))
    changes = [draw(any_change(schema, key, is_full)) for key in keys]
    sizes = st.integers(1, 4)
    return TableStep(schema, changes, row_group_rows=draw(sizes), files=draw(sizes))


@st.composite
def any_change(draw, schema: TableSchema, key: tuple, is_full: bool) -> Change:
    op = Op.UPSERT if is_full else draw(st.sampled_from(list(Op)))
    row = dict(zip(schema.key, key, strict=True))
    if op is not Op.ERASE:
        touched = [n for n in schema.value_names if is_full or draw(st.booleans())]
        row |= {name: draw(VALUES[name]) for name in touched}
    return Change(op, row)


@st.composite
def any_steps(draw) -> list[TableStep]:
    names = st.lists(st.sampled_from(sorted(TYPES)), unique=True, min_size=1).map(tuple)
    count = draw(st.integers(1, 5))
    schemas = [draw(names)]
    for _ in range(count - 1):
        schemas.append(draw(st.just(schemas[-1]) | names))
    return [draw(any_step(n == 0, columns)) for n, columns in enumerate(schemas)]


@contextmanager
def restored(steps: list[TableStep]) -> Iterator[tuple[ChainBuilder, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        chain = ChainBuilder(Path(folder) / "collection")
        for step in steps:
            chain.backup({"t": step})
        target = Path(folder) / "target"
        chain.restore(target)
        yield chain, target


@settings(max_examples=40, deadline=None)
@given(steps=any_steps(), range_rows=st.integers(1, 40))
def test_what_the_book_says_of_any_chain_is_equal(steps, range_rows):
    with restored(steps) as (chain, target):
        report = verify(target, chain.folder, range_rows=range_rows)
        assert report.is_equal, report.tables
        assert report.rows_expected == len(chain.states["t"])


@settings(max_examples=60, deadline=None)
@given(steps=any_steps(), range_rows=st.integers(1, 40), data=st.data())
def test_any_one_cell_that_is_changed_is_found_and_named(steps, range_rows, data):
    with restored(steps) as (chain, target):
        state = chain.states["t"]
        if not state:
            return
        schema = chain.schemas["t"]
        row = state[data.draw(st.sampled_from(sorted(state)))]
        column = data.draw(st.sampled_from(schema.value_names))
        before = row[column]
        row[column] = data.draw(st.sampled_from([v for v in OTHERS[column] if v is not before
                                                 and v != before]))  # fmt: skip
        chain.restore(target)

        (table,) = verify(target, chain.folder, range_rows=range_rows).tables

        assert (table.differing, table.columns) == (1, {column: 1})
        (example,) = table.examples
        assert (example.key, example.column) == (key_of(schema, row), column)
        assert example.got == row[column]


@settings(max_examples=40, deadline=None)
@given(steps=any_steps(), range_rows=st.integers(1, 40), data=st.data())
def test_any_one_row_that_is_lost_or_invented_is_found_and_named(steps, range_rows, data):
    with restored(steps) as (chain, target):
        state, schema = chain.states["t"], chain.schemas["t"]
        key = data.draw(KEYS)
        is_lost = key in state
        if is_lost:
            del state[key]
        else:
            state[key] = dict.fromkeys(schema.names) | dict(zip(schema.key, key, strict=True))
        chain.restore(target)

        (table,) = verify(target, chain.folder, range_rows=range_rows).tables

        assert (table.missing, table.surplus) == ((1, 0) if is_lost else (0, 1))
        assert [example.key for example in table.examples] == [key]
