"""Folding equals the naive application of every change, one row after the other."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain.changes import Op
from increstore.chain.fold import FoldLayout, align, fold, fold_to_rows, to_rows
from increstore.chain.schema import OP_COLUMN, SET_COLUMN, Column, TableSchema

from . import model
from .model import erase, reset, upsert
from .strategies import SOME_VALUES, VALUE_TYPES, chains, changes, rows_of, schema_of, states

SCHEMA = schema_of("int")
LAYOUT = FoldLayout(SCHEMA, {})
A_LAYOUT = FoldLayout(schema_of("int", (Column("a", pa.int64()), Column("b", pa.int64()))), {})

KEY_KINDS = st.sampled_from(["int", "text", "composite"])


def folded(*parts: list[model.Change]) -> list[model.Change]:
    """The fold of changes of the table (id, a, b), by the product's code."""
    schema = A_LAYOUT.schema
    batches = [model.batch_of_changes(part, schema) for part in parts]
    return model.changes_of_batch(fold(batches, A_LAYOUT), schema)


# --- The algebra, case by case.


def test_of_two_upserts_each_column_takes_the_later_value():
    assert folded([upsert(1, a=1)], [upsert(1, b=2)]) == [upsert(1, a=1, b=2)]
    assert folded([upsert(1, a=1)], [upsert(1, a=2)]) == [upsert(1, a=2)]


def test_a_later_null_hides_an_older_value():
    assert folded([upsert(1, a=1, b=1)], [upsert(1, a=None)]) == [upsert(1, a=None, b=1)]


def test_an_erase_and_then_an_upsert_is_a_reset():
    assert folded([erase(1)], [upsert(1, a=1)]) == [reset(1, a=1)]
    assert folded([upsert(1, b=9)], [erase(1)], [upsert(1, a=1)]) == [reset(1, a=1)]


def test_an_upsert_and_then_a_reset_is_the_reset():
    assert folded([upsert(1, a=1, b=1)], [reset(1, b=2)]) == [reset(1, b=2)]


def test_a_reset_and_then_an_upsert_is_a_reset_of_both():
    assert folded([reset(1, a=1)], [upsert(1, b=2)]) == [upsert(1, a=1, b=2)]
    assert folded([reset(1)], [upsert(1, b=2)]) == [reset(1, b=2)]


def test_an_erase_ends_whatever_was_before():
    assert folded([upsert(1, a=1)], [erase(1)]) == [erase(1)]
    assert folded([reset(1, a=1)], [erase(1)]) == [erase(1)]
    assert folded([erase(1)], [erase(1)]) == [erase(1)]


def test_an_upsert_of_no_column_makes_a_row_of_nulls():
    rows = to_rows(model.batch_of_changes([upsert(1)], A_LAYOUT.schema), A_LAYOUT)
    assert rows.to_pylist() == [{"id": 1, "a": None, "b": None}]


def test_no_changes_fold_to_no_changes():
    assert fold([], LAYOUT).num_rows == 0
    assert fold_to_rows([], LAYOUT).schema == SCHEMA.arrow()


def test_a_value_under_an_untouched_flag_is_not_read():
    """Whoever wrote the batch may have left anything there."""
    batch = model.batch_of_changes([upsert(1, a=7)], A_LAYOUT.schema)
    garbage = batch.set_column(2, batch.schema.field("b"), pa.array([666]))

    alone = to_rows(garbage, A_LAYOUT)
    over_another = fold_to_rows([garbage, garbage], A_LAYOUT)

    assert alone.to_pylist() == over_another.to_pylist() == [{"id": 1, "a": 7, "b": None}]


# --- The algebra, for any changes.


