"""The bottom line: the keys that matter most here, as many as there is room for.

Textual's own footer cuts what does not fit, puts its own keys first and shows what the source
cannot do. This one leaves out the least important, and never the way to help and out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style

from increstore.tui.keys import KEYS, key_names
from increstore.tui.widgets.painting import Brush, Lines, Part, watch_app

if TYPE_CHECKING:
    from textual import events
    from textual.binding import Binding

    from increstore.view.cluster import ClusterView

ALWAYS = ("help", "quit_watch")
_RANKS = {key.action: rank for rank, key in enumerate(KEYS)}
_KEYS = {key.action: key for key in KEYS}


class Shown(NamedTuple):
    """One key of the line."""

    key: str
    """As it is pressed, for Textual."""
    name: str
    word: str

    @property
    def width(self) -> int:
        return len(self.name) + 1 + len(self.word)


class KeyLine(Lines):
    """`Enter Detail  Space Pause  s Step  ..  ? Help  q Quit`; a click is a key."""

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []
        """From and to which column which key is shown."""

    def refresh_from(self, view: ClusterView) -> None:
        brush, parts, column = Brush(self), list[Part](), 0
        self._places = []
        for shown in self._fitting(self.size.width):
            gap = "  " if parts else ""
            start = column + len(gap)
            column = start + shown.width
            self._places.append((start, column, shown.key))
            parts += [
                (gap, Style.null()),
                (shown.name, brush.role("wait") + Style(bold=True)),
                (f" {shown.word}", Style.null()),
            ]
        self.show([parts])

    def _fitting(self, width: int) -> list[Shown]:
        """By weight, what has room; the keys that are always there at the end."""
        bindings = self._to_show()
        last = [self._shown(one) for one in bindings if one.action in ALWAYS]
        room = width - sum(shown.width + 2 for shown in last)
        chosen: list[Shown] = []
        for binding in bindings:
            shown = self._shown(binding)
            if binding.action not in ALWAYS and shown.width <= room:
                chosen.append(shown)
                room -= shown.width + 2
        return chosen + last

    def _to_show(self) -> list[Binding]:
        """Those that work here and have a word for this line: a screen's own first."""
        can = watch_app(self).playback.can
        found: dict[str, Binding] = {}
        for active in self.screen.active_bindings.values():
            action = active.binding.action
            ability = _KEYS[action].ability if action in _KEYS else ""
            if active.binding.show and active.enabled and (not ability or ability in can):
                found.setdefault(action, active.binding)
        return sorted(found.values(), key=lambda binding: _RANKS.get(binding.action, -1))

    def _shown(self, binding: Binding) -> Shown:
        """With the first key that the table has for it."""
        action, key, word = binding.action, binding.key, binding.description
        if action in _KEYS:
            key = _KEYS[action].keys.split(",")[0]
        if action == "toggle_pause" and watch_app(self).playback.status.state == "paused":
            word = "Go on"
        return Shown(key, key_names(key), word)

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._places:
            if start <= event.x < end:
                self.app.simulate_key(key)
