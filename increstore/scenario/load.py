"""From the text of a scenario file to a `Scenario`, or to every mistake in it at once.

The shape is judged first, part by part; what is sound is then judged for its sense, so that one
wrong unit does not hide a wrong name elsewhere. Nothing runs before both found nothing.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from increstore.errors import ScenarioError
from increstore.scenario.checks import Broken, find_mistakes
from increstore.scenario.collection_check import collection_mistakes
from increstore.scenario.complaints import complaints, syntax_complaint
from increstore.scenario.model import FORMAT, Scenario, default_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MISTAKES_MAX = 50
"""Mistakes of one file that are told."""
CHARACTERS_MAX = 800
"""Of one mistake: enough for all words that a list of words may hold."""
BYTES_MAX = 1 << 20
"""Of one file; a page is enough for what a person writes, and a hundred for what --shrink does."""
_STAND_IN = {"title": "-", "why": "-"}


def load_scenario(path: Path) -> Scenario:
    """The scenario in this file.

    Raises: ScenarioError listing every mistake, or saying why the file cannot be read.
    """
    return parse_scenario(text_of(path), str(path), path.parent)


def text_of(path: Path) -> str:
    """The text of a scenario file. Raises: ScenarioError when it cannot be read, or is no text."""
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise ScenarioError(
                f"{path}: too long for a scenario (expected {BYTES_MAX:,} bytes at most); name a "
                "scenario file"
            )
        return content.decode("utf-8-sig")  # Some editors open a file with a mark.
    except OSError as error:
        raise ScenarioError(
            f"{path}: the scenario cannot be read ({error.strerror}); name a .toml file"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ScenarioError(
            f"{path}: line {line}: not UTF-8, as TOML must be (byte {error.start} is "
            f"{error.object[error.start]:#04x}); save the file as UTF-8"
        ) from error


def parse_scenario(text: str, where: str, base: Path | None = None) -> Scenario:
    """The scenario in `text`; `where` opens every complaint.

    A collection is looked for from `base`; without it, the collection is not looked for.

    Raises: ScenarioError listing every mistake.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(syntax_complaint(where, text, error)) from error
    except RecursionError as error:
        raise ScenarioError(
            f"{where}: lists within lists, deeper than any scenario needs; see docs/SCENARIOS.md"
        ) from error
    _refuse_newer(raw, where)
    try:
        scenario, broken, found = Scenario.model_validate(raw, context={"file": True}), Broken(), []
    except ValidationError as error:
        found = complaints(raw, error.errors(include_url=False))
        scenario, broken = _what_is_sound(raw, error)
    mistakes = [*found, *find_mistakes(scenario, broken)]
    if base is not None and "workload" not in broken.sections:
        mistakes += collection_mistakes(scenario, base)
    if mistakes:
        raise ScenarioError(tuple(f"{where}: {told}" for told in _few_and_short(mistakes)))
    return scenario


def _few_and_short(mistakes: list[str]) -> list[str]:
    """What a person can read of them, when a program has written the file."""
    told = [
        text if len(text) <= CHARACTERS_MAX else f"{text[:CHARACTERS_MAX]} .."
        for text in mistakes[:MISTAKES_MAX]
    ]
    more = len(mistakes) - len(told)
    return [*told, f"and {more:,} more mistakes"] if more else told


def _refuse_newer(raw: dict[str, Any], where: str) -> None:
    found = raw.get("format", FORMAT)
    if type(found) is int and found > FORMAT:
        raise ScenarioError(
            f"{where}: scenario format {found} is newer than this program reads "
            f"(expected {FORMAT}); upgrade increstore"
        )


def _what_is_sound(raw: dict[str, Any], error: ValidationError) -> tuple[Scenario, Broken]:
    """The scenario without its broken parts, and which those are."""
    places = [problem["loc"] for problem in error.errors(include_url=False)]
    broken = Broken(
        frozenset(str(place[0]) for place in places if place and place[0] != "fault"),
        _fault_numbers(raw, places),
    )
    sound = {key: value for key, value in raw.items() if key not in broken.sections}
    faults = raw.get("fault")
    if isinstance(faults, list):
        sound["fault"] = [
            _with_id(fault, number)
            for number, fault in enumerate(faults, 1)
            if number not in broken.faults
        ]
    else:
        sound.pop("fault", None)
    return Scenario.model_validate({**_STAND_IN, **sound}, context={"file": True}), broken


def _fault_numbers(raw: dict[str, Any], places: Iterable[tuple[int | str, ...]]) -> frozenset[int]:
    faults = raw.get("fault")
    if not isinstance(faults, list):
        return frozenset()
    return frozenset(
        int(place[1]) + 1 for place in places if len(place) > 1 and place[0] == "fault"
    )


def _with_id(fault: dict[str, Any], number: int) -> dict[str, Any]:
    """A fault keeps the number it has in the file although others before it are left out."""
    return fault if fault.get("id") else {**fault, "id": default_id(number)}
