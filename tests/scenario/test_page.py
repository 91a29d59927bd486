"""docs/SCENARIOS.md says what the code does: its tables and examples are compared with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from increstore.scenario.complaints import SECTIONS
from increstore.scenario.faults import FAULT_MODELS, MODES, CrashFault, DiskFaultSpec, MessageFault
from increstore.scenario.load import parse_scenario
from increstore.scenario.model import Scenario
from increstore.scenario.trigger import CountedFault
from increstore.simulation.run import simulate
from increstore.simulation.setting import prepare_setting
from tests.scenario.builders import HEAD, mistakes

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "SCENARIOS.md"
TEXT = PAGE.read_text(encoding="utf-8")


def cells(line):
    """What a row of a table has in its columns."""
    return re.split(r"\s*\|\s*", line.strip("|").strip(" "))


ROWS = [cells(line) for line in TEXT.splitlines() if line.startswith("| `")]
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def of_variant(cell):
    """`crash` with `wipe` as "crash with wipe", `disk` with `action = "eio"` as "disk eio"."""
    words = re.sub(r'`|"', "", cell)
    return words.replace("with action = ", "")


def test_each_kind_of_fault_runs_where_its_row_says():
    rows = {of_variant(row[0]): row[-1] for row in ROWS if len(row) == 4}
    assert rows == {variant: ", ".join(modes) for variant, modes in MODES.items()}


@pytest.mark.parametrize("kind", FAULT_MODELS)
def test_each_key_of_a_fault_is_in_its_row(kind):
    common = {*MessageFault.model_fields, *CountedFault.model_fields, "kind"}
    own = {
        field.alias or name
        for name, field in FAULT_MODELS[kind].model_fields.items()
        if name not in common
    }
    rows = " ".join(
        " ".join(row) for row in ROWS if len(row) == 4 and of_variant(row[0]).split()[0] == kind
    )
    assert rows
    assert [key for key in sorted(own) if f"`{key}" not in rows and f"{key} =" not in rows] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_each_key_of_a_section_is_in_its_table_with_its_default(section):
    default = getattr(Scenario(title="t", why="w"), section)
    told = defaults_told(section)
    assert sorted(told) == sorted(type(default).model_fields)
    for key, text in told.items():
        value = getattr(default, key)
        if value in (None, ""):
            assert text in {"", "off", "never"}, key
        else:
            read = type(default).model_validate({key: tomllib.loads(f"x = {text}")["x"]})
            assert getattr(read, key) == value, key


def defaults_told(section):
    """The default of each key, as its table has it; a row may have several of both."""
    told = {}
    for line in TEXT.partition(f"`[{section}]`")[2].splitlines()[1:]:
        if line.startswith(("#", "`[")):
            break
        if line.startswith("| `"):
            names, defaults = cells(line)[:2]
            keys = re.findall(r"`(\w+)`", names)
            texts = re.findall(r'"[^"]*"|-?\d+|\[\]', defaults) or [defaults]
            told |= zip(keys, texts * (len(keys) // len(texts)), strict=True)
    return told


def test_points_and_operations_are_named():
    points = CrashFault.model_fields["point"].annotation
    operations = DiskFaultSpec.model_fields["op"].annotation
    words = [word for word in (*get_args(points), *get_args(operations)) if word]
    assert len(words) == 4 + 6
    assert [word for word in words if f"`{word}`" not in TEXT] == []


def test_every_example_runs_as_it_says():
    assert len(EXAMPLES) >= 6
    for example in EXAMPLES:
        if example.startswith("after ="):
            example = f'[[fault]]\nkind = "usurp"\n{example}'
        scenario = parse_scenario(example if "title" in example else HEAD + example, "page")
        setting = prepare_setting(scenario)
        for outcome in (simulate(setting, seed) for seed in range(5)):
            assert outcome.violation is None, example
            assert outcome.state == scenario.expect.outcome, example
            assert outcome.not_reached == (), example


def test_the_mistakes_shown_are_those_that_are_told():
    shown = re.findall(r"^    lost\.toml: (.*)$", TEXT, re.MULTILINE)
    found = mistakes(
        '[cluster]\nsources = 0\n[[fault]]\nkind = "drop"\nform = "s1"\n', 'title="t"\nwhy="w"\n'
    )
    assert found == shown[:2]
    (third,) = mistakes(
        '[[fault]]\nkind = "drop"\n[[fault]]\nkind = "crash"\nnode = "s5"\nat = "1s"'
    )
    assert third.startswith(shown[2].removesuffix(".."))
