"""How a screenful looks as a whole: theme, glyphs, borders, and whether there are colours."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.app import App

ASCII_CLASS = "-ascii"


@dataclass(frozen=True, slots=True)
class Look:
    """What the person asked for, and what the terminal can do."""

    is_ascii: bool = False
    theme: str = "dark"
    has_colour: bool = True

    @staticmethod
    def here(*, is_ascii: bool = False, theme: str = "dark") -> Look:
        """In this terminal. To be asked once, before any app is made: Textual takes NO_COLOR out
        of the environment."""
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        is_ascii = is_ascii or not encoding.startswith("utf")
        return Look(is_ascii, theme, not os.environ.get("NO_COLOR"))


def put_on(app: App[Any], theme: str, *, is_ascii: bool) -> None:
    """Dress an app that is about to show its first screen."""
    from increstore.tui.theme import DARK, LIGHT

    app.register_theme(DARK)
    app.register_theme(LIGHT)
    app.theme = LIGHT.name if theme == "light" else DARK.name
    app.set_class(is_ascii, ASCII_CLASS)
