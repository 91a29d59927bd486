"""The oracle against examples that were worked out by hand."""

from __future__ import annotations

import pytest

from increstore.simulation.digest import state_digest
from increstore.simulation.model import (
    ERASE,
    RESET,
    UPSERT,
    Change,
    Model,
    TableHistory,
    apply,
)

COLUMNS = ("a", "b", "c")
ONE = {(1,): {"a": 10, "b": "x", "c": True}}


def upsert(key, **values):
    return Change((key,), UPSERT, values)


def reset(key, **values):
    return Change((key,), RESET, values)


def erase(key):
    return Change((key,), ERASE, {})


def after(*changes, of=None):
    rows = dict(of or {})
    apply(rows, changes, COLUMNS)
    return rows


def test_an_upsert_of_a_new_key_leaves_the_columns_it_does_not_touch_null():
    assert after(upsert(1, b="x")) == {(1,): {"a": None, "b": "x", "c": None}}


def test_an_upsert_keeps_the_columns_it_does_not_touch():
    assert after(upsert(1, b="y"), of=ONE) == {(1,): {"a": 10, "b": "y", "c": True}}


def test_an_upsert_can_set_a_column_to_null():
    assert after(upsert(1, a=None), of=ONE) == {(1,): {"a": None, "b": "x", "c": True}}


def test_an_upsert_of_no_column_makes_a_row_of_nulls_or_changes_nothing():
    assert after(upsert(2), of=ONE) == {**ONE, (2,): dict.fromkeys(COLUMNS)}
    assert after(upsert(1), of=ONE) == ONE


def test_of_two_upserts_the_columns_are_united_and_the_later_wins():
    assert after(upsert(1, a=1, b="x"), upsert(1, b="y", c=False)) == {
        (1,): {"a": 1, "b": "y", "c": False}
    }


def test_a_reset_makes_the_columns_it_does_not_touch_null():
    assert after(reset(1, b="y"), of=ONE) == {(1,): {"a": None, "b": "y", "c": None}}


def test_an_upsert_then_a_reset_is_the_reset():
    assert after(upsert(1, a=1, b="x"), reset(1, c=True)) == after(reset(1, c=True))


def test_an_erase_then_an_upsert_is_a_reset():
    assert after(erase(1), upsert(1, b="y"), of=ONE) == after(reset(1, b="y"), of=ONE)


def test_a_reset_then_an_upsert_is_a_reset_of_the_united_columns():
    assert after(reset(1, a=7), upsert(1, b="y"), of=ONE) == after(reset(1, a=7, b="y"), of=ONE)


def test_whatever_came_before_an_erase_is_gone():
    assert after(upsert(1, a=1), reset(1, b="y"), erase(1), of=ONE) == {}


def test_an_erase_of_a_key_that_is_not_there_changes_nothing():
    assert after(erase(2), of=ONE) == ONE


def test_every_row_has_its_columns_in_the_order_of_the_table():
    rows = after(upsert(1, c=True, a=1), reset(2, b="x"))
    assert [tuple(row) for row in rows.values()] == [COLUMNS, COLUMNS]


def a_model():
    """Two tables, three backups; the second table rests in the first incremental."""
    orders = ((upsert(1, a=1, b="x", c=None),), (upsert(1, b="y"), upsert(2, a=2)), (erase(1),))
    people = ((upsert(1, a=9, b="p", c=True),), None, (reset(1, a=8),))
    return Model(
        [
            TableHistory("orders", ("id",), COLUMNS, orders),
            TableHistory("people", ("id",), COLUMNS, people),
        ]
    )


def test_the_states_after_each_backup_are_kept_side_by_side():
    model = a_model()
    assert [model.rows_after(n)["orders"] for n in range(3)] == [
        {(1,): {"a": 1, "b": "x", "c": None}},
        {(1,): {"a": 1, "b": "y", "c": None}, (2,): {"a": 2, "b": None, "c": None}},
        {(2,): {"a": 2, "b": None, "c": None}},
    ]
    assert model.rows_after(1)["people"] == model.rows_after(0)["people"]
    assert model.rows_after(2)["people"] == {(1,): {"a": 8, "b": None, "c": None}}


def test_changes_are_counted_by_table_and_backup():
    model = a_model()
    assert [model.changes("orders", n) for n in range(3)] == [1, 2, 1]
    assert [model.changes("people", n) for n in range(3)] == [1, 0, 1]
    assert (model.last_incremental, model.columns("people")) == (2, COLUMNS)


@pytest.mark.parametrize("incremental", [-1, 3])
def test_a_state_that_there_is_not_is_a_mistake_of_ours(incremental):
    with pytest.raises(AssertionError, match="no backup"):
        a_model().rows_after(incremental)


def test_the_digest_depends_on_no_order():
    rows = {(1, "x"): {"a": 1, "b": None}, (2, "y"): {"a": None, "b": "z"}}
    turned = {(2, "y"): {"b": "z", "a": None}, (1, "x"): {"b": None, "a": 1}}
    assert state_digest(rows) == state_digest(turned) != 0
    assert state_digest({}) == 0


def test_digests_of_parts_add_up():
    parts = [{(number,): {"a": number}} for number in range(50)]
    whole = {key: row for part in parts for key, row in part.items()}
    assert state_digest(whole) == sum(state_digest(part) for part in parts) % (1 << 64)


@pytest.mark.parametrize(
    "other",
    [
        {(1,): {"a": 10, "b": "x", "c": 1}},
        {(1,): {"a": 10.0, "b": "x", "c": True}},
        {(1,): {"a": 10, "b": None, "c": True}},
        {(1,): {"a": 10, "b": "", "c": True}},
        {("1",): {"a": 10, "b": "x", "c": True}},
        {(1,): {"a": 10, "c": "x", "b": True}},
        {},
    ],
)
def test_the_digest_tells_rows_apart_that_differ_in_a_value_or_its_type(other):
    assert state_digest(other) != state_digest(ONE)
