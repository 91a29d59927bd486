"""Where the cells of a grid lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.tui.widgets.grid_layout import NARROW, WIDE, WIDEST, lay_out

TABLES = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 60)), min_size=1, max_size=6)


def test_few_shards_have_wide_cells_that_share_the_line():
    layout = lay_out([("orders", 3)], 78, 4)

    assert layout.label == 0
    assert layout.cell == 78 // 3


def test_a_lone_shard_does_not_fill_the_line():
    assert lay_out([("orders", 1)], 200, 4).cell == WIDEST


def test_cells_shrink_before_anything_is_scrolled():
    widths = [lay_out([("orders", number)], 78, 4).cell for number in (4, 16, 17, 52, 53, 156)]

    assert widths == [19, 19, 6, 6, NARROW, NARROW]


def test_a_thousand_shards_are_scrolled():
    layout = lay_out([("orders", 1000)], 78, 4)

    assert layout.cell == NARROW
    assert len(layout.rows) == 26


def test_names_of_four_letters_are_not_cut():
    assert lay_out([("orders", 40)], 78, 4, name_width=4).cell == 7


def test_each_table_begins_a_line_with_its_name():
    layout = lay_out([("orders", 6), ("people", 2)], 78, 4)

    assert [row.label for row in layout.rows] == ["orders", "", "people"]
    assert [(row.start, row.stop) for row in layout.rows] == [(0, 4), (4, 6), (6, 8)]
    assert layout.label == len("orders") + 1


def test_tables_that_are_too_many_for_lines_of_their_own_follow_one_another():
    layout = lay_out([(f"table_{number}", 2) for number in range(6)], 78, 4)

    assert layout.label == 0
    assert layout.cell >= WIDE
    assert len(layout.rows) == 3


def test_no_shards_have_no_lines():
    assert lay_out([], 78, 4).rows == ()


@given(tables=TABLES, width=st.integers(20, 240), rows_max=st.integers(3, 20))
def test_every_shard_has_one_cell_and_is_found_there(tables, width, rows_max):
    layout = lay_out(tables, width, rows_max)
    places = [place for row in layout.rows for place in range(row.start, row.stop)]

    assert places == list(range(sum(number for _, number in tables)))
    for number, row in enumerate(layout.rows):
        for place in range(row.start, row.stop):
            left = layout.label + (place - row.start) * layout.cell
            assert layout.at(number, left) == place
            assert layout.at(number, left + layout.cell - 1) == place
            assert layout.row_of(place) == number
            assert left + layout.cell <= max(width, layout.label + layout.cell)


@given(tables=TABLES, width=st.integers(20, 240), data=st.data())
def test_arrows_reach_a_neighbour_or_stay(tables, width, data):
    layout = lay_out(tables, width, 6)
    total = sum(number for _, number in tables)
    place = data.draw(st.integers(0, total - 1))
    for right, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        there = layout.neighbour(place, right, down)
        assert 0 <= there < total
        assert abs(layout.row_of(there) - layout.row_of(place)) <= 1


def test_beside_the_cells_there_is_nobody():
    layout = lay_out([("a", 2), ("b", 1)], 78, 4)

    assert layout.at(0, 0) is None
    assert layout.at(1, layout.label + layout.cell) is None
    assert layout.at(2, 10) is None
    with pytest.raises(ValueError, match="place 3"):
        layout.row_of(3)
