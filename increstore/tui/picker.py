"""The list of scenarios, as an app of its own: it ends with a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from increstore.errors import ExitCode
from increstore.tui.endings import Endings
from increstore.tui.look import put_on
from increstore.tui.screens.picker import Choice, PickerScreen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from increstore.tui.look import Look


class PickerApp(Endings, App[object]):
    """Shows the scenarios of these files; `choice` is None when the person left."""

    TITLE = "increstore"
    CSS_PATH = "watch.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, paths: Sequence[Path], *, look: Look, seed: int | None = None, first: Path
    ) -> None:
        """`seed`: instead of each file's own; `first`: the one to begin with."""
        super().__init__()
        self.choice: Choice | None = None
        self.look = look
        self._screen_to_show = PickerScreen(paths, seed, first)

    def on_mount(self) -> None:
        put_on(self, self.look.theme, is_ascii=self.look.is_ascii)
        self.hear_signals()
        self.push_screen(self._screen_to_show, self._chosen)

    def _chosen(self, choice: Choice | None) -> None:
        self.choice = choice
        self.leave(ExitCode.DONE)
