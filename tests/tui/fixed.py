"""A source that plays given events when it is told to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from increstore.tui.app import WatchApp
from increstore.tui.playback import seam
from increstore.view.history import History

EVERYTHING = frozenset(seam.ABILITIES.values())


class FixedPlayback:
    """Gives `events` tick by tick, `a_tick` of them each time; all that it is told is kept."""

    def __init__(
        self, events=(), *, can=EVERYTHING, title="a fixed run", a_tick=1_000_000, **status
    ):
        self.can = frozenset(can)
        self.title = title
        self.commands = []
        self.starts = 0
        self.stops = 0
        self.fails_to_start = None
        self.fails_to_stop = None
        self.state = "running"
        self.speed = 1.0
        self.status_facts = status
        self.answer = seam.CommandResult(True, "")
        self._coming = list(events)
        self._a_tick = a_tick
        self._history = History()

    @property
    def status(self):
        facts = {"state": self.state, "speed": self.speed, "events": len(self._history)}
        return seam.PlaybackStatus(**(facts | self.status_facts))

    def feed(self, events):
        """Let these come as well."""
        self._coming.extend(events)

    def history(self):
        return self._history

    def start(self):
        self.starts += 1
        if self.fails_to_start is not None:
            raise self.fails_to_start

    def drain(self, limit=seam.DRAIN_EVENTS_MAX, budget_ns=seam.DRAIN_BUDGET_NS):
        number = min(limit, self._a_tick)
        given, self._coming = self._coming[:number], self._coming[number:]
        for event in given:
            self._history.append(event)
        return given

    def command(self, command):
        self.commands.append(command)
        if seam.ABILITIES[type(command)] not in self.can:
            return seam.cannot(command, "this source cannot")
        match command:
            case seam.Pause() | seam.Step():
                self.state = "paused"
            case seam.Resume():
                self.state = "running"
            case seam.Speed(factor):
                self.speed = factor
        return self.answer

    def stop(self):
        self.stops += 1
        if self.fails_to_stop is not None:
            raise self.fails_to_stop


class Dashboard:
    """An app under test: keys are pressed, ticks are made, and the screen is read."""

    def __init__(self, app, pilot):
        self.app = app
        self.pilot = pilot

    async def tick(self, times=1):
        for _ in range(times):
            self.app.tick()
            await self.pilot.pause()

    async def press(self, *keys):
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def text(self):
        """What is on the screen, line by line."""
        await self.pilot.pause()
        return self.app.screen_as_text()

    def notes(self):
        """What the app has told in passing."""
        return [note.message for note in self.app._notifications]


@asynccontextmanager
async def dashboard(playback, size=(80, 24), *, fails=False, **options):
    """An app over this source, after its first tick. `fails`: it is meant to."""
    app = WatchApp(playback, ticks=False, **options)
    async with app.run_test(size=size) as pilot:
        found = Dashboard(app, pilot)
        await pilot.pause()
        await found.tick()
        yield found
    if app.failure is not None and not fails:
        raise app.failure


def run(coroutine):
    """Textual needs asyncio; these tests are plain functions."""
    return asyncio.run(coroutine)
