"""What every model of a scenario file shares: frozen, no unknown keys; and names of nodes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema


class ScenarioModel(BaseModel):
    """A part of a scenario file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _one_or_many(value: Any) -> Any:
    """One text, or a list of them, as a tuple."""
    found = (value,) if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(item, str) for item in found):
        raise ValueError(f"expected a text or a list of texts, got {value!r}")
    if not found:
        raise ValueError("expected at least one text, got an empty list")
    return tuple(found)


def _back(value: tuple[str, ...]) -> str | list[str]:
    return value[0] if len(value) == 1 else list(value)


Words = Annotated[
    tuple[str, ...], BeforeValidator(_one_or_many), PlainSerializer(_back),
    WithJsonSchema({"anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ]}),
]  # fmt: skip
"""One word or a list of words."""

Selector = Words
"""Which nodes: see `nodes`."""
