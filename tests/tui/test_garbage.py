"""Whatever is typed into a prompt, it is answered, and the dashboard goes on."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import pytest

from increstore.scenario.load import parse_scenario
from increstore.tui.playback.simulated import SimPlayback
from tests.tui.fixed import FixedPlayback, dashboard, run
from tests.tui.test_overview import planned
from tests.view.journals import HEADER, an_event


async def type_in(d, key, text):
    """Open the prompt of this key, and answer it with this text."""
    await d.press(key)
    d.app.screen.query_one("#answer").value = text
    await d.press("enter")
    await d.tick()


def a_simulation():
    return SimPlayback(parse_scenario(HEADER, "test"), 0, name="test", speed=1.0)


@pytest.mark.parametrize("typed", ["inf", "-inf", "nan", "1e999", "#", "#x", "0x1", "\x1b[2J"])
def test_a_moment_that_is_none_is_answered(typed):
    async def go():
        async with dashboard(FixedPlayback([planned()])) as d:
            await type_in(d, "ctrl+g", typed)

            (note,) = d.notes()
            assert note.startswith("expected seconds such as 12.5")

    run(go())


@pytest.mark.parametrize("typed", ["-5", "1e300", "#-7", "#99999999999999999999999"])
def test_a_moment_out_of_reach_is_the_nearest_there_is(typed):
    async def go():
        async with dashboard(FixedPlayback([planned()] * 3)) as d:
            await type_in(d, "ctrl+g", typed)

            assert d.app.shown_events == (0 if "-" in typed else 3)

    run(go())


UNWRITABLE = ["~nobody-of-this-name/x", "/proc/nope/x", "x" * 300, "a/b/c"]


@pytest.mark.parametrize("typed", UNWRITABLE)
@pytest.mark.parametrize("key", ["ctrl+s", "e"])
def test_a_file_that_cannot_be_written_is_named_and_nothing_ends(key, typed, tmp_path):

    async def go():
        async with dashboard(a_simulation()) as d:
            await d.tick(3)
            await type_in(d, key, typed)

            (note,) = d.notes()
            assert "cannot be written" in note

    with chdir(tmp_path):
        run(go())
    assert [*tmp_path.iterdir()] == []


def test_what_cannot_be_written_as_text_is_exported_all_the_same(tmp_path):
    path = tmp_path / "events.jsonl"

    async def go():
        events = [planned(), an_event("a.name", "node", error="half \ud83d")]
        async with dashboard(FixedPlayback(events)) as d:
            await type_in(d, "e", str(path))

            assert d.notes() == [f"written: {path}"]

    run(go())
    assert "half \\ud83d" in Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("typed", ["cap 0", "cap 99999999999999999999999", "cap -1", "stop", "cap"])
def test_a_word_that_no_coordinator_knows_is_answered(typed):
    async def go():
        async with dashboard(a_simulation()) as d:
            await d.tick()
            await type_in(d, "P", typed)

            assert d.notes()
            assert not d.app._has_left

    run(go())


@pytest.mark.parametrize(
    "typed", ["!", "!!", "node:", "kind:!", "inc:x", "[[(*", "inc:-1", "  ", "\\"]
)
def test_any_filter_is_taken_as_text(typed):
    async def go():
        async with dashboard(a_simulation()) as d:
            await d.tick(3)
            await type_in(d, "/", typed)
            await d.press("n", "N", "m", "l", "escape", "z", "1")

            assert not d.app._has_left

    run(go())
