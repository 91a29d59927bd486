"""A restore that is looked at: in the dashboard here (`--watch`), or from elsewhere (`--serve`)."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from increstore.cli.restore import exit_code_of, prepare_early
from increstore.cli.serving import serving
from increstore.cli.streams import tell
from increstore.errors import UsageError
from increstore.runtime.refusal import refusals_told
from increstore.stops import imports_go_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.cli.display import Display
    from increstore.journal import Journal, JournalEvent
    from increstore.protocol.coordinator import CoordinatorConfig
    from increstore.runtime.broadcast import Broadcast
    from increstore.runtime.prepare import Prepared
    from increstore.runtime.request import RestoreRequest
    from increstore.runtime.restore import Outcome
    from increstore.runtime.spawn import WorkerNursery
    from increstore.tui.playback.engine import Engine
    from increstore.tui.playback.seam import Command, CommandResult

    ChooseDisplay = Callable[[Prepared], Display]
    Put = Callable[[JournalEvent], None]

SIGNALLED = 128
"""Exit codes above it tell which signal has ended the dashboard."""


@dataclass(frozen=True, slots=True)
class Looks:
    """How a restore is looked at, beside its own display."""

    in_dashboard: bool = False
    serve: str | None = None
    takes_commands: bool = False
    """Whether those who look from elsewhere may also ask for something."""
    is_drill: bool = False

    def __bool__(self) -> bool:
        return self.in_dashboard or self.serve is not None or self.is_drill or self.takes_commands

    def check(self, *, shows_otherwise: bool) -> None:
        """Raises: UsageError when the wishes contradict each other."""
        if self.takes_commands and self.serve is None:
            raise UsageError("--control is for those who look at it: give --serve, too")
        if self.is_drill and not self.in_dashboard and not self.takes_commands:
            raise UsageError("--drill: nobody could break it; give --watch, or --serve --control")
        if self.in_dashboard and shows_otherwise:
            raise UsageError("--watch shows the dashboard; --json and --plain show something else")


@dataclass(frozen=True, slots=True)
class Started:
    """An engine that may be run, and what came of it."""

    engine: Engine
    prepared: Prepared | None
    """None: the engine prepares it itself."""
    ending: Callable[[], tuple[Prepared, Outcome] | None]
    """Once it has run; None when it never began."""


def restore_in_view(
    request: RestoreRequest,
    looks: Looks,
    config: CoordinatorConfig,
    journal: Journal,
    workers: WorkerNursery,
    choose_display: ChooseDisplay,
    *,
    as_json: bool = False,
) -> int:
    """Restore while it is looked at; returns the exit code. Raises: expected errors."""
    if looks.in_dashboard:
        from increstore.cli.watching import require_terminal

        require_terminal()
    with ExitStack() as stack:
        # In the dashboard it runs in a thread, and the dashboard hears the signals.
        hears = not looks.in_dashboard
        if looks.is_drill:
            started = _drill(request, config, journal, heeds_signals=hears)
        else:
            started = _real(request, config, journal, workers, stack, heeds_signals=hears)
        engine = started.engine
        can = engine.can - {"save"} if looks.takes_commands else frozenset[str]()
        broadcast = stack.enter_context(serving(looks.serve, engine.title, can, _answer_of(engine)))
        if looks.in_dashboard:
            code = _in_dashboard(started, journal, broadcast)
        else:
            assert broadcast is not None, "who looks from nowhere has no business here"
            code = _here(started, journal, broadcast.put, choose_display, as_json=as_json)
        if broadcast is not None:
            ended = started.ending()
            broadcast.end("" if ended is None else ended[1].state.value)
        return code


def _answer_of(engine: Engine) -> Callable[[Command], CommandResult]:
    from increstore.view.history import History

    # Viewers have histories of their own; what they may ask for needs none.
    return lambda command: engine.command(command, History())


def _real(
    request: RestoreRequest,
    config: CoordinatorConfig,
    journal: Journal,
    workers: WorkerNursery,
    stack: ExitStack,
    *,
    heeds_signals: bool,
) -> Started:
    with imports_go_first():
        from increstore.tui.playback.engine import RestoreEngine

    with refusals_told(journal):
        prepared, early = prepare_early(request)
    stack.callback(prepared.directory.close)
    stack.callback(prepared.log.close)
    engine = RestoreEngine(prepared, config, journal, workers, early, heeds_signals=heeds_signals)

    def ending() -> tuple[Prepared, Outcome] | None:
        return None if engine.outcome is None else (prepared, engine.outcome)

    return Started(engine, prepared, ending)


def _drill(
    request: RestoreRequest, config: CoordinatorConfig, journal: Journal, *, heeds_signals: bool
) -> Started:
    with imports_go_first():
        from increstore.tui.playback.restore_drill import RestoreDrillEngine

    engine = RestoreDrillEngine(request, config, journal, heeds_signals=heeds_signals)
    return Started(engine, None, engine.ending)


def _here(
    started: Started,
    journal: Journal,
    put: Put,
    choose_display: ChooseDisplay,
    *,
    as_json: bool,
) -> int:
    """With the restore's own display; of a drill, which is prepared inside, people see the end."""
    from increstore.cli.display import JsonLines

    display: Display
    if started.prepared is not None:
        display = choose_display(started.prepared)
        _, outcome = _displayed(started, journal, put, display)
    elif as_json:
        display = lines = JsonLines(None)
        lines.prepared, outcome = _displayed(started, journal, put, lines)
    else:
        return _summarized(started, lambda: _timed(lambda: started.engine.run(put)))
    code = exit_code_of(outcome)
    display.summarize(outcome, code)
    return code


def _displayed(
    started: Started, journal: Journal, put: Put, display: Display
) -> tuple[Prepared, Outcome]:
    """Run it in the display. Raises: KeyboardInterrupt when it was stopped before it had begun."""
    journal.subscribe(display)
    with display:
        started.engine.run(put)
    ended = started.ending()
    if ended is None:
        raise KeyboardInterrupt
    return ended


def _in_dashboard(started: Started, journal: Journal, broadcast: Broadcast | None) -> int:
    with imports_go_first():
        from increstore.cli.watching import open_dashboard
        from increstore.tui.playback.threaded import ThreadPlayback

    if broadcast is not None:
        journal.subscribe(broadcast.put, details=True)
    codes: list[int] = []
    playback = ThreadPlayback(started.engine)

    def show() -> float:
        codes.append(open_dashboard(playback, goes_on=True))
        return playback.ran_s

    code = _summarized(started, show)
    return codes[0] if codes[0] > SIGNALLED else code


def _timed(run: Callable[[], object]) -> float:
    """Run it; how many seconds that took."""
    began = time.monotonic()
    run()
    return time.monotonic() - began


def _summarized(started: Started, run: Callable[[], float]) -> int:
    """Run it, and say on stderr how it ended; returns the exit code that this deserves.

    `run` says how many seconds the restore took: a person may look at its end for longer.
    """
    from increstore.cli.display import summary_lines

    seconds = run()
    ended = started.ending()
    if ended is None:
        return exit_code_of(None)
    for line in summary_lines(*ended, seconds):
        tell(line)
    return exit_code_of(ended[1])
