"""The scenarios in `scenarios/`: each is valid, short, says why it is there, and holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from increstore.proving.everywhere import plan_crashes
from increstore.proving.simulated import run_simulated
from increstore.proving.tasks import run_task
from increstore.scenario.load import load_scenario
from increstore.scenario.words import DROP_MARK, DROPS, PHASES, VERBS_REFUSED

FOLDER = Path(__file__).parents[2] / "scenarios"
PATHS = sorted(FOLDER.glob("*.toml"))
SIMULATED = [path for path in PATHS if "simulation" in load_scenario(path).on]
LINES_MAX = 32
MORE_SEEDS = (1001, 1002, 1003)
PAIRS_MAX = 20
SMALL = ("nothing_at_all", "one_of_each", "silent_source")


def by_name(path):
    return path.stem


def test_there_are_enough_of_them_and_no_two_say_the_same():
    scenarios = [load_scenario(path) for path in PATHS]

    assert len(PATHS) >= 36
    assert len({scenario.title for scenario in scenarios}) == len(PATHS)
    assert len({scenario.why for scenario in scenarios}) == len(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=by_name)
def test_a_shipped_scenario_is_short_and_says_why_it_is_there(path):
    scenario = load_scenario(path)

    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", path.stem)
    assert len(path.read_text("utf-8").splitlines()) <= LINES_MAX
    assert 40 <= len(scenario.why) <= 250
    assert scenario.why.endswith(".")


@pytest.mark.parametrize("path", PATHS, ids=by_name)
def test_a_shipped_scenario_asks_that_each_of_its_faults_has_struck(path):
    """One that does not reach what it is about would be green for ever."""
    scenario = load_scenario(path)
    struck = {f"fault: {fault.id}" for fault in scenario.faults}

    assert scenario.swarm.omit or struck <= set(scenario.expect.reached)


def test_every_reason_to_drop_a_message_is_reached_by_a_shipped_scenario():
    """Each run of a scenario must reach what it asks for, so here it is enough that one asks."""
    asked = {
        mark.removeprefix(DROP_MARK)
        for path in SIMULATED
        for mark in load_scenario(path).expect.reached
        if mark.startswith(DROP_MARK)
    }

    assert [why for why in DROPS if why not in asked] == []
    assert [p for p in PHASES if not any(w.endswith(f"while {p} awaited") for w in asked)] == []
    assert [v for v in VERBS_REFUSED if f"operator: cannot {v} now" not in asked] == []


@pytest.mark.parametrize("path", SIMULATED, ids=by_name)
def test_a_shipped_scenario_holds_for_its_seeds_and_for_others(path):
    seeds = load_scenario(path).seeds

    verdicts = [
        run_simulated(str(path), seed) for seed in (*range(seeds.low, seeds.high + 1), *MORE_SEEDS)
    ]

    assert [(v.replay_command(), v.failure) for v in verdicts if not v.is_green] == []


@pytest.mark.parametrize("name", SMALL)
def test_a_small_scenario_survives_a_crash_at_each_of_its_points(name):
    path = str(FOLDER / f"{name}.toml")
    crashes = plan_crashes(path, 0, run_simulated(path, 0).points, PAIRS_MAX)

    verdicts = [run_task(task) for task in crashes.tasks()]

    assert crashes.points > 20
    assert [(v.replay_command(), v.failure) for v in verdicts if not v.is_green] == []


def test_the_list_of_shipped_scenarios_is_the_folder():
    """docs/SCENARIOS.md: every file with its title, and where it runs."""
    page = (FOLDER.parent / "docs/SCENARIOS.md").read_text("utf-8")
    section = page.partition("## The shipped scenarios")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section, re.MULTILINE)
    scenarios = {path.stem: load_scenario(path) for path in PATHS}

    assert sorted(listed) == [
        (name, s.title, "everywhere" if len(s.on) == 3 else ", ".join(s.on))
        for name, s in sorted(scenarios.items())
    ]
