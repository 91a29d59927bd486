"""What widgets share: the look of states, bars, and lines of styled text."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol, cast

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

from increstore.judging.journal_text import readable
from increstore.tui.theme import style_of
from increstore.view.glyphs import look_of

if TYPE_CHECKING:
    from increstore.tui.app import WatchApp
    from increstore.view.cluster import ClusterView
    from increstore.view.shards import ShardView

Part = tuple[str, Style]

GRACE_NS = 200_000_000
"""A report is on its way for a moment in any run; longer than this it is missed."""
REPORTING = "reporting"


class Painted(Protocol):
    """A widget that is given views."""

    def refresh_from(self, view: ClusterView) -> None: ...


class Brush:
    """The app's choices of colours and glyphs, for one painting."""

    def __init__(self, widget: Widget) -> None:
        app = watch_app(widget)
        self.is_ascii = app.is_ascii
        self._is_dark = app.current_theme.dark
        self._has_colour = app.has_colour

    def role(self, name: str) -> Style:
        """The style of a role."""
        return style_of(name, is_dark=self._is_dark, has_colour=self._has_colour)

    def state(self, state: str) -> Part:
        """The glyph of a state, in its colour."""
        look = look_of(state)
        return (look.ascii if self.is_ascii else look.glyph, self.role(look.role))

    def shard(self, shard: ShardView, now: int) -> Part:
        """The glyph of a shard's state; an alarm only when its report is not merely on its way."""
        if word_of(shard, now) == REPORTING:
            # Not the sign of a missed report: that one is never shown for anything else.
            return (self.state("sending")[0], self.role("wait"))
        return self.state(shard.state)

    def bar(self, done: float, width: int, role: str = "busy") -> list[Part]:
        """A bar of `width` cells, `done` of 1 filled."""
        full = round(min(max(done, 0.0), 1.0) * width)
        filled, empty = ("#", "-") if self.is_ascii else ("█", "░")
        return [(filled * full, self.role(role)), (empty * (width - full), self.role("calm"))]


def word_of(shard: ShardView, now: int) -> str:
    """What a shard does, in a word or two; `now`: nanoseconds since 1970."""
    if shard.state == "unnotified" and now - shard.since < GRACE_NS:
        return REPORTING
    return look_of(shard.state).word


def watch_app(widget: Widget) -> WatchApp:
    """The app, as the one it is."""
    return cast("WatchApp", widget.app)


def shown(text: str) -> str:
    """What is told may come from anywhere: what is no character would command the terminal."""
    return text if text.isprintable() else readable(text)


def strip_of(parts: list[Part], width: int, base: Style) -> Strip:
    """One line of exactly `width` cells on the widget's own background."""
    # Neighbours of one style are one segment: a line of a thousand cells is soon painted.
    runs = groupby((part for part in parts if part[0]), itemgetter(1))
    segments = [Segment(shown("".join(text for text, _ in run)), style) for style, run in runs]
    strip = Strip(segments).adjust_cell_length(width)
    # Without the widget's own style, light themes show black where nothing is written.
    return strip.apply_style(base)


class Titled:
    """Mixed into a widget with a border: its title is of parts too.

    Not a widget itself: Textual takes the style sheet of a widget's first base alone.
    """

    _title: tuple[Part, ...] = ()

    def retitle(self, *parts: Part) -> None:
        """Show this title. To set the same one again would paint the whole widget anew."""
        if parts != self._title:
            self._title = parts
            told = [(shown(text), style) for text, style in parts]
            cast("Widget", self).border_title = Text.assemble(*told)


class Lines(Widget):
    """A widget of a few lines, painted by the Line API from parts that a subclass makes."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._lines: list[list[Part]] = []

    def show(self, lines: list[list[Part]]) -> None:
        """Paint these lines, if they are others than before."""
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        parts = self._lines[y] if y < len(self._lines) else []
        return strip_of(parts, self.size.width, self.rich_style)


def by_words(text: str, room: int, *, is_ascii: bool) -> str:
    """As many of its words as there is room for, and a mark where some are left out.

    Only a first word that is too long by itself is cut.
    """
    room = max(room, 0)
    if len(text) <= room:
        return text
    mark = "~" if is_ascii else "…"
    kept = text[: max(room - 1, 0)]
    if text[len(kept)] != " " and " " in kept.strip():
        kept = kept.rpartition(" ")[0]
    return f"{kept.rstrip()}{mark}"[:room]


def seconds(ns: int) -> str:
    """A duration as people read it: `12.4 s`, `3 m 05 s`."""
    total = ns / 1e9
    if total < 100:
        return f"{total:.1f} s"
    minutes, rest = divmod(round(total), 60)
    if minutes < 100:
        return f"{minutes} m {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} m"


def count(number: int) -> str:
    """A number with thin groups: `40 112`."""
    return f"{number:,}".replace(",", " ")
