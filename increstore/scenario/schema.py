"""The format of scenario files as JSON Schema, for editors that complete and check while typing.

It knows shapes and words, not sense: that a fault begins before the heal only `load` can tell.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from increstore.scenario.complaints import SECTIONS
from increstore.scenario.faults import FAULT_MODELS
from increstore.scenario.model import Scenario
from increstore.scenario.words import EVENTS, MESSAGES, RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHAPES = ("duration", "duration or range", "shift", "rate", "rate or range", "size")
_WORDS_OF_LISTS: dict[str, Iterable[str]] = {"message": MESSAGES, "record": RECORDS}
_WORD_OR_WORDS = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ]
}


def json_schema() -> dict[str, Any]:
    """The schema of one scenario file."""
    raw = Scenario.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = {"words": _WORD_OR_WORDS}
    schema = _tidy(raw, definitions)
    definitions.update(schema.pop("$defs"))
    for model in FAULT_MODELS.values():
        _name_words(definitions[model.__name__])
    for name in SECTIONS:
        _show_defaults(schema["properties"][name], definitions)
    event = definitions["EventMatch"]["properties"]
    del event["facts"]  # They are written as keys of their own.
    event["event"]["enum"] = list(EVENTS)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "increstore scenario",
        **schema,
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """The schema as `docs/scenario.schema.json` holds it."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _tidy(node: Any, definitions: dict[str, Any]) -> Any:
    """Without what TOML cannot say (null), without made-up titles, each shape defined once."""
    if isinstance(node, list):
        return [_tidy(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    choices = node.get("anyOf")
    if choices and {"type": "null"} in choices:
        left = [choice for choice in choices if choice != {"type": "null"}]
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        node = {**rest, **left[0]} if len(left) == 1 else {**rest, "anyOf": left}
    if node.get("title") in _SHAPES:
        return _reference(node, definitions)
    tidied = {key: _tidy(value, definitions) for key, value in node.items() if _is_kept(key, value)}
    if tidied.get("anyOf") == _WORD_OR_WORDS["anyOf"]:
        del tidied["anyOf"]
        tidied["$ref"] = "#/$defs/words"
    return tidied


def _is_kept(key: str, value: Any) -> bool:
    """A title is made up unless it stands for a property of that name."""
    if key == "title":
        return not isinstance(value, str)
    return key != "default" or bool(value and not isinstance(value, list | tuple))


def _reference(shape: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    name = shape["title"].replace(" ", "-")
    definitions[name] = {key: shape[key] for key in ("type", "pattern", "examples")}
    return {"$ref": f"#/$defs/{name}"}


def _show_defaults(section: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Move a section's defaults, as texts, to where its keys are described."""
    model = definitions[section["$ref"].rpartition("/")[2]]
    for key, value in section.pop("default").items():
        if value or value == 0:
            model["properties"][key]["default"] = value


def _name_words(model: dict[str, Any]) -> None:
    """A fault needs its kind; words that are names are listed."""
    model["required"] = ["kind", *model.get("required", ())]
    del model["properties"]["kind"]["default"]
    for key, words in _WORDS_OF_LISTS.items():
        if key in model["properties"]:
            names = {"enum": list(words)}
            many = {"type": "array", "items": names, "minItems": 1}
            model["properties"][key] = {"anyOf": [names, many]}
