"""The difference of two states is the fewest changes that make the one into the other."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from increstore.chain.fold import FoldLayout, align, diff, fold_to_rows

from . import model
from .model import erase, upsert
from .strategies import SOME_VALUES, VALUE_TYPES, Column, schema_of, states

KEY_KINDS = st.sampled_from(["int", "text", "composite"])
AB = schema_of("int", (Column("a", pa.int64()), Column("b", pa.int64())))


def difference(old: model.State, new: model.State) -> list[model.Change]:
    batches = [model.batch_of_rows(state, AB) for state in (old, new)]
    return model.changes_of_batch(diff(*batches, AB), AB)


def test_a_difference_names_only_the_columns_that_differ():
    old = {(1,): {"a": 1, "b": 1}, (2,): {"a": 2, "b": 2}, (3,): {"a": 3, "b": None}}
    new = {(1,): {"a": 1, "b": 9}, (2,): {"a": 2, "b": 2}, (4,): {"a": None, "b": None}}
    assert difference(old, new) == [upsert(1, b=9), erase(3), upsert(4, a=None, b=None)]


def test_a_value_that_became_null_is_set_to_null():
    assert difference({(1,): {"a": 1, "b": 1}}, {(1,): {"a": None, "b": 1}}) == [upsert(1, a=None)]


def test_equal_states_have_no_difference_and_no_column_of_changes():
    rows = model.batch_of_rows({(1,): {"a": 1, "b": None}}, AB)
    changes = diff(rows, rows, AB)
    assert changes.num_rows == 0
    assert changes.schema.equals(AB.change_arrow(has_op=False, has_set=False))


def test_nan_equals_nan_and_zero_equals_minus_zero():
    schema = schema_of("int", (Column("a", pa.float64()),))
    old, new = (
        pa.RecordBatch.from_arrays([pa.array([1, 2]), pa.array(floats)], schema=schema.arrow())
        for floats in ([math.nan, 0.0], [-math.nan, -0.0])
    )
    assert diff(old, new, schema).num_rows == 0


def test_an_added_column_is_touched_where_it_has_a_value():
    old_schema = schema_of("int", (Column("a", pa.int64()),))
    old = model.batch_of_rows({(1,): {"a": 1}, (2,): {"a": 2}}, old_schema)
    new = model.batch_of_rows({(1,): {"a": 1, "b": None}, (2,): {"a": 2, "b": 5}}, AB)
    assert model.changes_of_batch(diff(old, new, AB), AB) == [upsert(2, b=5)]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), key=KEY_KINDS)
def test_the_difference_applied_to_the_old_state_gives_the_new_one(data, key):
    schema = schema_of(key)
    layout = FoldLayout(schema, {})
    old, new = data.draw(states(key, schema)), data.draw(states(key, schema))
    for kept in data.draw(st.sets(st.sampled_from(sorted(old)))) if old else ():
        new[kept] = old[kept]
    batches = [model.batch_of_rows(state, schema) for state in (old, new)]

    changes = diff(*batches, layout)

    rows = fold_to_rows([batches[0], changes], layout)
    assert model.rows_of_batch(rows, schema) == sorted(new.items(), key=lambda item: item[0])
    assert changes.num_rows == sum(old.get(key) != new.get(key) for key in old.keys() | new.keys())
    for change in model.changes_of_batch(changes, schema):
        before, after = old.get(change.key), new.get(change.key)
        if before is not None and after is not None:
            assert set(change.values) == {n for n in after if after[n] != before[n]}


@settings(max_examples=6, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("kind", VALUE_TYPES, ids=str)
def test_values_of_every_type_are_compared(kind, data):
    schema = schema_of("int", (Column("a", kind), Column("b", kind)))
    layout = FoldLayout(schema, {})
    old, new = data.draw(states("int", schema)), data.draw(states("int", schema))
    batches = [model.batch_of_rows(state, schema) for state in (old, new)]

    rows = fold_to_rows([batches[0], diff(*batches, schema)], layout)

    assert model.rows_of_batch(rows, schema) == sorted(new.items(), key=lambda item: item[0])
    assert diff(batches[1], batches[1], schema).num_rows == 0


@settings(max_examples=60, deadline=None)
@given(data=st.data(), key=KEY_KINDS)
def test_a_difference_over_a_schema_step_gives_the_new_state(data, key):
    """Dropped, added and widened at once."""
    old_schema = schema_of(key, SOME_VALUES)
    new_schema = schema_of(
        key, (Column("a", pa.int64()), Column("c", pa.float64()), Column("d", pa.string()))
    )
    layout = FoldLayout(new_schema, {"d": 1})
    old, new = data.draw(states(key, old_schema)), data.draw(states(key, new_schema))
    old_rows = model.batch_of_rows(old, old_schema)
    new_rows = model.batch_of_rows(new, new_schema)

    changes = diff(old_rows, new_rows, new_schema)

    rows = fold_to_rows([align(old_rows, 0, layout), align(changes, 1, layout)], layout)
    assert model.rows_of_batch(rows, new_schema) == sorted(new.items(), key=lambda item: item[0])