@settings(max_examples=80, deadline=None)
@given(data=st.data(), key=KEY_KINDS, spell_out=st.booleans())
def test_folding_says_what_the_changes_say_one_after_the_other(data, key, spell_out):
    schema = schema_of(key)
    layout = FoldLayout(schema, {})
    parts = data.draw(chains(key, schema))
    state = data.draw(states(key, schema))
    batches = [model.batch_of_changes(part, schema, spell_out=spell_out) for part in parts]

    result = model.changes_of_batch(fold(batches, layout), schema)

    names = schema.value_names
    assert model.plainest(result, names) == model.plainest(model.fold_lists(parts), names)
    one_by_one = {k: dict(v) for k, v in state.items()}
    for change in (change for part in parts for change in part):
        model.apply(one_by_one, change, names)
    at_once = {k: dict(v) for k, v in state.items()}
    for change in result:
        model.apply(at_once, change, names)
    assert at_once == one_by_one


@settings(max_examples=80, deadline=None)
@given(data=st.data(), key=KEY_KINDS)
def test_folding_may_be_done_in_any_grouping(data, key):
    schema = schema_of(key)
    layout = FoldLayout(schema, {})
    batches = [model.batch_of_changes(part, schema) for part in data.draw(chains(key, schema))]
    middle = data.draw(st.integers(0, len(batches)))

    at_once = fold(batches, layout)
    in_steps = fold([fold(batches[:middle], layout), fold(batches[middle:], layout)], layout)

    def plain(batch: pa.RecordBatch) -> list[model.Change]:
        return model.plainest(model.changes_of_batch(batch, schema), schema.value_names)

    assert plain(in_steps) == plain(at_once)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), key=KEY_KINDS)
def test_rows_are_what_the_changes_make_of_an_empty_table(data, key):
    schema = schema_of(key)
    layout = FoldLayout(schema, {})
    parts = data.draw(chains(key, schema))
    batches = [model.batch_of_changes(part, schema) for part in parts]
    state: model.State = {}
    for change in (change for part in parts for change in part):
        model.apply(state, change, schema.value_names)

    rows = fold_to_rows(batches, layout)

    assert rows.schema.equals(schema.arrow())
    assert model.rows_of_batch(rows, schema) == sorted(state.items(), key=lambda item: item[0])
    in_two_calls = to_rows(fold(batches, layout), layout)
    assert model.rows_of_batch(in_two_calls, schema) == model.rows_of_batch(rows, schema)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", VALUE_TYPES, ids=str)
def test_every_type_folds_with_its_nulls(kind, data):
    schema = schema_of("int", (Column("a", kind), Column("b", kind)))
    parts = data.draw(chains("int", schema, max_size=3))
    batches = [model.batch_of_changes(part, schema) for part in parts]

    result = model.changes_of_batch(fold(batches, FoldLayout(schema, {})), schema)

    names = schema.value_names
    assert model.plainest(result, names) == model.plainest(model.fold_lists(parts), names)


def test_a_table_of_key_columns_only_folds():
    schema = schema_of("composite", ())
    layout = FoldLayout(schema, {})
    parts = [[upsert("a", 1), upsert("a", 2)], [erase("a", 1), upsert("b", 1)]]
    batches = [model.batch_of_changes(part, schema) for part in parts]
    assert fold_to_rows(batches, layout).to_pylist() == [
        {"place": "a", "number": 2},
        {"place": "b", "number": 1},
    ]


def test_slices_with_offsets_fold_like_copies():
    parts = [[upsert(n, a=n, b=n) for n in range(6)], [upsert(n, b=-n) for n in range(1, 9, 2)]]
    batches = [model.batch_of_changes(part, A_LAYOUT.schema) for part in parts]

    of_slices = fold([batch.slice(1, 3) for batch in batches], A_LAYOUT)

    expected = model.fold_lists([parts[0][1:4], parts[1][1:4]])
    assert model.changes_of_batch(of_slices, A_LAYOUT.schema) == expected


# --- Schemas that step.


def test_a_batch_in_canonical_form_is_aligned_without_a_copy():
    for part in ([upsert(1, a=1, b=1)], [upsert(1, a=1)], [erase(1)], [reset(1, a=2)]):
        batch = model.batch_of_changes(part, A_LAYOUT.schema)
        assert align(batch, 3, A_LAYOUT) is batch


