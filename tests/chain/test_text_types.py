"""The type of a column of text is what all its values plainly are, however they are parted."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from increstore.chain.text_types import TypeGuess

SOME_TEXTS = st.sampled_from([
    None, "", "0", "-7", "12", "007", "+1", "2.5", "1e3", "1e400", "0.10", "x", "true", "False",
    "9999999999999999", "10000000000000000", "-10000000000000000", "9223372036854775807",
    "9223372036854775808", "0.12345678901234567", "0.123456789012345678", "2024-02-29",
    "2023-02-29", "2024-02-29 12:00:00", "2024-02-29T12:00:00Z",
])  # fmt: skip


def guessed(parts: list[list[str | None]], *, is_key: bool) -> pa.DataType:
    guess = TypeGuess(is_key=is_key)
    for part in parts:
        guess.watch(pa.chunked_array([pa.array(part, pa.string())]))
    return guess.type


@given(parts=st.lists(st.lists(SOME_TEXTS, max_size=4), max_size=5), is_key=st.booleans())
@example(parts=[["10000000000000000"], ["0.5"]], is_key=False)
@example(parts=[["9223372036854775808"], ["0.5"]], is_key=False)
@example(parts=[["1"], ["1e400"], ["2"]], is_key=False)
def test_a_guess_does_not_depend_on_how_the_values_are_parted(parts, is_key):
    whole = [value for part in parts for value in part]
    assert guessed(parts, is_key=is_key) == guessed([whole], is_key=is_key)
    assert guessed(parts[::-1], is_key=is_key) == guessed([whole], is_key=is_key)


def test_integers_become_numbers_when_one_has_a_fraction_but_only_without_loss():
    assert guessed([["1"], ["2"], ["0.5"]], is_key=False) == pa.float64()
    assert guessed([["10000000000000000"], ["2"]], is_key=False) == pa.int64()
    assert guessed([["10000000000000000"], ["0.5"]], is_key=False) == pa.string()
    assert guessed([["1"], ["0.5"]], is_key=True) == pa.string()


def test_what_was_doubtful_once_stays_text():
    assert guessed([["1"], ["x"], ["1"]], is_key=False) == pa.string()
    assert guessed([["2023-02-29"], ["2024-02-29"]], is_key=False) == pa.string()
    assert guessed([[None], [""], ["5"], [None]], is_key=False) == pa.int64()
