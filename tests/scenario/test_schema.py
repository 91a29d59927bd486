"""The schema that editors read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from increstore.scenario.faults import FAULT_MODELS
from increstore.scenario.schema import json_schema, schema_text
from increstore.scenario.words import EVENTS, MESSAGES

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "scenario.schema.json"
SCHEMA = json_schema()


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from references(value)
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def test_the_shipped_schema_is_that_of_the_code():
    shipped = json.loads(PAGE.read_text(encoding="utf-8"))
    assert shipped == json.loads(schema_text()), (
        'write it anew: python -c "from increstore.scenario.schema import schema_text as text; '
        "print(text(), end='')\" > docs/scenario.schema.json"
    )


def test_every_reference_leads_to_a_definition():
    found = set(references(SCHEMA))
    assert found
    assert found == {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


def test_every_kind_of_fault_is_there_and_must_be_named():
    for kind, model in FAULT_MODELS.items():
        definition = SCHEMA["$defs"][model.__name__]
        assert definition["properties"]["kind"] == {"const": kind, "type": "string"}
        assert "kind" in definition["required"]
        assert definition["additionalProperties"] is False


def test_names_are_listed_for_completion():
    assert SCHEMA["$defs"]["EventMatch"]["properties"]["event"]["enum"] == list(EVENTS)
    message = SCHEMA["$defs"]["Drop"]["properties"]["message"]
    assert message["anyOf"][0]["enum"] == list(MESSAGES)
    assert "from" in SCHEMA["$defs"]["Drop"]["properties"]


def test_defaults_are_written_as_people_write_them():
    assert SCHEMA["$defs"]["PolicySpec"]["properties"]["backoff_max"]["default"] == "8s"
    assert SCHEMA["$defs"]["WorkloadSpec"]["properties"]["deletes"]["default"] == "20%"


@pytest.mark.parametrize(
    ("shape", "good", "bad"),
    [
        ("duration", ["250ms", "1.5s", "0"], ["3", "-1s", "1s..2s"]),
        ("duration-or-range", ["1ms..20ms", "3s"], ["1..20ms", "s"]),
        ("shift", ["-1h", "-1s..1s"], ["1"]),
        ("rate", ["5%", "0.5%"], ["5", "0..5%"]),
        ("rate-or-range", ["0..5%", "1%..5%", "2%"], ["5", "0..5"]),
        ("size", ["64KB", "1 MiB"], ["64"]),
    ],
)
def test_the_shapes_accept_what_is_read_and_refuse_what_is_not(shape, good, bad):
    pattern = re.compile(SCHEMA["$defs"][shape]["pattern"])
    assert [text for text in good if not pattern.fullmatch(text)] == []
    assert [text for text in bad if pattern.fullmatch(text)] == []
