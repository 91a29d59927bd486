"""Where there is little room words are left out, and none is cut; the detail has all of them."""

from __future__ import annotations

import pytest

from increstore.scenario.live import TOLD_MAX
from increstore.tui.widgets.grid_title import StateCount, tell_counts
from increstore.tui.widgets.painting import by_words
from increstore.view.shards import HITS_TOLD_MAX
from tests.tui.fixed import FixedPlayback, dashboard, run
from tests.tui.test_overview import planned
from tests.view.journals import an_event

STATES = [
    StateCount("reported", "good", ("+", None), 11),
    StateCount("scanning", "busy", (">", None), 4),
    StateCount("crashed", "bad", ("x", None), 1),
    StateCount("done, not notified", "alarm", ("?", None), 2),
]


def titled(room):
    return "".join(text for text, _ in tell_counts(STATES, room))


def test_a_title_with_room_tells_states_as_they_come():
    assert titled(80) == "  + 11 reported  > 4 scanning  x 1 crashed  ? 2 done, not notified"


def test_a_title_without_room_tells_the_gravest_and_counts_the_others():
    assert titled(62) == "  ? 2 done, not notified  x 1 crashed  > 4 scanning  11 others"
    assert titled(55) == "  ? 2 done, not notified  x 1 crashed  15 others"
    assert titled(12) == "  18 others"
    assert titled(5) == ""


@pytest.mark.parametrize("room", range(60))
def test_a_title_is_never_wider_than_its_room(room):
    assert len(titled(room)) <= room


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [("one two three", 13, "one two three"), ("one two three", 12, "one two…"),
     ("one two three", 8, "one two…"), ("one two three", 7, "one…"), ("onetwothree", 6, "onetw…"),
     (" one two", 6, " one…"), ("one", 0, ""), ("", 0, ""), ("", -3, ""),
     ("one", -3, "")],
)  # fmt: skip
def test_words_are_left_out_whole(text, room, shown):
    assert by_words(text, room, is_ascii=False) == shown


def screen(events, *keys, size, selection=None):
    async def look():
        async with dashboard(FixedPlayback(events), size=size) as found:
            found.app.selection = selection
            found.app.repaint()
            await found.press(*keys)
            return await found.text()

    return run(look())


def sixty_sources():
    named = [f"orders/s{number}" for number in range(60)]
    asked = [
        an_event("scan.asked", source=name, incremental=0, attempt=1) for name in named
    ]  # fmt: skip
    crashed = [an_event("node.crashed", name) for name in named[::7]]
    ended = [
        an_event("message.sent", name, kind="CompletionNotification", to="coordinator",
                 incremental=0, attempt=1, status="success")
        for name in named[1::3]
    ]  # fmt: skip
    failed = [
        an_event("scan.reported", source=name, incremental=0, attempt=1, status="transient")
        for name in named[2::5]
    ]
    late = an_event("barrier.waits", at_s=9.0, says="-")
    return [planned(sources=60), *asked, *ended, *failed, *crashed, late]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (60, 24)])
def test_the_title_of_many_sources_is_whole_and_says_the_worst_first(size):
    lines = screen(sixty_sources(), size=size, selection="orders/s7").splitlines()
    (title,) = [line for line in lines if "sources 60" in line]

    assert "…" not in title.partition("╮")[0]
    assert "done, not notified" in title


LOST = {"kind": "CompletionNotification", "incremental": 2, "attempt": 1, "status": "success"}


def test_the_reason_of_a_loss_is_whole_on_eighty_columns():
    events = [
        planned(),
        an_event("message.sent", "orders/s1", to="coordinator", **LOST),
        an_event("message.lost", "orders/s1", at_s=0.1, to="coordinator", **LOST,
                 why="drop on orders/s1"),
    ]  # fmt: skip

    for size in ((80, 24), (120, 36)):
        (line,) = [line for line in screen(events, "m", size=size).splitlines() if "LOST" in line]
        assert "Completion" in line
        assert "LOST: drop on orders/s1" in line


def test_why_something_failed_is_told_before_what_there_is_no_room_for():
    failed = an_event("page.failed", "orders/s1", incremental=12, source="orders/s1", attempt=1,
                      page=17, error="the page cannot be read")  # fmt: skip

    narrow = screen([planned(), failed], size=(80, 24))
    wide = screen([planned(), failed], size=(160, 40))

    assert "error=the page cannot be read" in narrow
    assert "page=17 error=the page cannot be read" in wide


def test_strikes_beyond_those_told_one_by_one_are_not_said_to_be_a_hundred():
    strike = {"fault": "storm", "kind": "drop", "where": "orders/s1>coordinator"}
    events = [an_event("fault.injected", "scenario", **strike) for _ in range(HITS_TOLD_MAX)]
    over = an_event("fault.ended", "scenario", fault="storm", detail="healed; 2431 strikes")

    assert HITS_TOLD_MAX == TOLD_MAX
    assert "storm drop x99 " in screen([planned(), *events[1:]], size=(80, 24))
    assert "storm drop x100+ " in screen([planned(), *events], size=(80, 24))
    assert "healed; 2431 strikes" in screen([planned(), *events, over], "5", size=(80, 24))


def test_a_fault_is_told_in_whole_words_beside_the_shards():
    detail = "CompletionNotification of an incremental"
    fault = an_event("fault.injected", "scenario", fault="a", kind="drop",
                     where="a_long_name/s1>coordinator", detail=detail)  # fmt: skip

    beside = screen([planned(), fault], size=(120, 36))
    in_full = screen([planned(), fault], "5", size=(160, 36))

    assert " s1>coordinator" in beside
    assert detail not in beside
    assert "CompletionNotifi…" not in beside
    assert detail in in_full
