from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.scenario import values as v

DURATIONS = st.integers(-(10**18), 10**18)
RATES = st.integers(0, v.RATE_WHOLE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250ms", 250_000_000),
        ("3s", 3_000_000_000),
        ("1.5s", 1_500_000_000),
        ("2m", 120_000_000_000),
        ("-1h", -3_600_000_000_000),
        ("200us", 200_000),
        ("7ns", 7),
        ("3 s", 3_000_000_000),
        ("0", 0),
    ],
)
def test_a_duration_is_a_whole_number_of_nanoseconds(text, value):
    assert v.parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "3", "s", "3 seconds", "1e3s", "3S", "--3s", "٣s", "0.3ns"])
def test_what_is_no_duration_is_refused_with_what_was_found(text):
    with pytest.raises(ValueError, match=r"expected a (duration such as|whole number)") as error:
        v.parse_duration(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(("text", "value"), [("5%", 5_000), ("0.5%", 500), ("100%", 100_000)])
def test_a_rate_is_parts_of_a_hundred_thousand(text, value):
    assert v.parse_rate(text) == value


@pytest.mark.parametrize("text", ["5", "0.5", "-5%", "100.1%", "0.0001%", "five%"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="expected a"):
        v.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "value"), [("64KB", 64_000), ("1MiB", 1 << 20), ("1.5MB", 1_500_000), ("9B", 9)]
)
def test_a_size_is_bytes(text, value):
    assert v.parse_size(text) == value


@pytest.mark.parametrize("text", ["64", "64K", "0.5B", "-1KB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="expected a"):
        v.parse_size(text)


@pytest.mark.parametrize(
    ("parse", "text", "span"),
    [
        (v.parse_duration_span, "1ms..20ms", v.Span(1_000_000, 20_000_000)),
        (v.parse_duration_span, "3s", v.exactly(3_000_000_000)),
        (v.parse_duration_span, "-1s..1s", v.Span(-1_000_000_000, 1_000_000_000)),
        (v.parse_rate_span, "0..5%", v.Span(0, 5_000)),
        (v.parse_rate_span, "1%..5%", v.Span(1_000, 5_000)),
        (v.parse_rate_span, "2%", v.exactly(2_000)),
        (v.parse_seeds, "0..9", v.Span(0, 9)),
        (v.parse_seeds, "7", v.exactly(7)),
    ],
)
def test_a_range_has_both_its_ends(parse, text, span):
    assert parse(text) == span


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (v.parse_duration_span, "20ms..1ms"),
        (v.parse_duration_span, "1..20ms"),
        (v.parse_rate_span, "5%..1%"),
        (v.parse_rate_span, "..5%"),
        (v.parse_seeds, "9..0"),
        (v.parse_seeds, "-1"),
        (v.parse_seeds, "1.."),
    ],
)
def test_a_range_that_is_none_is_refused(parse, text):
    with pytest.raises(ValueError, match="expected"):
        parse(text)


@given(DURATIONS)
def test_a_duration_is_read_as_it_was_written(value):
    assert v.parse_duration(v.show_duration(value)) == value


@given(RATES)
def test_a_rate_is_read_as_it_was_written(value):
    assert v.parse_rate(v.show_rate(value)) == value


@given(st.integers(0, 10**15))
def test_a_size_is_read_as_it_was_written(value):
    assert v.parse_size(v.show_size(value)) == value


@given(st.tuples(DURATIONS, DURATIONS), st.tuples(RATES, RATES))
def test_a_range_is_read_as_it_was_written(durations, rates):
    durations, rates = v.Span(*sorted(durations)), v.Span(*sorted(rates))
    assert v.parse_duration_span(v.show_duration_span(durations)) == durations
    assert v.parse_rate_span(v.show_rate_span(rates)) == rates
    assert v.parse_seeds(v.show_seeds(rates)) == rates


@pytest.mark.parametrize(
    ("value", "text"), [(1_500_000_000, "1500ms"), (60_000_000_000, "1m"), (0, "0s")]
)
def test_a_duration_is_written_in_its_largest_whole_unit(value, text):
    assert v.show_duration(value) == text
