"""Engines of real nodes that can be broken by hand: a scenario, or a restore that is a drill.

What a person does is done inside the run, by the same director that plays a scenario's own faults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.proving.folders import run_folder
from increstore.proving.real import expected_rows, run_real
from increstore.proving.verdict import find_failure
from increstore.runtime.control import Reins
from increstore.scenario import faults as f
from increstore.scenario.by_hand import (
    ByHand,
    Injected,
    begin_at,
    lift,
    mistakes_in,
    open_faults,
)
from increstore.scenario.load import load_scenario
from increstore.tui.playback import seam
from increstore.tui.playback.saving import save, scenario_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from increstore.journal import JournalEvent
    from increstore.proving.commands import Commands
    from increstore.proving.real import RealOutcome
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.model import Scenario
    from increstore.view.history import History

CAN: frozenset[seam.Ability] = frozenset({"inject", "heal", "operate", "save"})
NO_LIMIT_S = float("inf")
"""A person decides when it has lasted long enough."""


class Drilled:
    """What engines of drills share: an onlooker that reaches into the run."""

    takes_faults = True

    def __init__(self, title: str, mode: str, seed: int) -> None:
        self.by_hand = ByHand()
        self.title = title
        self._mode = mode
        self._seed = seed
        self._reins = Reins()
        self._commands: Commands | None = None
        self._put: Callable[[JournalEvent], None] | None = None
        self._told = 0
        """Events so far."""

    @property
    def can(self) -> frozenset[seam.Ability]:
        return CAN

    def stop(self) -> None:
        self._reins.stop()

    def tell(self, put: Callable[[JournalEvent], None]) -> None:
        """Where events go from now on."""
        self._put = put

    # --- As an onlooker, inside the run.

    def __call__(self, event: JournalEvent) -> None:
        self._told += 1
        if self._put is not None:
            self._put(event)

    def reach(self, commands: Commands) -> None:
        self._commands = commands
        self._reins.attach(lambda: commands.stop("the dashboard"))

    # --- Commands.

    def command(self, command: seam.Command, history: History) -> seam.CommandResult:
        match command:
            case seam.Inject(fault):
                return self._inside(command, lambda commands: self._inject(commands, fault))
            case seam.Heal(fault_id):
                return self._inside(command, lambda commands: self._heal(commands, fault_id))
            case seam.Operate(verb, value):
                fault = f.OperatorFault(verb=verb, value=value)
                return self._inside(command, lambda commands: self._inject(commands, fault))
            case seam.SaveScenario(path):
                return self._save(path, history)
            case _:
                return seam.cannot(command, "real time cannot be held, hurried or turned back")

    def _inside(
        self, command: seam.Command, do: Callable[[Commands], seam.CommandResult]
    ) -> seam.CommandResult:
        commands = self._commands
        if commands is None:
            return seam.cannot(command, "the run has not begun yet")
        result = self._reins.ask(lambda: do(commands))
        return result or seam.cannot(command, "the run has ended")

    def _inject(self, commands: Commands, fault: AnyFault) -> seam.CommandResult:
        drill = commands.drill
        director, now = drill.director, drill.conductor.clock()
        fault = begin_at(director, fault, now)
        mistakes = (*mistakes_in(director, fault, now, self._mode, None), *_unprepared(fault))
        if mistakes:
            return seam.CommandResult(False, mistakes[0], mistakes=mistakes)
        director.add(fault)
        self.by_hand.injected.append(Injected(fault, self._told))
        drill.conductor.tell()
        return seam.CommandResult(True, f"{fault.id}: {fault.kind}", fault.id)

    def _heal(self, commands: Commands, fault_id: str | None) -> seam.CommandResult:
        drill = commands.drill
        faults = [x for x in open_faults(drill.director) if fault_id in (None, x.id)]
        for fault in faults:
            self.by_hand.lifted.append(lift(drill.director, fault, drill.conductor.clock()))
        drill.conductor.tell()
        if not faults:
            what = "no fault is open" if fault_id is None else f"{fault_id} is over, or unknown"
            return seam.CommandResult(False, f"nothing to heal: {what}")
        return seam.CommandResult(True, f"healed: {', '.join(fault.id for fault in faults)}")

    def _save(self, path: Path, history: History) -> seam.CommandResult:
        commands = self._commands
        if commands is None:
            return seam.cannot(seam.SaveScenario(path), "the run has not begun yet")
        scenario = scenario_of(
            commands.drill.scenario,
            commands.drill.director,
            self.by_hand,
            lambda count: history.events(0, count),
            seed=self._seed,
            mode=self._mode,
            state=commands.state,
        )
        return save(scenario, path, is_repeatable=False)


def _unprepared(fault: AnyFault) -> tuple[str, ...]:
    if isinstance(fault, f.CrashFault) and fault.rollback:
        return (
            "rollback: older copies are kept only when a scenario asks for them from the start; "
            "write it into the file",
        )
    return ()


class ScenarioEngine(Drilled):
    """A scenario on real nodes, in a folder that is gone afterwards."""

    def __init__(self, scenario: Scenario, mode: str, seed: int, base: Path) -> None:
        """A collection that the scenario names is looked for from `base`."""
        super().__init__(scenario.title, mode, seed)
        self.outcome: RealOutcome | None = None
        """Once it has ended."""
        self._scenario = scenario
        self._base = base

    @classmethod
    def of_file(cls, path: Path, mode: str, seed: int) -> ScenarioEngine:
        """Raises: ScenarioError."""
        return cls(load_scenario(path), mode, seed, path.parent)

    def run(self, put: Callable[[JournalEvent], None]) -> str:
        self.tell(put)
        with run_folder() as folder:
            outcome = self.outcome = run_real(
                self._scenario,
                self._seed,
                self._mode,
                folder,
                base=self._base,
                onlooker=self,
                limit_s=NO_LIMIT_S,
            )
        if self._reins.is_stopped:
            return "stopped"
        return self._say(outcome)

    def _say(self, outcome: RealOutcome) -> str:
        says = f"{outcome.state} after {outcome.seconds:.1f} s"
        says += f": {outcome.reason}" if outcome.reason else ""
        failure = find_failure(self._scenario, outcome, expected_rows(self._scenario))
        if failure is None:
            return f"{says}, as the scenario expects"
        if self.by_hand and outcome.violation is None and failure.what in ("outcome", "reached"):
            return says  # By hand somebody may well make it end otherwise.
        return f"{says}; but {failure.what}: {failure.says}"
