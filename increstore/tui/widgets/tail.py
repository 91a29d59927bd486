"""Following the newest lines of something that scrolls."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.scroll_view import ScrollView


def show_end(widget: ScrollView) -> None:
    """Let the last line be seen, also before the widget has been laid out with its bar."""
    # Forced: the bar, without which nothing is scrolled, comes only with the next layout;
    # it would come at the top.
    widget.scroll_end(animate=False, immediate=True, force=True)
    widget.vertical_scrollbar.position = widget.scroll_y
