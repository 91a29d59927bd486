"""Reading ahead, in order, within memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from increstore.protocol.pages import PagesAhead
from increstore.protocol.ready import PageFailed, PageRead

from .builders import a_batch, scan_id


def a_page(number, last=False, size=7) -> PageRead:
    return PageRead(scan_id(), number, 3, (a_batch(payload=b"x" * size),), last)


def pages_after_the_first(ahead_max, bytes_max, size=7) -> PagesAhead:
    pages = PagesAhead(ahead_max, bytes_max)
    pages.next_to_ask(0)
    pages.arrive(a_page(0, size=size))
    pages.take()
    return pages


def asked(pages, bytes_held=0) -> list[int]:
    numbers = []
    while (number := pages.next_to_ask(bytes_held)) is not None:
        numbers.append(number)
    return numbers


def test_only_a_few_pages_are_asked_for_ahead():
    pages = pages_after_the_first(ahead_max=2, bytes_max=1000)

    assert asked(pages) == [1, 2]
    pages.arrive(a_page(1))
    pages.take()
    assert asked(pages) == [3]


def test_nothing_is_read_ahead_of_the_first_page_which_may_be_the_last():
    """A small scan is one page: asking for a second one opened its files for nothing."""
    pages = PagesAhead(ahead_max=2, bytes_max=1000)

    assert asked(pages) == [0]
    pages.arrive(a_page(0, last=True))
    pages.take()
    assert asked(pages) == []


def test_no_page_is_asked_for_while_too_many_bytes_are_held():
    """R2, R3: a full queue is backpressure."""
    pages = pages_after_the_first(ahead_max=2, bytes_max=100, size=0)

    assert asked(pages, bytes_held=100) == []
    assert asked(pages, bytes_held=99) == [1, 2]


def test_pages_on_their_way_count_as_large_as_the_largest_seen():
    pages = pages_after_the_first(ahead_max=4, bytes_max=100, size=40)

    assert asked(pages, bytes_held=40) == [1, 2]


def test_one_page_is_always_allowed_when_nothing_is_held():
    pages = pages_after_the_first(ahead_max=2, bytes_max=1, size=500)

    assert asked(pages, bytes_held=0) == [1]


@given(st.permutations(range(1, 7)), st.lists(st.integers(0, 6)))
def test_pages_count_in_order_and_once_however_they_arrive(arrivals, doubled):
    pages = pages_after_the_first(ahead_max=6, bytes_max=1000)
    asked(pages)
    taken = []
    for number in [*arrivals, *doubled]:
        pages.arrive(a_page(number))
        while (page := pages.take()) is not None:
            taken.append(page.page)

    assert taken == [1, 2, 3, 4, 5, 6]


def test_whatever_is_answered_for_a_page_beyond_the_last_is_ignored():
    pages = pages_after_the_first(ahead_max=2, bytes_max=1000)
    asked(pages)
    pages.arrive(PageFailed(scan_id(), 2, transient=False, error="there is no such page"))
    pages.arrive(a_page(1, last=True))

    assert pages.take() == a_page(1, last=True)
    assert pages.take() is None
    assert pages.ended
    assert asked(pages) == []
