"""Help: what every key does on this screen, and what the glyphs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from increstore.tui.keys import EVERYWHERE, KEYS, key_names
from increstore.tui.theme import style_of
from increstore.view.glyphs import LOOKS

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class HelpScreen(ModalScreen[None]):
    """The keys of one screen and those of all."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss(None)", "close")
    ]

    def __init__(self, screen_name: str) -> None:
        super().__init__()
        self._screen_name = screen_name

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(self._keys())
            yield Static(self._glyphs())

    def _keys(self) -> Table:
        table = Table(title="keys", title_justify="left", box=None, pad_edge=False)
        table.add_column("key", no_wrap=True)
        table.add_column("does")
        none: frozenset[str] = frozenset()
        can = getattr(getattr(self.app, "playback", None), "can", none)
        for key in KEYS:
            if key.where in (EVERYWHERE, self._screen_name):
                missing = key.ability and key.ability not in can
                note = "   (not with this source)" if missing else ""
                table.add_row(key_names(key.keys), key.does + note)
        table.add_row("arrows hjkl Tab", "move; to the next panel")
        table.add_row("ctrl+p", "the command palette")
        return table

    def _glyphs(self) -> Table:
        table = Table(title="states", title_justify="left", box=None, pad_edge=False)
        table.add_column("", no_wrap=True)
        table.add_column("state")
        is_ascii = getattr(self.app, "is_ascii", False)
        for look in LOOKS.values():
            glyph = look.ascii if is_ascii else look.glyph
            style = style_of(look.role, is_dark=self.app.current_theme.dark)
            table.add_row(glyph, look.word, style=style)
        return table
