"""Every key of the dashboard, once: bindings, the help screen and the documentation read this.

`where` is "everywhere" or the name of a screen. The footer shows the first keys of a screen that
have a `footer` word, in this order; eighty columns hold about seven.
"""

from __future__ import annotations

from typing import NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """One action and its keys; `ability` is what the source must be able to do for it."""

    keys: str
    action: str
    does: str
    where: str = "everywhere"
    footer: str = ""
    ability: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it belongs to one screen."""
        return self.where != EVERYWHERE

    def is_on(self, screen: str) -> bool:
        """Whether it works on the screen of this name."""
        return self.where in (EVERYWHERE, screen)


EVERYWHERE = "everywhere"

KEYS: tuple[Key, ...] = (
    Key("enter", "drill", "look closer at the selection", "overview", "Detail"),
    Key(
        "space",
        "toggle_pause",
        "pause the world (or the replay), or let it go on",
        footer="Pause",
        ability="pause",
    ),
    Key("s", "step('event')", "step to the next event", footer="Step", ability="step"),
    Key("S", "step('notification')", "step to the next completion notification", ability="step"),
    Key("f", "add_fault", "inject a fault into the selection", footer="Fault", ability="inject"),
    Key("m,3", "go('messages')", "messages as a space-time diagram", footer="Messages"),
    Key(
        "slash",
        "filter",
        "show only events that match (! inverts, node: kind: inc:)",
        footer="Filter",
    ),
    Key("question_mark,f1", "help", "help for this screen", footer="Help"),
    Key(
        "q,ctrl+c,ctrl+q",
        "quit_watch",
        "quit: stops what was started here, leaves everything else",
        footer="Quit",
    ),
    Key("o", "go_back", "leave this run, and choose another scenario"),
    Key("ctrl+p,colon", "command_palette", "find a command by its name"),
    Key("escape", "leave_or_return", "back; clear a filter; to the present", footer=""),
    Key("1", "go('overview')", "overview"),
    Key(
        "i,2",
        "go('incremental')",
        "the incremental: who makes everybody wait",
        footer="Incremental",
    ),
    Key("l,4", "go('log')", "the log, full height; of the selection", footer="Log"),
    Key("5", "go('faults')", "all faults"),
    Key("x", "remove_fault", "heal the selected fault", ability="heal", footer="Heal"),
    Key("H", "heal_all", "heal every fault", ability="heal"),
    Key(
        "P",
        "operate",
        "pause, resume or cancel the restore itself (asks first)",
        ability="operate",
    ),
    Key("plus,equals_sign", "faster", "twice as fast", ability="speed", footer="Faster"),
    Key("minus", "slower", "half as fast", ability="speed", footer="Slower"),
    Key("0", "normal_speed", "as fast as the clock", ability="speed"),
    Key("exclamation_mark", "flat_out", "as fast as it goes", ability="speed"),
    Key("v", "toggle_freeze", "freeze the view while the world goes on"),
    Key("comma", "scrub(-1)", "one event back"),
    Key("full_stop", "scrub(1)", "one event forward"),
    Key("left_square_bracket", "scrub_to('previous')", "to the previous trouble"),
    Key("right_square_bracket", "scrub_to('next')", "to the next trouble", footer="Trouble"),
    Key("g", "scrub_to('start')", "to the start"),
    Key("G", "scrub_to('end')", "to the end: live"),
    Key("ctrl+g", "go_to", "to a time (12.5) or an event (#1200)"),
    Key("F", "fork", "let the world go on otherwise from here", ability="fork"),
    Key("n", "find('next')", "the next event that matches the filter"),
    Key("N", "find('previous')", "the previous one"),
    Key("t", "toggle_tail", "follow the newest events, or stay"),
    Key("z", "toggle_trouble", "only trouble"),
    Key("e", "export", "export the screen (SVG, text) or the events (JSON lines)", footer="Export"),
    Key("ctrl+s", "save", "save the run so far as a scenario file", ability="save"),
    Key("T", "toggle_theme", "light or dark"),
)


def bindings(where: str = EVERYWHERE) -> list[Binding]:
    """The bindings of one screen (or of all), as Textual wants them."""
    return [
        Binding(
            name,
            key.action,
            key.footer or key.does,
            show=bool(key.footer),
            tooltip=key.does,
            # A letter belongs to whoever types it; what is held with ctrl ends even a prompt.
            priority=key.action == "quit_watch" and name.startswith("ctrl+"),
        )
        for key in KEYS
        if key.where == where
        for name in key.keys.split(",")
    ]


def key_names(keys: str) -> str:
    """The keys as people call them: `question_mark,f1` is `? F1`."""
    names = {
        "question_mark": "?", "slash": "/", "colon": ":", "plus": "+", "minus": "-",
        "equals_sign": "=", "exclamation_mark": "!", "comma": ",", "full_stop": ".",
        "left_square_bracket": "[", "right_square_bracket": "]", "escape": "Esc",
        "space": "Space", "enter": "Enter",
    }  # fmt: skip
    return " ".join(
        names.get(key, key.upper() if key.startswith("f") and key[1:].isdigit() else key)
        for key in keys.split(",")
    )
