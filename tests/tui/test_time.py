"""Time: of the world (pause, step, speed, fork) and of the view (freeze, scrub)."""

from __future__ import annotations

import pytest

from increstore.scenario.load import parse_scenario
from increstore.tui.playback import seam
from increstore.tui.playback.simulated import SimPlayback
from tests.tui.fixed import FixedPlayback, dashboard, run
from tests.view.journals import HEADER, SILENT, STORM, journal_of

EVENTS = journal_of(STORM)[1]


def told(*keys, can=None):
    """The commands that these keys have given."""

    async def look():
        playback = FixedPlayback(EVENTS) if can is None else FixedPlayback(EVENTS, can=can)
        async with dashboard(playback) as found:
            await found.press(*keys)
        return playback.commands

    return run(look())


@pytest.mark.parametrize(
    ("keys", "commands"),
    [
        (["space"], [seam.Pause()]),
        (["space", "space"], [seam.Pause(), seam.Resume()]),
        (["s"], [seam.Step("event")]),
        (["S"], [seam.Step("notification")]),
        (["plus"], [seam.Speed(2.0)]),
        (["minus"], [seam.Speed(0.5)]),
        (["plus", "0"], [seam.Speed(2.0), seam.Speed(1.0)]),
        (["exclamation_mark"], [seam.Speed(seam.FLAT_OUT)]),
        (["H"], [seam.Heal(None)]),
    ],
)
def test_keys_move_the_world(keys, commands):
    assert told(*keys) == commands


@pytest.mark.parametrize(
    ("typed", "commands"),
    [
        ("pause", [seam.Operate("pause")]),
        ("CANCEL", [seam.Operate("cancel")]),
        ("cap 4", [seam.Operate("cap", 4)]),
        ("cap", []),
        ("destroy", []),
    ],
)
def test_the_restore_itself_is_told_what_was_typed_in_full(typed, commands):
    keys = ["space" if letter == " " else letter for letter in typed]

    assert told("P", *keys, "enter") == commands
    assert told("P", *keys, "escape") == []


def test_a_restore_that_is_only_looked_at_is_told_nothing():
    assert told("P", can={"pause"}) == []


def scrubbed(*keys):
    """How many events the painted view has seen after these keys; None: live."""

    async def look():
        async with dashboard(FixedPlayback(EVENTS)) as found:
            await found.press(*keys)
            return found.app.history_index, found.app.view.events, await found.text()

    return run(look())


def test_scrubbing_shows_the_view_of_that_moment_and_says_so():
    index, events, screen = scrubbed("comma", "comma")

    assert index == events == len(EVENTS) - 2
    assert "PAST" in screen
    assert f"event {index}".replace(",", " ") in screen.replace(" ", " ") or str(index) in screen


def test_forward_from_the_end_of_the_past_is_the_present():
    assert scrubbed("comma", "full_stop")[0] is None
    assert scrubbed("comma", "G")[0] is None
    assert scrubbed("comma", "escape")[0] is None


def test_brackets_go_from_trouble_to_trouble():
    index = scrubbed("left_square_bracket")[0]
    earlier = scrubbed("left_square_bracket", "left_square_bracket")[0]
    back = scrubbed("left_square_bracket", "left_square_bracket", "right_square_bracket")[0]

    assert earlier < index == back


def test_a_moment_is_gone_to_by_its_number_or_its_time():
    assert scrubbed("ctrl+g", "number_sign", "4", "2", "enter")[0] == 42
    at_one_second = scrubbed("ctrl+g", "1", ".", "0", "enter")[0]
    assert 0 < at_one_second < len(EVENTS)


def test_nonsense_to_go_to_is_answered_and_changes_nothing():
    async def look():
        async with dashboard(FixedPlayback(EVENTS)) as found:
            await found.press("ctrl+g", "x", "enter")
            return found.app.history_index, found.notes()

    index, notes = run(look())

    assert index is None
    assert any("expected seconds" in note for note in notes)


def test_a_frozen_view_stands_still_while_the_world_goes_on():
    async def look():
        playback = FixedPlayback(EVENTS, a_tick=200)
        async with dashboard(playback) as found:
            await found.press("v")
            before = found.app.view.events
            await found.tick(2)
            frozen, total = found.app.view.events, len(playback.history())
            await found.press("v")
            return before, frozen, total, found.app.view.events

    before, frozen, total, live = run(look())

    assert before == frozen == 200
    assert total == live == 600


def test_going_on_from_the_past_seeks_where_the_source_can():
    assert told("comma", "space") == [seam.Seek(index=len(EVENTS) - 1), seam.Resume()]
    assert told("comma", "space", can={"pause"}) == []


def a_simulation(text=""):
    scenario = parse_scenario(HEADER + text, "test")
    return SimPlayback(scenario, 0, speed=seam.FLAT_OUT)


def test_a_fork_from_a_past_moment_goes_on_from_there():
    async def look():
        playback = a_simulation(SILENT)
        async with dashboard(playback) as found:
            await found.tick(30)
            ended = found.app.view.state
            await found.press("ctrl+g", "number_sign", "2", "0", "enter", "F")
            await found.tick(2)
            return ended, found.app.view.events, found.app.view.state

    ended, events, state = run(look())

    assert ended == "paused"
    assert events == 20
    assert state == "running"
