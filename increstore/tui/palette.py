"""The command palette: every key of the table, to be found by what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import SystemCommand
from textual.command import CommandPalette

from increstore.tui.keys import KEYS, Key, key_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from textual.screen import Screen

    from increstore.tui.app import WatchApp


class Palette:
    """Mixed into the app."""

    def action_command_palette(self) -> None:
        """Textual's own, in words that every terminal can show."""
        app = cast("WatchApp", self)
        if not CommandPalette.is_open(app):
            app.push_screen(CommandPalette(placeholder="find a command", id="--command-palette"))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What can be done on this screen; a screen's own actions first."""
        app = cast("WatchApp", self)
        here = [key for key in KEYS if key.is_on(getattr(screen, "NAME", ""))]
        for key in sorted(here, key=lambda key: not key.is_own):
            if not key.ability or key.ability in app.playback.can:
                yield SystemCommand(_sentence(key), f"key {key_names(key.keys)}", _run(app, key))


def _sentence(key: Key) -> str:
    return key.does[0].upper() + key.does[1:]


def _run(app: WatchApp, key: Key) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await app.run_action(key.action, default_namespace=app.screen if key.is_own else app)

    return run
