"""The engine of a real restore that may be broken by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.coordinator import RestoreState
from increstore.proving.drilled import SEED, run_drill
from increstore.runtime.restore import Outcome
from increstore.tui.playback.drill_engine import Drilled

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.journal import Journal, JournalEvent
    from increstore.protocol.coordinator import CoordinatorConfig
    from increstore.proving.commands import Commands
    from increstore.runtime.prepare import Prepared
    from increstore.runtime.request import RestoreRequest


class RestoreDrillEngine(Drilled):
    """One command; what it made durable is there for the next one, drill or not."""

    def __init__(
        self,
        request: RestoreRequest,
        config: CoordinatorConfig,
        journal: Journal,
        *,
        heeds_signals: bool = False,
    ) -> None:
        """Only where it runs in the main thread can it heed signals."""
        title = f"{request.collection.name} into {request.target} (a drill)"
        super().__init__(title, request.on, SEED)
        self.ended: Commands | None = None
        """Once it has: how, and where the coordinator sat."""
        self._request = request
        self._config = config
        self._journal = journal
        self._heeds_signals = heeds_signals

    def ending(self) -> tuple[Prepared, Outcome] | None:
        """What the command line tells of it; None when it never began."""
        if self.ended is None or self.ended.chair is None:
            return None
        core = self.ended.chair.core
        state = RestoreState(self.ended.state)
        deadline_passed = core is not None and core.deadline_passed
        return self.ended.chair.prepared, Outcome(state, self.ended.reason, deadline_passed)

    def run(self, put: Callable[[JournalEvent], None]) -> str:
        self.tell(put)
        ended = self.ended = run_drill(
            self._request, self._config, self._journal, self, heeds_signals=self._heeds_signals
        )
        if ended.state == "running":
            return "interrupted; the same command goes on"
        return f"{ended.state}: {ended.reason}" if ended.reason else ended.state
