"""`increstore explore` as a person and as a script meet it: words, JSON and exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result
from simulation.explore_plants import PLANTS

from increstore.cli.explore import Report, explore
from increstore.simulation.explore import LAWS, Search
from tests.cli.json_page import undescribed

SMALL = ("--sources", "1", "--incrementals", "0")


def run(*options: str) -> Result:
    return CliRunner().invoke(explore, [*SMALL, *options])


def report_on(name: str) -> Report:
    """What the command prints of a restore with this planted mistake."""
    plant = next(plant for plant in PLANTS if plant.name.startswith(name))
    search = Search(plant.world(), plant.faults())
    return Report(search, search.run(), 0.5, "increstore explore --crashes 0")


def test_a_restore_that_keeps_every_law_ends_with_code_0():
    result = run()

    scope, states, speed, verdict = result.stdout.splitlines()
    assert result.exit_code == 0
    assert scope == (
        "a full backup, 1 source, 1 target, 0 incrementals, 1 table, 1 page, 1 batch; "
        "with 1 crash, 1 loss"
    )
    assert "states (" in states
    assert "states/s" in speed
    assert (
        verdict == f"every state was seen: all {len(LAWS)} laws hold, and each state can still end"
    )


@pytest.mark.parametrize(
    ("limit", "told"), [(("--depth-max", "9"), "--depth-max"), (("--states-max", "50"), "--states")]
)
def test_a_search_that_was_stopped_says_that_it_has_not_seen_everything(limit, told):
    result = run(*limit)

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].startswith(f"stopped by {told}")


def test_json_is_one_object_with_the_figures():
    result = run("--json", "--failures", "1", "--distinct")

    found = json.loads(result.stdout)
    assert found["event"] == "explore.completed"
    assert (found["broken"], found["exhausted"], found["stopped_by"]) == (None, True, None)
    assert found["states"] == found["states_in_full"] > 100
    assert found["command"] == (
        "increstore explore --sources 1 --incrementals 0 --failures 1 --distinct"
    )


def test_a_world_without_sources_is_a_usage_error():
    result = CliRunner().invoke(explore, ["--sources", "0"])

    assert result.exit_code == 2
    assert "0 is not in the range 1<=x<=6" in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--sources", "1000"), "1000 is not in the range"),
        (("--batches", "10"), "10 is not in the range"),
        (("--crashes", "99999999999999999999"), "is not in the range 0<=x<=99"),
        (("--sources", "6", "--targets", "6"), "518,400 ways to exchange like shards"),
    ],
)
def test_a_world_that_could_not_even_be_begun_is_a_usage_error(words, told):
    result = CliRunner().invoke(explore, [*words, "--states-max", "10"])

    assert result.exit_code == 2
    assert told in result.stderr


def test_many_shards_that_are_told_apart_can_be_begun():
    result = CliRunner().invoke(
        explore, ["--sources", "6", "--targets", "6", "--distinct", "--depth-max", "1"]
    )

    assert result.exit_code == 0


def test_a_broken_law_is_told_step_by_step_and_ends_with_code_5(capsys):
    report = report_on("ReportsExhausted")

    report.print_text()

    lines = capsys.readouterr().out.splitlines()
    assert report.exit_code == 5
    assert lines[0].startswith("   1  coordinator  starts  ->  records RestoreAccepted")
    assert "broken after 5 steps, the fewest: C7 nothing-left-out" in lines
    assert lines[-1] == "increstore explore --crashes 0"


def test_a_broken_law_as_json_is_an_object_a_step_and_the_result(capsys):
    report_on("ReportsExhausted").print_json()

    *steps, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert [step["step"] for step in steps] == [1, 2, 3, 4, 5]
    assert steps[-1]["node"] == "orders/s0"
    assert steps[-1]["happens"] == "reads page 0"
    assert {step["event"] for step in steps} == {"explore.step"}
    assert result["broken"] == "C7 nothing-left-out"
    assert result["exhausted"] is False
    assert undescribed("explore", [*steps, result]) == []


def test_a_search_that_is_interrupted_says_how_far_it_came():
    running = subprocess.Popen(
        [sys.executable, "-m", "increstore", "explore", "--targets", "2", "--crashes", "9"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline().startswith("a full backup, 2 sources")
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=20)
    assert running.returncode == 7, told
    assert re.search(r"stopped at [\d,]+ states, \d+ steps far: no law is broken so far", told)
