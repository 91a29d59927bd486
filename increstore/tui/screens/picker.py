"""Choosing a scenario: a list to search, and what the one at hand is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from increstore.errors import ScenarioError
from increstore.scenario.load import load_scenario
from increstore.tui.scenario_text import describe, describe_mistakes
from increstore.tui.screens.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from increstore.scenario.model import Scenario

KEYS_LINE = " Enter run   p run, paused   e seed   / search   q quit"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be watched. `seed` None: the file's own first seed."""

    path: Path
    seed: int | None
    is_paused: bool = False


class ScenarioList(OptionList):
    """A click chooses, a second one runs."""

    def on_click(self, event: events.Click) -> None:
        event.prevent_default()
        place = event.style.meta.get("option")
        if place is not None:
            self.highlighted = place
            if event.chain > 1:
                self.action_select()


class PickerScreen(Screen[Choice | None]):
    """Arrows choose, letters search, Enter runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c,ctrl+q", "leave", "quit"),
        Binding("escape", "clear", "clear the search, or leave"),
        # Before the list hears of it, and so of the letters that were typed ahead.
        Binding("slash", "search", "search", priority=True),
        Binding("e", "seed", "seed"),
        Binding("p", "run_paused", "run, paused"),
        Binding("j", "move('down')", "down", show=False),
        Binding("k", "move('up')", "up", show=False),
    ]

    def __init__(self, paths: Sequence[Path], seed: int | None, first: Path) -> None:
        super().__init__()
        self._scenarios = {str(path): _read(path) for path in paths}
        self._paths = {str(path): path for path in paths}
        self._seed = seed
        self._first = str(first)
        self._is_chosen = False

    def compose(self) -> ComposeResult:
        yield Static("", id="picker-head", markup=False)
        with Horizontal(id="picker"):
            with Vertical(id="picker-left"):
                yield Input(placeholder="/ search in names, titles, reasons, faults", id="search")
                yield ScenarioList(id="scenarios", markup=False)
            with VerticalScroll(id="about", can_focus=False):
                yield Static("", id="about-text", markup=False)
        yield Static(KEYS_LINE, id="picker-keys", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self._list("")
        self.set_focus(self._list_widget)

    # --- The list.

    @property
    def _list_widget(self) -> OptionList:
        return self.query_one("#scenarios", OptionList)

    @property
    def highlighted(self) -> str | None:
        """The path of the scenario at hand."""
        place = self._list_widget.highlighted
        return None if place is None else self._list_widget.get_option_at_index(place).id

    def _list(self, search: str) -> None:
        """Those that match, the one at hand still at hand when it does."""
        wanted = self.highlighted or self._first
        words = search.lower().split()
        found = [
            name for name in self._scenarios if all(word in self._says(name) for word in words)
        ]
        self._list_widget.clear_options()
        self._list_widget.add_options([Option(self._line(name), id=name) for name in found])
        if found:
            self._list_widget.highlighted = found.index(wanted) if wanted in found else 0
        self.query_one("#picker-head", Static).update(
            f" increstore   {len(found)} of {len(self._scenarios)} scenarios"
        )
        self._describe()

    def _says(self, name: str) -> str:
        found = self._scenarios[name]
        if isinstance(found, tuple):
            return f"{name} {' '.join(found)}".lower()
        kinds = " ".join(f"{fault.kind} {fault.id}" for fault in found.faults)
        return f"{name} {found.title} {found.why} {kinds}".lower()

    def _line(self, name: str) -> str:
        mark = "!" if isinstance(self._scenarios[name], tuple) else " "
        return f"{mark}{self._paths[name].stem}"

    def on_option_list_option_highlighted(self) -> None:
        self._describe()

    def _describe(self) -> None:
        text = self.query_one("#about-text", Static)
        name = self.highlighted
        if name is None:
            text.update("no scenario matches; Esc clears the search")
            return
        found = self._scenarios[name]
        if isinstance(found, tuple):
            text.update(describe_mistakes(found))
        else:
            text.update(describe(found, self._seed))

    # --- Searching.

    def on_input_changed(self, event: Input.Changed) -> None:
        self._list(event.value)

    def on_input_submitted(self) -> None:
        """To the list; when there is nothing left to choose, run it."""
        self.set_focus(self._list_widget)
        if self._list_widget.option_count == 1:
            self._run(is_paused=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Within the search a slash is a letter."""
        return not (action == "search" and self.query_one(Input).has_focus)

    def action_search(self) -> None:
        self.set_focus(self.query_one(Input))

    def action_clear(self) -> None:
        """The search, if there is one; otherwise leave."""
        search = self.query_one(Input)
        if search.value or search.has_focus:
            search.value = ""
            self.set_focus(self._list_widget)
        else:
            self.dismiss(None)

    def action_move(self, where: str) -> None:
        if where == "down":
            self._list_widget.action_cursor_down()
        else:
            self._list_widget.action_cursor_up()

    # --- Choosing.

    def on_option_list_option_selected(self) -> None:
        self._run(is_paused=False)

    def action_run_paused(self) -> None:
        self._run(is_paused=True)

    def _run(self, *, is_paused: bool) -> None:
        name = self.highlighted
        if name is None:
            return
        if isinstance(self._scenarios[name], tuple):
            self.notify("this file is no scenario that can be run", severity="warning")
            return
        if not self._is_chosen:
            # Keys may have been typed ahead: it is chosen once.
            self._is_chosen = True
            self.dismiss(Choice(self._paths[name], self._seed, is_paused))

    def action_seed(self) -> None:
        """Ask for the seed of what is run from here."""
        now = "" if self._seed is None else str(self._seed)
        self.app.push_screen(
            Prompt("seed", "a number; nothing: the file's own", now), self._set_seed
        )

    def _set_seed(self, typed: str | None) -> None:
        if typed is None:
            return
        if typed and not typed.isdecimal():
            self.notify(f"expected a number such as 7, got {typed!r}", severity="warning")
            return
        self._seed = int(typed) if typed else None
        self._describe()

    def action_leave(self) -> None:
        self.dismiss(None)


def _read(path: Path) -> Scenario | tuple[str, ...]:
    """The scenario, or every mistake in its file."""
    try:
        return load_scenario(path)
    except ScenarioError as error:
        return error.problems
