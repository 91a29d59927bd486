"""The catalogue is complete: every law is stated, tested and written down."""

from __future__ import annotations

import re
from pathlib import Path

from increstore.judging.catalogue import INVARIANTS, NOT_JUDGED
from increstore.judging.page import invariants_page

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
