"""What runs in a thread of its own behind a dashboard: a restore, or a scenario on real nodes.

Rules of this file:
- `run` is called once, in that thread; everything else in the dashboard's.
- What happens is put out event by event, and is never waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from increstore.protocol.coordinator import RestoreState
from increstore.runtime.control import RestoreControl
from increstore.runtime.restore import Outcome, run_restore
from increstore.tui.playback import seam

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.journal import Journal, JournalEvent
    from increstore.protocol.coordinator import CoordinatorConfig
    from increstore.runtime.early import EarlyPages
    from increstore.runtime.prepare import Prepared
    from increstore.runtime.spawn import WorkerNursery
    from increstore.view.history import History


class Engine(Protocol):
    """A run that can be watched, stopped, and asked for some things."""

    @property
    def title(self) -> str: ...

    @property
    def can(self) -> frozenset[seam.Ability]: ...

    def run(self, put: Callable[[JournalEvent], None]) -> str:
        """Run to the end, putting out every event; how it ended, in a sentence.

        Raises: what it failed with.
        """
        ...

    def stop(self) -> None:
        """Have it end soon; before it runs: at once when it begins. Once is enough."""
        ...

    def command(self, command: seam.Command, history: History) -> seam.CommandResult:
        """`history`: the events that have been shown."""
        ...


class RestoreEngine:
    """A real restore. A person may pause or cancel it, and change how many scan at once."""

    def __init__(
        self,
        prepared: Prepared,
        config: CoordinatorConfig,
        journal: Journal,
        started: WorkerNursery | None = None,
        early: EarlyPages | None = None,
        *,
        heeds_signals: bool = False,
    ) -> None:
        """Others may have subscribed to the journal; none that minds another thread. Only where
        it runs in the main thread can it heed signals."""
        self.outcome: Outcome | None = None
        """Once it has ended."""
        self._prepared = prepared
        self._config = config
        self._journal = journal
        self._started = started
        self._early = early
        self._control = RestoreControl()
        self._heeds_signals = heeds_signals

    @property
    def title(self) -> str:
        request = self._prepared.request
        return f"{request.collection.name} into {request.target}"

    @property
    def can(self) -> frozenset[seam.Ability]:
        return frozenset({"operate"})

    def run(self, put: Callable[[JournalEvent], None]) -> str:
        self._journal.subscribe(put, details=True)
        self.outcome = run_restore(
            self._prepared,
            self._config,
            self._journal,
            self._started,
            self._early,
            self._control,
            heeds_signals=self._heeds_signals,
        )
        return _say(self.outcome)

    def stop(self) -> None:
        self._control.stop()

    def command(self, command: seam.Command, history: History) -> seam.CommandResult:
        if not isinstance(command, seam.Operate):
            return seam.cannot(command, "this is a real restore; `--drill` lets it be broken")
        if not self._control.operate(command.verb, command.value):
            return seam.cannot(command, "no coordinator listens now")
        return seam.CommandResult(True, f"the coordinator has been told: {command.verb}")


def _say(outcome: Outcome) -> str:
    if outcome.was_complete:
        return "it was completed before"
    if outcome.state is RestoreState.RUNNING:
        return "interrupted; the same command goes on"
    return f"{outcome.state.value}: {outcome.reason}" if outcome.reason else outcome.state.value
