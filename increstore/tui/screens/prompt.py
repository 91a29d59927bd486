"""A question of one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class Prompt(ModalScreen[str | None]):
    """Asks for a text; None when it is left by Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "leave")]

    def __init__(self, question: str, hint: str, first: str = "") -> None:
        super().__init__()
        self._question = question
        self._hint = hint
        self._first = first

    def compose(self) -> ComposeResult:
        with Vertical(id="prompt"):
            yield Label(f"{self._question}   ({self._hint})", markup=False)
            yield Input(self._first, placeholder=self._hint, id="answer")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
