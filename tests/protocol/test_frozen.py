from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.protocol.frozen import draft_of, frozen, maker_of


@frozen
class Point:
    """A place."""

    x: int
    y: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class PlainPoint:
    """A place."""

    x: int
    y: int
    label: str = ""


@frozen
class Nothing:
    pass


def test_a_frozen_value_can_be_neither_changed_nor_extended():
    point = Point(1, 2)

    with pytest.raises(FrozenInstanceError):
        point.x = 3
    with pytest.raises(FrozenInstanceError):
        del point.x
    with pytest.raises((FrozenInstanceError, TypeError)):  # As of any dataclass with slots.
        point.z = 3
    assert point == Point(1, 2)
    assert not hasattr(point, "__dict__")


_points = st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["", "a"]))


@given(_points, _points)
def test_it_is_what_a_frozen_dataclass_with_slots_is(one, other):
    assert type(Point(*one)) is Point
    assert (Point(*one) == Point(*other)) == (PlainPoint(*one) == PlainPoint(*other))
    assert hash(Point(*one)) == hash(PlainPoint(*one))
    assert repr(Point(*one)) == repr(PlainPoint(*one)).replace("PlainPoint", "Point")
    assert dataclasses.astuple(Point(*one)) == one
    assert Point(*one) != PlainPoint(*one)


def test_fields_are_given_by_place_or_name_and_may_have_defaults():
    assert Point(1, y=2) == Point(label="", y=2, x=1)
    assert Nothing() == Nothing()
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required"):
        Point(1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1, 2, z=3)


def test_it_can_be_matched_replaced_copied_and_pickled():
    point = Point(1, 2, "here")

    match point:
        case Point(x, y, label=label):
            assert (x, y, label) == (1, 2, "here")
        case _:
            pytest.fail("the fields are not matched by place")
    assert replace(point, x=5) == Point(5, 2, "here")
    assert copy.copy(point) == copy.deepcopy(point) == point
    again = pickle.loads(pickle.dumps(point))
    assert again == point
    with pytest.raises(FrozenInstanceError):
        again.x = 3


def test_a_maker_makes_the_same_values_and_they_are_frozen_too():
    made = maker_of(Point)(1, 2, "here")

    assert type(made) is Point
    assert made == Point(1, 2, "here")
    with pytest.raises(FrozenInstanceError):
        made.x = 3


def test_a_class_that_checks_its_fields_cannot_be_made_by_a_draft():
    class Checked:
        __slots__ = ("x",)

        def __post_init__(self) -> None:
            raise ValueError

    with pytest.raises(AssertionError, match="would become a Checked unchecked"):
        draft_of(Checked)


def test_a_class_whose_defaults_are_made_anew_each_time_is_refused():
    with pytest.raises(AssertionError, match="items has a factory"):

        @frozen
        class Bag:
            items: list = dataclasses.field(default_factory=list)


def test_a_class_is_compiled_once_and_not_once_a_method():
    """What declaring it takes; a restore declares fifty before it begins."""
    code = """
import sys
from dataclasses import dataclass
from increstore.protocol.frozen import frozen
compiled = []
sys.addaudithook(lambda event, _: compiled.append(event) if event == "exec" else None)
for decorate in frozen, dataclass(frozen=True, slots=True):
    compiled.clear()
    @decorate
    class Value:
        __annotations__ = {"x": "int", "y": "int"}
    print(len(compiled))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours, theirs = map(int, told.stdout.split())
    assert ours == 1 < theirs
