"""Help: what every key does on this screen, and what the glyphs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from increstore.tui.keys import KEYS, key_names
from increstore.tui.theme import style_of
from increstore.view.glyphs import LOOKS

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_ACTIONS = frozenset(key.action for key in KEYS)
MOVES = [
    ("arrows h j k", "move; scroll"),
    ("Tab", "to the next panel"),
    ("mouse", "a click selects, two look closer; the bottom line is keys"),
]


class HelpScreen(ModalScreen[None]):
    """The keys of one screen and those of all."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss(None)", "close")
    ]

    def __init__(self, screen_name: str) -> None:
        super().__init__()
        self._screen_name = screen_name

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as box:
            box.border_title = "keys of this screen, and of all"
            box.border_subtitle = "arrows scroll, Esc closes"
            yield Static(self._keys())
            yield Static(self._glyphs())

    def _keys(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column("key", no_wrap=True, style="bold")
        table.add_column("does")
        for names, does in [*self._of_the_screen(), *self._of_the_table(), *MOVES]:
            table.add_row(names, does)
        return table

    def _of_the_screen(self) -> list[tuple[str, str]]:
        """What only the screen below knows."""
        found: dict[str, tuple[str, str]] = {}
        for binding in self.app.screen_stack[-2]._bindings.key_to_bindings.values():
            for one in binding:
                if one.tooltip and one.action not in _ACTIONS:
                    keys = f"{found[one.action][0]} " if one.action in found else ""
                    found[one.action] = (keys + key_names(one.key), one.tooltip)
        return list(found.values())

    def _of_the_table(self) -> list[tuple[str, str]]:
        """Those of the screen first; with a note at those that the source cannot do."""
        none: frozenset[str] = frozenset()
        can = getattr(getattr(self.app, "playback", None), "can", none)
        here = [key for key in KEYS if key.is_on(self._screen_name)]
        told = []
        for key in sorted(here, key=lambda key: not key.is_own):
            missing = key.ability and key.ability not in can
            note = "   (not with this source)" if missing else ""
            told.append((key_names(key.keys), key.does + note))
        return told

    def _glyphs(self) -> Table:
        table = Table(title="states", title_justify="left", box=None, show_header=False)
        table.title_style = "bold"
        table.add_column("", no_wrap=True)
        table.add_column("state")
        is_ascii = getattr(self.app, "is_ascii", False)
        for look in LOOKS.values():
            glyph = look.ascii if is_ascii else look.glyph
            style = style_of(look.role, is_dark=self.app.current_theme.dark)
            table.add_row(glyph, look.word, style=style)
        return table
