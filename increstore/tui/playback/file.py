"""A journal file as a source: replayed at a speed, sought, and followed while it grows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from increstore.tui.playback import seam
from increstore.tui.playback.journal_reel import JournalReel
from increstore.tui.playback.pace import Pace
from increstore.tui.playback.player import Player

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from increstore.journal import JournalEvent
    from increstore.view.history import History

CAN: frozenset[seam.Ability] = frozenset({"pause", "step", "speed", "seek"})
ENDS = frozenset(
    {
        "restore.completed", "restore.failed", "restore.paused", "restore.cancelled",
        "restore.interrupted", "restore.abandoned", "restore.refused", "tables.published",
    }
)  # fmt: skip
"""After these nothing is expected any more."""
FRESH_S = 10.0
"""A journal without an end that was written to so lately is one that still grows.

A restore writes twice a second, but before it begins it may read checksums for minutes.
"""
GROWTH_PERIOD_NS = 200_000_000


class FilePlayback:
    """One journal file. It may grow; one that does so when it is opened is followed at its end.

    It is followed until its restore has ended, or who wrote it is gone, and further when more comes
    nevertheless: from a restore that goes on.
    """

    def __init__(
        self,
        path: Path,
        *,
        speed: float = 1.0,
        is_paused: bool = False,
        follows: bool | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """`follows` None: when it looks as if somebody still writes it."""
        self._path = path
        self._clock = clock
        self._wants_to_follow = follows
        self._reel = JournalReel(path, follows=bool(follows))
        self._player = Player(self._reel, Pace(speed, clock), is_paused=is_paused)
        self._began_at = 0
        self._total = 0
        self._ends_at = 0
        self._looked_at: int | None = None
        self._has_ended = False
        self._was_held = False
        """Whether a writer was seen, so that its end can be."""

    # --- What it is.

    @property
    def can(self) -> frozenset[seam.Ability]:
        return CAN

    @property
    def title(self) -> str:
        return self._path.name

    @property
    def status(self) -> seam.PlaybackStatus:
        player, state = self._player, self._player.state
        count, live = len(player.history), player.history.live
        now = live.now if player.pace.is_flat_out or state == "ended" else player.pace.position
        return seam.PlaybackStatus(
            state="failed" if self._reel.error else state,
            speed=player.pace.speed,
            now_ns=now,
            began_ns=self._began_at,
            ends_ns=max(self._ends_at, live.now),
            events=count,
            events_total=max(self._total, count),
            error=self._reel.error,
            dropped=self._reel.torn,
            outcome=self._outcome() if state == "ended" else "",
            is_repeatable=True,
        )

    def _outcome(self) -> str:
        live = self._player.history.live
        return f"the journal ends: {live.state}" if live.events else "the journal is empty"

    def history(self) -> History:
        return self._player.history

    def start(self) -> None:
        """Raises: JournalUnreadable when it cannot be read, is no journal, or too new."""
        self._reel.open()
        self._began_at = self._reel.next_at or 0
        self._player.pace.put(self._began_at)
        self._look_at_its_end()
        if self._reel.follows and self._ends_at:
            # What has been is history; whoever follows wants to see what happens now.
            self._player.seek_ahead(None, self._ends_at)

    def stop(self) -> None:
        self._reel.close()

    def drain(
        self, limit: int = seam.DRAIN_EVENTS_MAX, budget_ns: int = seam.DRAIN_BUDGET_NS
    ) -> list[JournalEvent]:
        now = self._clock()
        if self._looked_at is None or now - self._looked_at >= GROWTH_PERIOD_NS:
            self._looked_at = now
            self._look_at_its_end()
        return self._player.drain(limit, budget_ns, self._clock)

    def _look_at_its_end(self) -> None:
        if self._reel.grown():
            self._total = self._reel.count()
            last = self._reel.last_event()
            self._ends_at = 0 if last is None else last.at
            # The barrier explains itself once more after the end.
            last = self._reel.last_event(but=frozenset({"barrier.waits"}))
            self._has_ended = last is not None and last.name in ENDS
        if self._wants_to_follow is None:
            self._reel.follows = self._still_grows()

    def _still_grows(self) -> bool:
        is_fresh = time.time() - self._reel.changed_at_s < FRESH_S
        if self._reel.is_held():
            self._was_held = True
            return is_fresh or not self._has_ended
        return is_fresh and not self._has_ended and not self._was_held

    # --- Commands.

    def command(self, command: seam.Command) -> seam.CommandResult:
        player = self._player
        match command:
            case seam.Pause():
                objection = player.pause()
            case seam.Resume():
                objection = player.resume()
            case seam.Step(what):
                objection = player.step(what)
            case seam.Speed(factor):
                objection = player.set_speed(factor)
            case seam.Seek(index, at):
                return self._seek(index, at)
            case _:
                return seam.cannot(command, "a journal tells what has happened")
        return seam.CommandResult(not objection, objection)

    def _seek(self, index: int | None, at: int | None) -> seam.CommandResult:
        behind = self._player.seek(index, at)
        if behind is not None:
            past = self.history().cut(behind)
            self._reel.rewind(behind, past.live.now)
            self._player.put(self._reel, past)
            self._player.pace.put(past.live.now or self._began_at)
        return seam.CommandResult(True, "")
