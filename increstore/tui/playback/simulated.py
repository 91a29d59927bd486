"""A simulation as a source: the dashboard's own tick steps the world, nothing runs beside it.

Rules of this file:
- The speed, pauses and steps change nothing of what happens; only deeds do.
- Going back means playing again from the beginning, silently, to the moment that is wanted; the
  past itself is cut from the history at once. Deeds of later are done again, until another deed
  makes it another future.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from increstore.proving.simulated import verdict_of
from increstore.scenario import faults as f
from increstore.scenario.by_hand import mistakes_in, open_faults
from increstore.scenario.load import load_scenario
from increstore.simulation.observing import WALL_NS
from increstore.simulation.setting import prepare_setting
from increstore.tui.playback import seam
from increstore.tui.playback.pace import Pace
from increstore.tui.playback.player import Player
from increstore.tui.playback.saving import save, scenario_of
from increstore.tui.playback.simulated_run import SimulatedRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from increstore.journal import JournalEvent
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.model import Scenario
    from increstore.view.history import History

CAN: frozenset[seam.Ability] = frozenset(seam.ABILITIES.values())
MODE = "simulation"
SPEED_FIRST = 0.1
"""Most scenarios last about a virtual second: too short to see anything of it."""


class SimPlayback:
    """One seed of one scenario."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        name: str = "",
        speed: float = SPEED_FIRST,
        is_paused: bool = False,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """`name`: what the file is called, when the scenario comes from one."""
        self._scenario_title = scenario.title
        self._name = name or scenario.title
        self._setting = prepare_setting(scenario)
        self._clock = clock
        pace = Pace(speed, clock)
        pace.put(WALL_NS)
        self._run = SimulatedRun(self._setting, seed)
        self._player = Player(self._run, pace, is_paused=is_paused)
        self._known: tuple[int, int] | None = None
        """Events, and the time of the last, that were played before a seek back."""
        self._forks = 0
        self._is_stopped = False

    @classmethod
    def of_file(cls, path: Path, seed: int | None = None, **options: Any) -> SimPlayback:
        """The scenario in a file; its first seed unless another is asked for.

        Raises: ScenarioError.
        """
        scenario = load_scenario(path)
        wanted = scenario.seeds.low if seed is None else seed
        return cls(scenario, wanted, name=str(path), **options)

    # --- What it is.

    @property
    def can(self) -> frozenset[seam.Ability]:
        return CAN

    @property
    def title(self) -> str:
        fork = f" (fork {self._forks})" if self._forks else ""
        return f"{self._scenario_title}{fork}"

    @property
    def status(self) -> seam.PlaybackStatus:
        player, state = self._player, self._player.state
        count, pace = len(player.history), player.pace
        now = player.history.live.now if pace.is_flat_out or state == "ended" else pace.position
        total, ends = self._known if self._known and self._known[0] > count else (None, None)
        if state == "ended":
            total, ends = count, now
        return seam.PlaybackStatus(
            state=state,
            speed=pace.speed,
            now_ns=max(now, WALL_NS),
            began_ns=WALL_NS,
            ends_ns=ends,
            events=count,
            events_total=total,
            outcome=self._say_end() if state == "ended" else "",
            is_repeatable=True,
        )

    @property
    def run(self) -> SimulatedRun:
        """The world that is played; another one after a seek back or a fork."""
        return self._run

    def history(self) -> History:
        return self._player.history

    def start(self) -> None:
        self._player.pace.rest()

    def stop(self) -> None:
        self._is_stopped = True

    def drain(
        self, limit: int = seam.DRAIN_EVENTS_MAX, budget_ns: int = seam.DRAIN_BUDGET_NS
    ) -> list[JournalEvent]:
        return [] if self._is_stopped else self._player.drain(limit, budget_ns, self._clock)

    def _say_end(self) -> str:
        outcome = self._run.outcome
        assert outcome is not None
        if outcome.violation is not None:
            return f"{outcome.violation.invariant}: {outcome.violation.says}"
        says = f"{outcome.state} after {outcome.ended_at / 1e9:.3f} s"
        says += f": {outcome.reason}" if outcome.reason else ""
        failure = verdict_of(self._name, self._setting, outcome).failure
        if failure is None:
            return f"{says}, as the scenario expects"
        # By hand somebody may well make it end otherwise: that is no failure.
        return says if self._run.by_hand else f"{says}; but {failure.what}: {failure.says}"

    # --- Commands.

    def command(self, command: seam.Command) -> seam.CommandResult:  # noqa: C901 - a line each
        player = self._player
        match command:
            case seam.Pause():
                return _answer(player.pause())
            case seam.Resume():
                return _answer(player.resume())
            case seam.Step(what):
                return _answer(player.step(what))
            case seam.Speed(factor):
                return _answer(player.set_speed(factor))
            case seam.Seek(index, at):
                return self._seek(index, at)
            case seam.Fork(index):
                return self._fork(len(player.history) if index is None else index)
            case seam.Inject(fault):
                return self._inject(fault)
            case seam.Heal(fault_id):
                return self._heal(fault_id)
            case seam.Operate(verb, value):
                return self._inject(f.OperatorFault(verb=verb, value=value))
            case seam.SaveScenario(path):
                return self._save(path)

    def _seek(self, index: int | None, at: int | None) -> seam.CommandResult:
        behind = self._player.seek(index, at)
        if behind is not None:
            history = self.history()
            if self._known is None or self._known[0] < len(history):
                self._known = (len(history), history.live.now)
            self._go_back(behind, self._run.all_deeds)
        return seam.CommandResult(True, "")

    def _fork(self, index: int) -> seam.CommandResult:
        index = min(max(index, 0), len(self.history()))
        deeds = [deed for deed in self._run.all_deeds if deed.shown <= index]
        forgotten = len(self._run.all_deeds) - len(deeds)
        self._known = None
        self._forks += 1
        self._player.is_paused = True
        self._go_back(index, deeds)
        what = "1 deed" if forgotten == 1 else f"{forgotten} deeds"
        return seam.CommandResult(
            True, f"a fork at event {index}" + (f"; {what} of later forgotten" * bool(forgotten))
        )

    def _go_back(self, index: int, deeds: list[Any]) -> None:
        pace, past = self._player.pace, self.history().cut(index)
        # Of the present the clock may have gone on since the last event.
        position = pace.position if index == len(self.history()) else WALL_NS
        self._run = SimulatedRun(self._setting, self._run.seed, deeds, rewind_to=index)
        self._player.put(self._run, past)
        pace.put(max(past.live.now, position))

    def _inject(self, fault: AnyFault) -> seam.CommandResult:
        why_not = self._why_no_deed()
        if why_not:
            return seam.cannot(seam.Inject(fault), why_not)
        run = self._run
        fault = run.begin_fault(fault, self._player.pace.position - WALL_NS)
        last = self._setting.workload.topology.last_incremental
        mistakes = mistakes_in(run.director, fault, run.now, MODE, last)
        if mistakes:
            return seam.CommandResult(False, mistakes[0], mistakes=mistakes)
        run.inject(fault, len(self.history()))
        self._known = None
        return seam.CommandResult(True, f"{fault.id}: {fault.kind} {_when(fault)}", fault.id)

    def _heal(self, fault_id: str | None) -> seam.CommandResult:
        why_not = self._why_no_deed()
        if why_not:
            return seam.cannot(seam.Heal(fault_id), why_not)
        faults = [x for x in open_faults(self._run.director) if fault_id in (None, x.id)]
        if not faults:
            what = "no fault is open" if fault_id is None else f"{fault_id} is over, or unknown"
            return seam.CommandResult(False, f"nothing to heal: {what}")
        for fault in faults:
            self._run.lift(fault.id, len(self.history()))
        self._known = None
        return seam.CommandResult(True, f"healed: {', '.join(fault.id for fault in faults)}")

    def _why_no_deed(self) -> str:
        if self._run.is_rewinding:
            return "the moment is still being sought"
        if self._run.state != "running" or self._run.is_over:
            return "the restore has ended; fork at an earlier moment"
        return ""

    def _save(self, path: Path) -> seam.CommandResult:
        if self._run.is_rewinding:
            return seam.cannot(seam.SaveScenario(path), "the moment is still being sought")
        run = self._run
        played = scenario_of(
            run.settled,
            run.director,
            run.by_hand,
            lambda count: [*self.history().events(0, count), *run.waiting][:count],
            seed=run.seed,
            mode=MODE,
            state=run.state,
        )
        return save(played, path, is_repeatable=True)


def _answer(objection: str) -> seam.CommandResult:
    return seam.CommandResult(not objection, objection)


def _when(fault: AnyFault) -> str:
    if fault.at is not None:
        return f"at {fault.at.low / 1e9:.3f} s"
    assert fault.after is not None
    return f"after {fault.after.event}"
