"""`increstore watch --plain`: a fact a line on stdout, and the exit code of what was watched."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import click

from increstore.cli.streams import tell
from increstore.errors import ExitCode
from increstore.judging.journal_text import readable
from increstore.judging.violation import VIOLATED
from increstore.protocol.topology import COORDINATOR
from increstore.stops import STOP_SIGNALS
from increstore.view.cluster import ClusterView
from increstore.view.plain import PlainLines, summary

if TYPE_CHECKING:
    from increstore.journal import JournalEvent
    from increstore.tui.playback.seam import Playback

LOOK_EVERY_S = 0.05
BUDGET_NS = 50_000_000
CODES = {
    "completed": ExitCode.DONE,
    "failed": ExitCode.RESTORE_FAILED,
    "paused": ExitCode.PAUSED,
    "cancelled": ExitCode.PAUSED,
}
REFUSALS = tuple(code for code in ExitCode if code != ExitCode.DONE)


def tell_plainly(playback: Playback) -> int:
    """Tell what happens until it ends; returns the exit code. Raises: what the source fails with.

    A signal leaves with 128 + its number, as it leaves the dashboard.
    """
    teller = Teller(playback)
    try:
        number = asyncio.run(teller.tell_all())
    finally:
        playback.stop()
    if number:
        return 128 + number
    click.echo(teller.last_line())
    return teller.code


class Teller:
    """Tells of one source."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._view = ClusterView()
        self._plain = PlainLines(self._view)
        self._is_violated = False
        self._left: int | None = None
        """The code of a command that has left its restore, or never begun it."""
        self._trouble = ""

    async def tell_all(self) -> int:
        """Until the end; the number of the signal that came first, or 0."""
        numbers: list[int] = []
        interrupted = asyncio.Event()

        def hear(number: int) -> None:
            numbers.append(number)
            interrupted.set()

        for one in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(one, hear, one)
        self._playback.start()
        while not numbers and not self._tell():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(interrupted.wait(), LOOK_EVERY_S)
        return numbers[0] if numbers else 0

    def _tell(self) -> bool:
        """What has happened since; whether that was the end."""
        while events := self._playback.drain(budget_ns=BUDGET_NS):
            for event in events:
                self._view.apply(event)
                self._look_at(event)
                for line in self._plain.lines_of(event):
                    click.echo(readable(line))
        status = self._playback.status
        if status.error != self._trouble:
            self._trouble = status.error
            if status.error and status.state != "failed":  # That one is raised, and told so.
                tell(f"{status.state}: {status.error}")
        return status.state in ("ended", "failed")

    def _look_at(self, event: JournalEvent) -> None:
        match event.name:
            case "coordinator.started":
                self._left = None
            case "restore.interrupted" | "restore.abandoned":
                self._left = ExitCode.PAUSED
            case "restore.refused" if event.node == COORDINATOR:
                code = event.facts.get("exit_code")
                self._left = code if code in REFUSALS else ExitCode.BAD_INPUT
        self._is_violated = self._is_violated or event.name == VIOLATED

    def last_line(self) -> str:
        """How it ended."""
        outcome = self._playback.status.outcome
        return readable(f"{summary(self._view)}{'; ' if outcome else ''}{outcome}")

    @property
    def code(self) -> int:
        """The exit code of what was told."""
        if self._is_violated:
            return ExitCode.VERIFICATION_FAILED
        if self._view.state in CODES:
            return CODES[self._view.state]
        return ExitCode.DEADLINE if self._left is None else self._left
