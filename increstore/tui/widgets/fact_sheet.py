"""A scrolling sheet of lines; those that are too long go on below, beside their label."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView

from increstore.tui.widgets.facts import NAME_WIDTH
from increstore.tui.widgets.painting import Brush, Part, strip_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.strip import Strip

    from increstore.view.cluster import ClusterView


class FactSheet(ScrollView, can_focus=True):
    """Lines that a function makes of each view."""

    def __init__(
        self,
        make: Callable[[Brush, ClusterView], list[list[Part]]],
        id: str | None = None,  # noqa: A002 - Textual's own word
    ) -> None:
        super().__init__(id=id)
        self._make = make
        self._lines: list[list[Part]] = []

    def refresh_from(self, view: ClusterView) -> None:
        """Make the lines anew; paint them if they are others."""
        width = self.scrollable_content_region.width
        made = self._make(Brush(self), view)
        lines = [line for long in made for line in wrapped(long, width)]
        if lines != self._lines:
            self._lines = lines
            self.virtual_size = Size(0, len(lines))
            self.refresh()

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        parts = self._lines[row] if row < len(self._lines) else []
        return strip_of(parts, self.size.width, self.rich_style)


def wrapped(line: list[Part], width: int) -> list[list[Part]]:
    """The line in pieces of at most `width` cells, cut between words; later ones are indented."""
    if sum(len(text) for text, _ in line) <= width:
        return [line]
    indent: Part = (" " * (NAME_WIDTH + 1), Style.null())
    lines: list[list[Part]] = [[]]
    room = width
    for text, style in line:
        for word in re.findall(r"\s*\S+|\s+$", text):
            if len(word) > room and len(lines[-1]) > 1:
                lines.append([indent])
                room = width - len(indent[0])
                word = word.lstrip()
            lines[-1].append((word, style))
            room -= len(word)
    return lines
