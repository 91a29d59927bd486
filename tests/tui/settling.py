"""When a dashboard under test has done all that it was asked: no time has to pass for that."""

from __future__ import annotations

import asyncio
from typing import Any

from textual._context import active_app
from textual.app import App

PATIENCE_S = 30.0


async def settled(*_: float) -> None:
    """Wait until all that was asked of the app is done, down to the last update of its screen.

    Textual's pilot sleeps instead, until its process has used little of a core for 20 ms, three
    times a key: that would be most of the time of these tests. And on a loaded machine a process
    that is kept from its core looks idle, and the screen of before the key is taken for its answer.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_S
    while await _something_ran(loop) or _an_update_was_due(active_app.get()):
        assert loop.time() < until, f"the app is not at rest after {PATIENCE_S} s"


async def _something_ran(loop: Any) -> bool:
    """Give way twice; whether anything but this task was ready to run, or has become so."""
    for _ in range(2):  # The second time also what came from files and sockets is seen.
        await asyncio.sleep(0)
        if loop._ready:
            return True
    return False


def _an_update_was_due(app: App[Any]) -> bool:
    """Do now what Textual puts off by up to a sixtieth of a second, if there is anything."""
    if app._resize_timer is not None:
        app._check_resize()
        return True
    screens = app.screen_stack
    if screens and screens[-1]._update_timer._active.is_set():
        screens[-1]._on_timer_update()
        return True
    return False
