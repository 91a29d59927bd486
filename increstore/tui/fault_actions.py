"""Keys that break the world, and mend it; and a person's word to the restore itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from increstore.tui.playback import seam
from increstore.tui.view_actions import typed_path

if TYPE_CHECKING:
    from increstore.scenario.faults import AnyFault
    from increstore.tui.app import WatchApp


class FaultActions:
    """Mixed into the app."""

    def action_add_fault(self) -> None:
        """Open the form, filled in for what is selected."""
        from increstore.tui.screens.fault_form import FaultForm

        app = cast("WatchApp", self)
        if "inject" not in app.playback.can:
            app.notify("this source takes no faults: it is only looked at", severity="warning")
            return
        app.push_screen(FaultForm(app.selection or "sources"), self._inject)

    def _inject(self, fault: AnyFault | None) -> None:
        if fault is not None:
            app = cast("WatchApp", self)
            result = app.tell(seam.Inject(fault))
            app.selected_fault = result.fault or app.selected_fault

    def action_remove_fault(self) -> None:
        """Heal the selected fault; the newest active one when none is selected."""
        app = cast("WatchApp", self)
        active = [fault.id for fault in app.view.active_faults]
        chosen = app.selected_fault if app.selected_fault in active else None
        if chosen is None and active:
            chosen = active[-1]
        if chosen is None:
            app.notify("no fault is active", timeout=3)
            return
        app.tell(seam.Heal(chosen))

    def action_heal_all(self) -> None:
        cast("WatchApp", self).tell(seam.Heal(None))

    def action_operate(self) -> None:
        """Ask what the coordinator is to be told: nothing so grave happens by one key."""
        from increstore.tui.screens.prompt import Prompt

        app = cast("WatchApp", self)
        if "operate" not in app.playback.can:
            app.notify("this restore is only looked at", severity="warning")
            return
        hint = "pause, resume, cancel, or cap 4: so many scans at once"
        app.push_screen(Prompt("tell the coordinator", hint), self._operate)

    def _operate(self, typed: str | None) -> None:
        if not typed:
            return
        app = cast("WatchApp", self)
        match typed.lower().split():
            case ["pause" | "resume" | "cancel" as verb]:
                app.tell(seam.Operate(verb))
            case ["cap", number] if number.isdecimal():
                app.tell(seam.Operate("cap", int(number)))
            case _:
                app.notify(f"expected pause, resume, cancel or cap 4, got {typed!r}",
                           severity="warning")  # fmt: skip

    def action_save(self) -> None:
        """Ask for a file, and write the run so far as a scenario into it."""
        from increstore.tui.screens.prompt import Prompt

        app = cast("WatchApp", self)
        if "save" not in app.playback.can:
            app.notify("only a simulation can be saved as a scenario", severity="warning")
            return
        app.push_screen(Prompt("save as scenario", "a .toml file", "by_hand.toml"), self._save)

    def _save(self, typed: str | None) -> None:
        if typed:
            cast("WatchApp", self).tell(seam.SaveScenario(typed_path(typed)))
