"""Keys that change what is looked at: screens, filters, the log's tail, exports, the theme."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from increstore.tui.theme import DARK, LIGHT

if TYPE_CHECKING:
    from increstore.tui.app import WatchApp

FIND_MOST = 200_000


def typed_path(typed: str) -> Path:
    """The file that a person means; `~` is home, and of nobody known it is a name."""
    with suppress(RuntimeError):
        return Path(typed).expanduser()
    return Path(typed)


class ViewActions:
    """Mixed into the app."""

    def action_go(self, name: str) -> None:
        """To another screen; the overview is always underneath."""
        from increstore.tui.screens import screen_named

        app = cast("WatchApp", self)
        while len(app.screen_stack) > 2:
            app.pop_screen()
        if name != "overview":
            app.push_screen(screen_named(name, app))

    def action_messages(self) -> None:
        self.action_go("messages")

    def action_leave_or_return(self) -> None:
        """One step back: from a screen, from the past, from a filter."""
        app = cast("WatchApp", self)
        if len(app.screen_stack) > 2:
            app.pop_screen()
        elif app.history_index is not None:
            app.look_at(None)
        elif not app.event_filter.is_open:
            app.set_filter("")
        else:
            app.selection = None
            app.repaint()

    def action_help(self) -> None:
        from increstore.tui.screens.help import HelpScreen

        app = cast("WatchApp", self)
        app.push_screen(HelpScreen(getattr(app.screen, "NAME", "")))

    def action_filter(self) -> None:
        """Ask for a filter of the events."""
        from increstore.tui.screens.prompt import Prompt

        app = cast("WatchApp", self)
        app.push_screen(
            Prompt("filter", "words, !not, node:s1, kind:scan, inc:2", app.event_filter.text),
            lambda typed: None if typed is None else app.set_filter(typed),
        )

    def action_toggle_trouble(self) -> None:
        app = cast("WatchApp", self)
        app.event_filter = replace(app.event_filter, only_trouble=not app.event_filter.only_trouble)
        app.repaint()

    def action_toggle_tail(self) -> None:
        app = cast("WatchApp", self)
        app.follows_tail = not app.follows_tail
        app.repaint()

    def action_find(self, where: Literal["next", "previous"]) -> None:
        """To the next or previous event that passes the filter."""
        app = cast("WatchApp", self)
        if app.event_filter.is_open:
            app.notify("type a filter first: /", timeout=3)
            return
        backwards = where == "previous"
        start = app.shown_events - 2 if backwards else app.shown_events
        found = app.history.find(
            app.event_filter.compile(), start, backwards=backwards, most=FIND_MOST
        )
        if found is None:
            app.notify(f"no {where} event passes {app.event_filter.text!r}", timeout=3)
        else:
            app.look_at(found + 1)

    def action_toggle_theme(self) -> None:
        app = cast("WatchApp", self)
        app.theme = LIGHT.name if app.theme == DARK.name else DARK.name
        app.repaint()

    def action_export(self) -> None:
        """Ask for a file: its ending says what is written."""
        from increstore.tui.screens.prompt import Prompt

        app = cast("WatchApp", self)
        app.push_screen(
            Prompt("export to", "screen.svg, screen.txt or events.jsonl", "increstore.svg"),
            lambda typed: self._export(typed_path(typed)) if typed else None,
        )

    def _export(self, path: Path) -> None:
        app = cast("WatchApp", self)
        try:
            # What a stream has brought need not be characters that can be written.
            text = self._exported(path.suffix).encode("utf-8", "backslashreplace")
            path.write_bytes(text)
        except OSError as error:
            app.notify(f"{path}: cannot be written ({error.strerror})", severity="warning")
        else:
            app.notify(f"written: {path}", timeout=4)

    def _exported(self, suffix: str) -> str:
        """The screen as a picture or text; the events up to the moment shown as JSON lines."""
        app = cast("WatchApp", self)
        if suffix == ".svg":
            return app.export_screenshot(title=app.playback.title)
        if suffix == ".jsonl":
            events = app.history.events(0, app.shown_events)
            return "".join(
                json.dumps(event.as_json(), ensure_ascii=False, default=str) + "\n"
                for event in events
            )
        return app.screen_as_text()
