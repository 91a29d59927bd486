"""What a test sees after a key is the answer to it, however many turns the answer takes."""

from __future__ import annotations

import time

from textual.app import App
from textual.widgets import Static

from tests.tui.fixed import run

TURNS = 40


class Roundabout(App):
    """Answers `x` after many turns of its loop, each of which gives way to everything else."""

    BINDINGS = (("x", "begin", "Begin"),)
    turns_left = TURNS

    def compose(self):
        yield Static("nothing was pressed")

    def action_begin(self):
        self.turns_left -= 1
        if self.turns_left:
            self.call_after_refresh(self.action_begin)
            self.query_one(Static).update(f"{self.turns_left} turns to go")
        else:
            self.query_one(Static).update("arrived")


def shown(app):
    return "".join(strip.text for strip in app.screen._compositor.render_strips())


def test_a_key_is_answered_when_the_last_of_many_turns_has_been_taken():
    async def go():
        async with Roundabout().run_test() as pilot:
            assert "nothing was pressed" in shown(pilot.app)

            await pilot.press("x")

            assert "arrived" in shown(pilot.app)

    run(go())


def test_a_slow_turn_is_no_rest():
    """A process that gets no core for a while uses no core either, and yet it is not done."""

    async def go():
        async with Roundabout().run_test() as pilot:
            pilot.app.call_later(lambda: time.sleep(0.03))

            await pilot.press("x")

            assert "arrived" in shown(pilot.app)

    run(go())


def test_another_size_is_that_of_the_screen_at_once():
    async def go():
        async with Roundabout().run_test(size=(80, 24)) as pilot:
            await pilot.resize_terminal(40, 10)

            assert pilot.app.screen.size == (40, 10)

    run(go())
