"""The judges find what was planted for them, and planting leaves nothing behind."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from increstore.protocol.coordinator import Coordinator
from increstore.protocol.phase import Phase
from increstore.protocol.scan_phase import ScanPhase
from tests.planted.bug import Bug, CrashEverywhere, RealRuns, Seeds, Tests
from tests.planted.patching import Edit, PlantError, function_at, planted
from tests.planted.report import hunts_of, laws_without_a_bug, page
from tests.planted.table import BUGS
from tests.planted.trial import follow, hunt_planted
from tests.planted.workshop import do_all

ROOT = Path(__file__).resolve().parents[2]
SIMULATED = [bug for bug in BUGS if isinstance(bug.hunt, Seeds | CrashEverywhere)]
ONE_OF_EACH_GROUP = [next(bugs) for _, bugs in groupby(SIMULATED, key=lambda bug: bug.group)]

NEVER_OVER = Edit("increstore.protocol.phase:Phase.is_over", "not self.asking.contacts", "False")


@pytest.mark.parametrize("bug", ONE_OF_EACH_GROUP, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught_by_the_judge_it_was_planted_for(bug):
    trial = hunt_planted(bug)

    assert trial.catch is not None
    assert bug.is_caught_by(trial.catch.what), trial.catch


def test_without_a_bug_the_same_hunts_are_green():
    for hunt in hunts_of(ONE_OF_EACH_GROUP):
        if isinstance(hunt, Seeds):
            assert follow(Seeds(hunt.scenario, 3)).catch is None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_still_fits_the_code_that_it_is_planted_in(bug):
    places = [edit.place for edit in bug.edits]
    before = [function_at(place).__code__ for place in places]

    with planted(bug.edits):
        during = [function_at(place).__code__ for place in places]

    assert all(old != new for old, new in zip(before, during, strict=True))
    assert [function_at(place).__code__ for place in places] == before


def test_every_invariant_that_is_judged_has_a_bug_that_turns_it_red():
    assert laws_without_a_bug() == []


def test_bugs_have_names_of_their_own():
    assert len({bug.name for bug in BUGS}) == len(BUGS)


def test_the_page_of_planted_bugs_is_that_of_the_table():
    """Made by `python -m tests.planted --page > docs/PLANTED.md`."""
    assert (ROOT / "docs/PLANTED.md").read_text(encoding="utf-8") == page()


def test_a_text_that_is_not_there_is_refused_and_nothing_is_planted():
    before = Phase.is_over.fget.__code__
    gone = Edit("increstore.protocol.phase:Phase.advance", "text of another day", "pass")

    with (
        pytest.raises(PlantError, match=r"Phase.advance: .* is there 0 times"),
        planted([NEVER_OVER, gone]),
    ):
        pytest.fail("it must not get here")

    assert Phase.is_over.fget.__code__ is before


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (Edit("increstore.protocol.phase:Phase.no_such", "a", "b"), "no such function"),
        (Edit("increstore.no_such:Phase.advance", "a", "b"), "no such function"),
        (Edit("increstore.protocol.phase:Phase", "a", "b"), "expected a function"),
        (
            Edit("increstore.protocol.phase:Phase.advance", "now = self.desk.now", "now = ="),
            "no Python",
        ),
        (
            Edit("increstore.protocol.scan_phase:ScanPhase.advance", "super().advance()", "pass"),
            "super",
        ),
    ],
)
def test_what_cannot_be_planted_is_told(edit, complaint):
    with pytest.raises(PlantError, match=complaint), planted([edit]):
        pytest.fail("it must not get here")


def fail_while_planted():
    with planted([NEVER_OVER]):
        assert Phase.is_over.fget(None) is False, "what is planted does not look at the phase"
        raise ZeroDivisionError


def test_planting_ends_with_its_block_also_when_that_fails():
    before = Phase.is_over.fget.__code__

    with pytest.raises(ZeroDivisionError):
        fail_while_planted()

    assert Phase.is_over.fget.__code__ is before


def test_a_planted_method_still_finds_the_class_above_it():
    edit = Edit(
        "increstore.protocol.scan_phase:ScanPhase.advance",
        "while self._failed and self.desk.is_active:",
        "while False:",
    )

    with planted([edit]):
        trial = follow(Seeds("scenarios/healthy.toml", 1))

    assert trial.catch is None, "without a failure nothing is different"
    assert ScanPhase.advance.__code__.co_freevars == ("__class__",)


def test_a_crash_of_the_plant_itself_is_no_catch():
    """A mistake in the table must not look like a success of the judges."""
    bug = Bug(
        name="a plant that does not work",
        group="order",
        says="",
        edits=(Edit("increstore.protocol.coordinator:Coordinator._begin", "= True", "= nobody"),),
        hunt=Seeds("scenarios/healthy.toml", 1),
        caught_by=("O1",),
    )

    trial = hunt_planted(bug)

    assert trial.catch is not None
    assert trial.catch.what == "raised NameError in _begin"
    assert not bug.is_caught_by(trial.catch.what)
    assert Coordinator._begin.__code__.co_filename.endswith("coordinator.py")


def test_hunts_with_threads_files_or_tests_go_on_in_processes_of_their_own():
    on_disk = next(bug for bug in BUGS if isinstance(bug.hunt, Tests))
    on_the_machine = next(bug for bug in BUGS if isinstance(bug.hunt, RealRuns))
    simulated = BUGS[0]
    bugs = {bug.name: bug for bug in (simulated, on_disk, on_the_machine)}

    done = {done.task: done.trial for done in do_all(list(bugs), jobs=2)}

    assert done.keys() == bugs.keys()
    for name, trial in done.items():
        assert trial.catch is not None, name
        assert bugs[name].is_caught_by(trial.catch.what), trial.catch
    here, there = hunt_planted(simulated), done[simulated.name]
    assert (there.catch, there.runs) == (here.catch, here.runs)


def test_a_hunt_that_cannot_be_made_says_why():
    (done,) = do_all([Seeds("scenarios/no_such_file.toml")], jobs=1)

    assert done.trial is None
    assert "no_such_file.toml" in done.error
