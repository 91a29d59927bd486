"""The catalogue is complete: every law is stated, tested and written down."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import increstore
from increstore.judging.catalogue import INVARIANTS, NOT_JUDGED, violation_of
from increstore.judging.page import invariants_page
from increstore.simulation.explore import LAWS

PACKAGE = Path(increstore.__file__).parent
HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "INVARIANTS.md"


def test_every_law_has_an_id_a_name_and_a_sentence_of_its_own():
    laws = [*INVARIANTS, *NOT_JUDGED]
    for words in ([law.id for law in laws], [law.name for law in laws], [law.law for law in laws]):
        assert len(set(words)) == len(words)
    assert not [law.id for law in laws if not law.law.endswith((".", ".)"))]
    assert not [law.id for law in INVARIANTS if not law.observations]
    assert len(INVARIANTS) >= 50


def test_every_law_that_is_judged_has_a_test_that_breaks_it():
    tests = "".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("test_*.py")))
    caught = set(re.findall(r'caught\(\s*"([A-Z]\d+)"', tests))
    # Three laws are the word of a driver, and are tested together.
    assert {law.id for law in INVARIANTS} - caught == {"L1", "L7"}


def test_the_page_of_invariants_is_what_the_catalogue_says():
    """Made by `increstore check --list --markdown`."""
    assert PAGE.read_text(encoding="utf-8") == invariants_page()


def calls_of(*names: str) -> list[tuple[str, ast.Call]]:
    """Every call of functions or methods of these names in the package: the file, and the call."""
    return [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in names
    ]


def test_every_law_that_can_be_raised_is_in_the_catalogue():
    raised = [ast.literal_eval(call.args[0]) for _, call in calls_of("violated", "violation_of")]
    assert len(raised) > 60
    assert set(raised) == {law.id for law in INVARIANTS}


def test_nobody_gives_a_broken_law_a_name_of_his_own():
    """The one other place names what is no law: an exception of the program."""
    places = [path for path, _ in calls_of("InvariantViolated")]
    assert places == ["judging/catalogue.py", "judging/monitor.py", "simulation/run.py"]


def test_a_driver_raises_a_law_by_its_title():
    found = violation_of("F1", "a damaged frame was delivered", 5, "orders/t0")
    assert found.invariant == "F1 believed-as-sent"


def test_the_search_of_all_states_has_the_same_names():
    names = {law.id: law.name for law in INVARIANTS}
    shared = [law for law in LAWS if law.id in names]
    assert len(shared) > 20
    assert [law.title for law in shared if names[law.id] != law.name] == []
