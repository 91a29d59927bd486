"""What is wrong with the shape of a file, in words: place, what was expected, what was found."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from increstore.scenario.base import ScenarioModel
from increstore.scenario.faults import FAULT_MODELS
from increstore.scenario.model import Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from tomllib import TOMLDecodeError

    from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]

KINDS = tuple(FAULT_MODELS)
SECTIONS = tuple(
    name
    for name, field in Scenario.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, ScenarioModel)
)


def syntax_complaint(where: str, text: str, error: TOMLDecodeError) -> str:
    """Where the text stops being TOML."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
    if found is None:
        return f"{where}: not TOML: {error}"
    what = re.sub(r"\(('[^()]*?'),?\)", r"\1", found[1])  # A name in parts is told as a tuple.
    if found[2]:
        place = f"line {found[2]}, column {found[3]}"
    else:
        lines = text.split("\n")
        place = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return f"{where}: {place}: not TOML: {what}"


def suggestion(word: str, known: Sequence[str]) -> str:
    """`(did you mean 'from'?)`, or the known words when none is close."""
    close = get_close_matches(word, known, n=1)
    return f"(did you mean '{close[0]}'?)" if close else f"(expected {listed(known)})"


def listed(words: Sequence[str]) -> str:
    """`a, b or c`."""
    if len(words) < 2:
        return "".join(words) or "none"
    return f"{', '.join(words[:-1])} or {words[-1]}"


def fault_place(number: int, kind: object) -> str:
    """How a complaint names a fault: by its number in the file (1-based), and its kind."""
    return f'fault {number} (kind = "{kind}")' if isinstance(kind, str) else f"fault {number}"


def complaints(raw: Mapping[str, Any], problems: Sequence[ErrorDetails]) -> list[str]:
    """What pydantic found, each as `place: what`."""
    within = {problem["loc"][:-1] for problem in problems}
    return [
        _complaint(raw, problem)
        for problem in problems
        # A list whose items are all wrong is not also empty.
        if not (problem["type"] == "too_short" and problem["loc"] in within)
    ]


def _complaint(raw: Mapping[str, Any], problem: ErrorDetails) -> str:
    loc = problem["loc"]
    if problem["type"] == "extra_forbidden":
        key = str(loc[-1])
        place = _place(raw, loc[:-1])
        words = f"unknown key {key!r} {suggestion(key, _known_keys(loc))}"
    else:
        place, words = _place(raw, loc), _words(problem)
    return f"{place}: {words}" if place else words


def _place(raw: Mapping[str, Any], loc: Place) -> str:
    """`fault 2 (kind = "drop"): from`, `[cluster] sources`, `title`; a wrong key is not in it."""
    if loc and loc[0] == "fault" and len(loc) > 1 and isinstance(loc[1], int):
        fault = raw["fault"][loc[1]]
        kind = fault.get("kind") if isinstance(fault, dict) else None
        # After the number pydantic names the model it tried, which the kind says already.
        rest = loc[3:] if len(loc) > 2 and loc[2] == kind else loc[2:]
        path = _path(rest)
        return fault_place(loc[1] + 1, kind) + (f": {path}" if path else "")
    if loc and loc[0] in SECTIONS:
        path = _path(loc[1:])
        return f"[{loc[0]}] {path}" if path else f"[{loc[0]}]"
    return _path(loc)


def _known_keys(loc: Place) -> list[str]:
    """The keys that are allowed where the key at the end of `loc` stands."""
    model: Any = Scenario
    if loc[0] == "fault":
        model = FAULT_MODELS[str(loc[2])]
    elif len(loc) > 1:
        model = Scenario.model_fields[str(loc[0])].annotation
    return [field.alias or name for name, field in model.model_fields.items()]


def _path(loc: Place) -> str:
    """`groups, item 2`: list positions count from 1."""
    words = [f"item {part + 1}" if isinstance(part, int) else part for part in loc]
    return ", ".join(words)


def _words(problem: ErrorDetails) -> str:
    context: dict[str, Any] = problem.get("ctx", {})
    match problem["type"]:
        case "missing":
            return "is missing"
        case "value_error":
            return str(context["error"])
        case "union_tag_invalid":
            return f"unknown kind {context['tag']!r} {suggestion(context['tag'], KINDS)}"
        case "union_tag_not_found":
            return f"kind is missing (expected {listed(KINDS)})"
        case kind:
            expected = _EXPECTED.get(kind)
            words = expected.format(**context) if expected else problem["msg"]
            return f"{words}, got {problem['input']!r}"


_EXPECTED = {
    "literal_error": "expected {expected}",
    "greater_than_equal": "expected a number of at least {ge}",
    "greater_than": "expected a number above {gt}",
    "less_than_equal": "expected a number of at most {le}",
    "less_than": "expected a number below {lt}",
    "too_short": "expected at least one item",
    "string_too_short": "must not be empty",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "string_type": "expected a text in quotes",
    "tuple_type": "expected a list",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
}
"""By pydantic's type of problem: what should have been there."""
