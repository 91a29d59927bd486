"""A scrolling sheet of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size
from textual.scroll_view import ScrollView

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
        lines = self._make(Brush(self), view)
        if lines != self._lines:
            self._lines = lines
            width = max((sum(len(text) for text, _ in line) for line in lines), default=0)
            self.virtual_size = Size(width, len(lines))
            self.refresh()

    def render_line(self, y: int) -> Strip:
        left, row = self.scroll_offset.x, y + self.scroll_offset.y
        parts = self._lines[row] if row < len(self._lines) else []
        width = self.size.width
        strip = strip_of(parts, max(width + left, width), self.rich_style)
        return strip.crop(left, left + width)