def test_values_of_a_column_dropped_and_added_again_do_not_come_back():
    layout = FoldLayout(A_LAYOUT.schema, {"b": 3})
    full = model.batch_of_rows({(1,): {"a": 1, "b": 1}}, layout.schema)
    later = model.batch_of_changes([upsert(1, a=4)], layout.schema)

    rows = fold_to_rows([align(full, 0, layout), align(later, 3, layout)], layout)

    assert rows.to_pylist() == [{"id": 1, "a": 4, "b": None}]


def test_a_counting_column_that_a_batch_lacks_is_untouched():
    narrow = schema_of("int", (Column("a", pa.int64()),))
    full = model.batch_of_rows({(1,): {"a": 1, "b": 1}}, A_LAYOUT.schema)
    for changes_ in ([upsert(1, a=4)], [upsert(1, a=4), upsert(2)], [upsert(1, a=4), erase(9)]):
        aligned = align(model.batch_of_changes(changes_, narrow), 2, A_LAYOUT)
        rows = fold_to_rows([full, aligned], A_LAYOUT)
        assert rows.to_pylist()[0] == {"id": 1, "a": 4, "b": 1}


_STEPS = [
    SOME_VALUES,
    (*SOME_VALUES, Column("new", pa.uint16())),
    (Column("a", pa.int64()), Column("new", pa.uint16()), Column("c", pa.float64())),
    (Column("c", pa.float64()), Column("b", pa.binary()), Column("a", pa.int64())),
    (Column("c", pa.float64()), Column("a", pa.int64()), Column("new", pa.int32())),
]
"""Added, dropped and widened, dropped and added again under another type, reordered."""


def _column_since(schemas: list[TableSchema]) -> dict[str, int]:
    since = {}
    for name in schemas[-1].names:
        lacking = [number for number, schema in enumerate(schemas) if name not in schema.names]
        since[name] = max(lacking, default=-1) + 1
    return since


@settings(max_examples=60, deadline=None)
@given(data=st.data(), key=KEY_KINDS, last=st.integers(1, len(_STEPS) - 1))
def test_a_chain_whose_schema_steps_folds_to_the_rows_of_the_last_schema(data, key, last):
    schemas = [schema_of(key, columns) for columns in _STEPS[: last + 1]]
    layout = FoldLayout(schemas[-1], _column_since(schemas))
    state = data.draw(states(key, schemas[0]))
    aligned = [align(model.batch_of_rows(state, schemas[0]), 0, layout)]
    for number, schema in enumerate(schemas[1:], start=1):
        model.step(state, schemas[number - 1], schema)
        part = data.draw(changes(key, schema))
        aligned.append(align(model.batch_of_changes(part, schema), number, layout))
        for change in part:
            model.apply(state, change, schema.value_names)

    rows = fold_to_rows(aligned, layout)
    in_steps = fold_to_rows([fold(aligned[:2], layout), fold(aligned[2:], layout)], layout)

    expected = sorted(state.items(), key=lambda item: item[0])
    assert model.rows_of_batch(rows, layout.schema) == expected
    assert model.rows_of_batch(in_steps, layout.schema) == expected
    for batch in aligned:
        has_op, has_set = (name in batch.schema.names for name in (OP_COLUMN, SET_COLUMN))
        assert batch.schema.equals(layout.schema.change_arrow(has_op=has_op, has_set=has_set))


@settings(max_examples=30, deadline=None)
@given(row=rows_of(SCHEMA))
def test_an_upsert_of_all_columns_is_left_an_upsert_after_an_erase(row):
    """It says the same as a reset, and the fold stays one look at the newest row."""
    batches = [
        model.batch_of_changes(part, SCHEMA) for part in ([erase(1)], [model.upsert(1, **row)])
    ]
    (change,) = model.changes_of_batch(fold(batches, LAYOUT), SCHEMA)
    assert change == model.Change(Op.UPSERT, (1,), row)
