"""The list of scenarios: searched, described, and left with a choice."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from increstore.tui.look import Look
from increstore.tui.picker import PickerApp
from increstore.tui.screens.picker import Choice
from tests.tui.fixed import run

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
LOST = next(path for path in SCENARIOS if path.stem == "lost_notification")


@asynccontextmanager
async def a_list(paths=SCENARIOS, *, seed=None, first=LOST, size=(80, 24), look=None):
    app = PickerApp(paths, look=look or Look(), seed=seed, first=first)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def text_of(app):
    return "".join(f"{strip.text.rstrip()}\n" for strip in app.screen._compositor.render_strips())


async def press(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


def choice_after(*keys, **options):
    found = []

    async def go():
        async with a_list(**options) as (app, pilot):
            await press(pilot, *keys)
        found.append(app.choice)

    run(go())
    return found[0]


def test_enter_runs_the_scenario_at_hand():
    assert choice_after("enter") == Choice(LOST, None)


def test_p_runs_it_paused():
    assert choice_after("p") == Choice(LOST, None, is_paused=True)


@pytest.mark.parametrize("key", ["q", "escape", "ctrl+c", "ctrl+q"])
def test_who_leaves_chooses_nothing(key):
    assert choice_after(key) is None


def test_the_seed_that_is_typed_is_the_seed_that_runs():
    assert choice_after("e", *"1310", "enter", "enter") == Choice(LOST, 1310)


def test_the_seed_of_the_command_line_stays_until_it_is_taken_away():
    assert choice_after("enter", seed=7) == Choice(LOST, 7)
    assert choice_after("e", "backspace", "enter", "enter", seed=7) == Choice(LOST, None)


def test_what_is_no_seed_is_refused():
    async def go():
        async with a_list() as (app, pilot):
            await press(pilot, "e", "x", "enter")

            notes = [note.message for note in app._notifications]
            assert notes == ["expected a number such as 7, got 'x'"]

    run(go())


def test_arrows_and_letters_go_through_the_list():
    after = SCENARIOS[SCENARIOS.index(LOST) + 1]

    assert choice_after("down", "enter").path == after
    assert choice_after("j", "j", "k", "enter").path == after


def test_a_search_finds_names_titles_reasons_and_faults():
    async def go():
        async with a_list(size=(100, 30)) as (app, pilot):
            await press(pilot, "slash", *"usurp")
            assert "usurped_coordinator" in text_of(app)
            assert f"of {len(SCENARIOS)} scenarios" in text_of(app)
            assert "lost_notification" not in text_of(app)

            await press(pilot, "escape")
            assert f"{len(SCENARIOS)} of {len(SCENARIOS)} scenarios" in text_of(app)

    run(go())


def test_letters_in_the_search_are_letters():
    async def go():
        async with a_list() as (app, pilot):
            await press(pilot, "slash", *"seq/pej")

            assert app.screen.query_one("#search").value == "seq/pej"

    run(go())


def test_enter_in_the_search_goes_to_the_list_and_enter_there_runs():
    assert choice_after("slash", *"usurped", "enter", "enter").path.stem == "usurped_coordinator"


def test_a_search_without_a_result_says_so_and_runs_nothing():
    async def go():
        async with a_list() as (app, pilot):
            await press(pilot, "slash", *"zzzz", "enter", "enter", "p")
            assert "no scenario matches" in text_of(app)
            assert app.choice is None
            assert app.is_running

    run(go())


def test_the_scenario_at_hand_is_described():
    async def go():
        async with a_list(size=(140, 36)) as (app, _):
            text = text_of(app)

            for told in (
                "The completion notification is lost twice",
                "The side that waits asks again",
                "0..9 (the file's)",
                "simulation, memory, tcp",
                "2 sources, 2 targets",
                "40 rows, 3 incrementals",
                "lost: drop",
                "message CompletionNotification",
                "completed within 5s of the heal",
            ):
                assert told in text

    run(go())


def test_every_shipped_scenario_can_be_described():
    async def go():
        async with a_list(first=SCENARIOS[0]) as (app, pilot):
            for path in SCENARIOS:
                assert app.screen.highlighted == str(path)
                assert "! " not in text_of(app).splitlines()[1]
                await press(pilot, "down")

    run(go())


def test_a_file_that_is_no_scenario_is_listed_with_its_mistakes_and_not_run(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text('format = 1\ntitle = "t"\n[[fault]]\nkind = "dorp"\n')

    async def go():
        async with a_list([bad, LOST], first=bad) as (app, pilot):
            text = text_of(app)
            assert "!bad" in text
            assert "not a scenario that can be run" in text
            assert "dorp" in text

            await press(pilot, "enter")
            assert app.is_running
            assert app.choice is None

    run(go())


def test_a_click_chooses_and_a_second_one_runs():
    async def go():
        async with a_list(first=SCENARIOS[0]) as (app, pilot):
            await pilot.click("#scenarios", offset=(5, 3))
            await pilot.pause()
            assert app.screen.highlighted == str(SCENARIOS[3])
            assert app.is_running

            await pilot.click("#scenarios", offset=(5, 3), times=2)
            await pilot.pause()
        assert app.choice == Choice(SCENARIOS[3], None)

    run(go())


def test_a_long_name_takes_one_line_of_the_list(tmp_path):
    names = ["a" * 60, "b"]
    paths = [tmp_path / f"{name}.toml" for name in names]
    for path in paths:
        path.write_text(LOST.read_text())

    async def go():
        async with a_list(paths, first=paths[0]) as (app, pilot):
            await pilot.click("#scenarios", offset=(5, 1))
            await pilot.pause()
            assert app.screen.highlighted == str(paths[1])

    run(go())


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)], ids=str)
def test_the_list_fits_any_screen(size):
    async def go():
        async with a_list(size=size) as (app, _):
            lines = text_of(app).splitlines()

            assert "lost_notification" in text_of(app)
            assert lines[-1].startswith(" Enter run")

    run(go())


def test_the_list_in_ascii_is_ascii():
    async def go():
        async with a_list(look=Look(is_ascii=True)) as (app, pilot):
            assert text_of(app).isascii()
            await press(pilot, "e")
            assert text_of(app).isascii()

    run(go())
