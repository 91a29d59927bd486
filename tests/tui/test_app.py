"""The app: it drains, paints what changed, and tells the source when it leaves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from increstore.errors import TargetRefused
from increstore.tui.look import Look
from increstore.tui.playback.simulated import SimPlayback
from increstore.tui.theme import DARK, LIGHT, style_of
from increstore.view.glyphs import ROLES
from tests.tui.fixed import FixedPlayback, dashboard, run
from tests.tui.terminal import Terminal
from tests.view.journals import SILENT, an_event, journal_of

HEALTHY = Path(__file__).parents[2] / "scenarios" / "healthy.toml"


# --- The tick.


def test_a_tick_takes_what_has_happened():
    async def go():
        playback = FixedPlayback(journal_of(SILENT)[1], a_tick=10)
        async with dashboard(playback) as d:
            assert d.app.view.events == 10
            await d.tick(3)
            assert d.app.view.events == 40

    run(go())


def test_the_source_is_started_once():
    async def go():
        playback = FixedPlayback()
        async with dashboard(playback) as d:
            await d.tick(3)
            assert playback.starts == 1

    run(go())


def test_nothing_is_painted_when_nothing_has_changed():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1])) as d:
            given = []
            d.app.screen.refresh_from = given.append
            await d.tick(5)
            assert given == []

            d.app.playback.feed([an_event("restore.resumed", at_s=9.0)])
            await d.tick(5)
            assert len(given) == 1

    run(go())


def test_a_past_that_is_looked_at_stays_while_the_world_goes_on():
    async def go():
        async with dashboard(FixedPlayback(journal_of(SILENT)[1], a_tick=50)) as d:
            d.app.look_at(20)
            await d.tick(3)

            assert d.app.view.events == 20
            assert len(d.app.history) > 100
            d.app.look_at(None)
            assert d.app.view is d.app.history.live

    run(go())


def test_another_past_is_painted_when_the_source_comes_with_one():
    async def go():
        playback = FixedPlayback(journal_of(SILENT)[1])
        async with dashboard(playback) as d:
            assert "paused: deadline" in await d.text()
            playback._history = playback._history.cut(5)
            await d.tick()

            assert d.app.view.events == 5
            assert "nothing is awaited yet" in await d.text()

    run(go())


def test_a_simulation_runs_to_its_end_on_the_screen():
    async def go():
        playback = SimPlayback.of_file(HEALTHY, speed=float("inf"))
        async with dashboard(playback) as d:
            while playback.status.state != "ended":
                await d.tick()
            await d.tick()
            text = await d.text()

            assert "ENDED" in text
            assert "■ completed" in text
            assert "as the scenario expects" in text
            assert d.app.view.state == "completed"

    run(go())


# --- Leaving.


def test_leaving_tells_the_source_once():
    async def go():
        playback = FixedPlayback()
        async with dashboard(playback) as d:
            d.app.leave(0)
            d.app.leave(143)
            d.app.tick()
            assert playback.stops == 1
        assert d.app.return_code == 0
        assert d.app.failure is None

    run(go())


@pytest.mark.parametrize("where", ["fails_to_start", "fails_to_stop"])
def test_what_the_source_failed_with_is_kept_for_whoever_opened_the_app(where):
    error = TargetRefused("in use")

    async def go():
        playback = FixedPlayback()
        setattr(playback, where, error)
        async with dashboard(playback, fails=True) as d:
            d.app.leave(0)
        assert d.app.failure is error
        assert playback.stops == 1

    run(go())


def test_going_back_needs_a_list_to_go_back_to():
    async def go():
        async with dashboard(FixedPlayback()) as d:
            await d.press("o")
            assert not d.app.goes_back
            assert d.notes() == ["there is no list to go back to: `increstore watch` shows one"]

    run(go())


# --- Colours.


@pytest.mark.parametrize("name", ["dark", "light"])
def test_a_theme_is_what_was_asked_for(name):
    async def go():
        async with dashboard(FixedPlayback(), theme=name) as d:
            assert d.app.theme == {"dark": DARK.name, "light": LIGHT.name}[name]

    run(go())


def contrast(style, background):
    """As WCAG defines it, 1 to 21."""

    def luminance(red, green, blue):
        parts = [part / 255 for part in (red, green, blue)]
        red, green, blue = (
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    ground = style.bgcolor.triplet if style.bgcolor else background
    one, other = luminance(*style.color.triplet), luminance(*ground)
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("is_dark", "ground"),
    [(True, (0x10, 0x14, 0x18)), (True, (0x20, 0x27, 0x2F)),
     (False, (0xFF, 0xFF, 0xFF)), (False, (0xE6, 0xE6, 0xE2))],
    ids=["dark", "dark bar", "light", "light bar"],
)  # fmt: skip
def test_every_role_can_be_read_on_its_background(role, is_dark, ground):
    assert contrast(style_of(role, is_dark=is_dark), ground) >= 4.5


def test_without_colours_only_weight_and_inversion_are_left():
    for role in ROLES:
        style = style_of(role, is_dark=True, has_colour=False)
        assert style.color is None
        assert style.bgcolor is None


def test_no_color_leaves_greys_alone():
    with Terminal(
        "increstore", "watch", "scenarios/silent_source.toml", "--speed", "flat-out", NO_COLOR="1"
    ) as terminal:
        terminal.wait_for("coordinator not notified")
        terminal.press("q")
        assert terminal.ends() == 0

        colours = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", terminal.output)
        assert colours
        assert all(max(map(int, one)) - min(map(int, one)) <= 3 for one in colours)


def test_a_terminal_that_knows_no_unicode_gets_ascii():
    with Terminal(
        "increstore", "watch", "scenarios/silent_source.toml", "--speed", "flat-out",
        PYTHONUTF8="0", PYTHONIOENCODING="ascii",
    ) as terminal:  # fmt: skip
        terminal.wait_for("coordinator not notified")
        terminal.press("q")

        assert terminal.ends() == 0
        assert terminal.output.isascii()


def test_the_look_is_what_is_asked_for():
    assert Look.here(is_ascii=True, theme="light").is_ascii
    assert Look.here(theme="light").theme == "light"
