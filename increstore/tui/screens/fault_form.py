"""Injecting a fault by hand: choose a kind, change its text, and let it happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from increstore.scenario.faults import AnyFault
from increstore.tui.fault_text import KINDS, parse_fault, template

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

HINT = 'now; or add  at = "12s"  or  after = { event = "scan.reported" }'


class FaultForm(ModalScreen[AnyFault | None]):
    """The fault that a person wants; None when it is left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "leave"),
        Binding("ctrl+j,ctrl+enter,f2", "inject", "inject", priority=True),
        Binding("tab", "app.focus_next", "other side", show=False, priority=True),
    ]

    def __init__(self, node: str) -> None:
        """`node`: a name or selector that the templates are filled in with."""
        super().__init__()
        self._node = node

    def compose(self) -> ComposeResult:
        options = [Option(f"{kind:<15}{does}", id=kind) for kind, does in KINDS]
        with Vertical(id="fault-form"):
            yield Label(f"add a fault   target {self._node}", markup=False)
            with Horizontal(id="fault-sides"):
                yield OptionList(*options, id="kinds", markup=False)
                yield TextArea(template(KINDS[0][0], self._node), id="text")
            yield Static(HINT, id="hint", markup=False)
            yield Static("", id="mistakes", markup=False)
            yield Label("Enter or F2 inject   Tab to the text   Esc leave", markup=False)

    def on_mount(self) -> None:
        self.query_one(TextArea).cursor_blink = False
        self.query_one(OptionList).focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Another kind: its text."""
        if event.option.id is not None:
            self.query_one(TextArea).text = template(event.option.id, self._node)

    def on_option_list_option_selected(self) -> None:
        self.action_inject()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Say at once what is wrong with the text."""
        _, mistakes = parse_fault(event.text_area.text)
        self.query_one("#mistakes", Static).update("\n".join(mistakes))

    def action_inject(self) -> None:
        """Let it happen, if the text is a fault."""
        fault, mistakes = parse_fault(self.query_one(TextArea).text)
        if fault is None:
            self.query_one("#mistakes", Static).update("\n".join(mistakes))
            self.app.bell()
        else:
            self.dismiss(fault)
