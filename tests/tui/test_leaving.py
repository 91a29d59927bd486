"""Leaving a run whose engine is slow to end: it is said at once, and nobody has to wait."""

from __future__ import annotations

import signal

import pytest

from increstore.tui.playback.threaded import ThreadPlayback
from tests.tui.fixed import dashboard, run
from tests.tui.lingering import Lingering
from tests.tui.terminal import Terminal

LONG_S = 25.0
"""Longer than any of these tests may take."""


async def shown(d):
    """The screen, once the engine's first events are on it."""
    while "orders/t0" not in d.app.view.shards:
        await d.tick()


def test_leaving_shows_at_once_which_shard_makes_what_durable():
    engine = Lingering(LONG_S)

    async def go():
        async with dashboard(ThreadPlayback(engine)) as d:
            await shown(d)
            await d.press("q")
            text = await d.text()

            assert engine.told.is_set()
            assert "leaving: told to stop 0." in text
            assert "orders/t0: its final rows" in text
            assert "orders/t1" not in text.partition("leaving:")[2].partition("at once")[0]

            engine.let_go.set()
            while not d.app._has_left:
                await d.tick()
        assert (d.app.return_code, d.app.is_abandoned) == (0, False)

    run(go())


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
def test_who_leaves_again_does_not_wait(key):
    engine = Lingering(LONG_S)

    async def go():
        async with dashboard(ThreadPlayback(engine)) as d:
            await shown(d)
            await d.press("q", key)

            assert d.app._has_left
        assert (d.app.return_code, d.app.is_abandoned) == (0, True)

    try:
        run(go())
        assert engine.told.is_set()
    finally:
        engine.let_go.set()


def test_the_screen_below_goes_on_while_it_is_waited_for():
    engine = Lingering(LONG_S)

    async def go():
        async with dashboard(ThreadPlayback(engine)) as d:
            await shown(d)
            await d.press("q")
            d.app.leave_when_ended()
            before = len(d.app.history)
            d.app.playback._put(lingering_event())
            await d.tick()

            assert len(d.app.history) == before + 1
            assert "orders/t0" not in (await d.text()).partition("leaving:")[2].partition("q or")[0]
            engine.let_go.set()
            while not d.app._has_left:
                await d.tick()

    run(go())


def test_a_tick_before_the_new_screen_has_its_parts_ends_nothing():
    """A fortieth of a second is long enough for that, unless the machine is busy."""
    engine = Lingering(LONG_S)

    async def go():
        async with dashboard(ThreadPlayback(engine)) as d:
            await shown(d)
            d.app.leave(0)
            d.app.leave_when_ended()

            assert "leaving: told" in await d.text()
            engine.let_go.set()
            while not d.app._has_left:
                await d.tick()

    run(go())


def lingering_event():
    from tests.view.journals import an_event

    return an_event("target.finalized", target="orders/t0")


def test_a_second_ctrl_c_gives_the_terminal_back_and_ends_with_the_code_of_a_pause():
    with Terminal("tests.tui.lingering", str(LONG_S)) as terminal:
        terminal.wait_for("finalizing")
        terminal.press("\x03")
        terminal.wait_for("leaving: told")
        terminal.press("\x03")

        assert terminal.ends() == 7
        assert terminal.is_given_back()
        assert terminal.modes_are_back()
        assert "left at once; what was durable stays" in terminal.after
        assert "the engine has ended" not in terminal.after


def test_a_scenario_that_is_left_at_once_leaves_no_folder_behind(tmp_path):
    with Terminal("tests.tui.lingering", str(LONG_S), "scenario", TMPDIR=str(tmp_path)) as terminal:
        terminal.wait_for("finalizing")
        assert list(tmp_path.iterdir())
        terminal.press("q")
        terminal.wait_for("leaving: told")
        terminal.press("q")

        assert terminal.ends() == 0
        assert "left at once; the run has ended with it" in terminal.after
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["memory", "tcp"])
def test_leaving_a_scenario_on_real_nodes_leaves_no_folder_behind(tmp_path, mode):
    words = ["increstore", "watch", "scenarios/slow_target.toml", "--on", mode]
    with Terminal(*words, TMPDIR=str(tmp_path)) as terminal:
        terminal.wait_for("inc1")
        assert list(tmp_path.iterdir())
        terminal.press("qq")

        assert terminal.ends() == 0
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_ends_soon_is_waited_for():
    with Terminal("tests.tui.lingering", "0.5") as terminal:
        terminal.wait_for("finalizing")
        terminal.press("q")
        terminal.wait_for("leaving: told")

        assert terminal.ends() == 0
        assert terminal.is_given_back()
        assert "the engine has ended" in terminal.after


def test_a_window_that_is_closed_waits_for_the_engine_though_nothing_can_be_shown():
    with Terminal("tests.tui.lingering", "2") as terminal:
        terminal.wait_for("finalizing")
        terminal.hang_up()

        assert terminal.ends() == 128 + signal.SIGHUP


def test_a_second_signal_does_not_wait_either():
    with Terminal("tests.tui.lingering", str(LONG_S)) as terminal:
        terminal.wait_for("finalizing")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.wait_for("leaving: told")
        terminal.process.send_signal(signal.SIGTERM)

        assert terminal.ends() == 128 + signal.SIGTERM
        assert terminal.is_given_back()


def test_how_long_an_engine_ran_is_known_once_it_has_ended_and_stays():
    engine = Lingering(LONG_S)
    engine.let_go.set()
    playback = ThreadPlayback(engine)
    playback.start()
    assert playback.ran_s == 0.0

    playback.stop()
    ran_s = playback.ran_s

    assert 0.0 < ran_s < LONG_S
    playback.stop()
    assert playback.ran_s == ran_s
