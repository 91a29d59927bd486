"""`increstore run SCENARIO --serve`: one real run that others may look at, and break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.cli.serving import serving
from increstore.errors import UsageError
from increstore.proving.real import run_real_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from increstore.journal import JournalEvent
    from increstore.proving.commands import Commands
    from increstore.proving.real import Onlooker
    from increstore.proving.tasks import Task
    from increstore.proving.verdict import Verdict


class Spectator:
    """Only looks."""

    takes_faults = False

    def __init__(self, put: Callable[[JournalEvent], None]) -> None:
        self._put = put

    def __call__(self, event: JournalEvent) -> None:
        self._put(event)

    def reach(self, commands: Commands) -> None:
        """It leaves everything as it is."""


def run_served(
    task: Task, title: str, place: str, journal: Path | None, *, takes_commands: bool
) -> Verdict:
    """Make the run while it is served. Raises: UsageError when the place cannot be had."""
    if task.mode == "simulation":
        raise UsageError(
            "--serve: a simulation is over in a moment; `increstore watch` plays it at a speed of "
            "yours, or give --on memory or --on tcp"
        )
    from increstore.tui.playback.drill_engine import Drilled
    from increstore.view.history import History

    drilled = Drilled(title, task.mode, task.seed)
    can = drilled.can - {"save"} if takes_commands else frozenset[str]()
    # Viewers have histories of their own; what they may ask for needs none.
    with serving(place, title, can, lambda command: drilled.command(command, History())) as server:
        assert server is not None
        drilled.tell(server.put)
        onlooker: Onlooker = drilled if takes_commands else Spectator(server.put)
        verdict = run_real_task(task.scenario, task.seed, task.mode, journal, onlooker)
        server.end(f"{verdict.state}: {verdict.reason}" if verdict.reason else verdict.state)
    return verdict
