"""The screens of the dashboard, by the names that keys know them by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from increstore.tui.app import WatchApp
    from increstore.tui.screens.base import WatchScreen


def screen_named(name: str, app: WatchApp) -> WatchScreen:
    """A screen that lies over the overview. Raises: KeyError for a name that is none."""
    if name == "incremental":
        from increstore.tui.screens.incremental import IncrementalScreen

        return IncrementalScreen()
    if name == "messages":
        from increstore.tui.screens.messages import MessagesScreen

        return MessagesScreen()
    if name == "log":
        from increstore.tui.screens.log import LogScreen

        return LogScreen(app.selection or "")
    if name == "faults":
        from increstore.tui.screens.faults import FaultsScreen

        return FaultsScreen()
    raise KeyError(name)
