"""A run with all that was done to it by hand, written as a scenario file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.errors import ScenarioError
from increstore.scenario.as_played import as_played, expecting
from increstore.scenario.load import parse_scenario
from increstore.scenario.text import to_toml
from increstore.tui.playback.seam import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from increstore.journal import JournalEvent
    from increstore.scenario.by_hand import ByHand
    from increstore.scenario.compiled import EventTest
    from increstore.scenario.director import Director
    from increstore.scenario.model import Scenario


def scenario_of(
    settled: Scenario,
    director: Director,
    by_hand: ByHand,
    first: Callable[[int], Iterable[JournalEvent]],
    *,
    seed: int,
    mode: str,
    state: str,
) -> Scenario:
    """The scenario that does again what was done; `state` is how the restore has ended so far.

    `first(n)`: the first n events of the run.
    """

    def told(test: EventTest, events: int) -> int:
        return sum(
            event.name == test.event and test.accepts(event.node, event.facts)
            for event in first(events)
        )

    played = as_played(settled, director, by_hand, seed=seed, mode=mode, told=told)
    return expecting(played, state, director.reached)


def save(scenario: Scenario, path: Path, *, is_repeatable: bool) -> CommandResult:
    """Write the file; one that is there already is left alone."""
    text = to_toml(scenario)
    try:
        parse_scenario(text, str(path))
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except ScenarioError as error:
        return CommandResult(False, f"not saved: {error}", mistakes=error.problems)
    except FileExistsError:
        return CommandResult(False, f"{path} exists already; name another file")
    except OSError as error:
        return CommandResult(False, f"{path}: cannot be written ({error.strerror})")
    seed = scenario.seeds.low
    again = f"increstore run {path} --on {scenario.on[0]} --seed {seed}"
    how = "does exactly this again" if is_repeatable else "does the like again"
    return CommandResult(True, f"saved; {again} {how}")
