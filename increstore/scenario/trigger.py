"""When a fault begins and ends: a moment, an event of the journal, or at once."""

# ruff: noqa: TC001 - pydantic needs these names when it makes the classes.

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, model_serializer, model_validator

from increstore.scenario.base import ScenarioModel, Selector
from increstore.scenario.fields import Later, Positive, Switch

Fact = str | int | bool


class EventMatch(ScenarioModel):
    """The `nth` event of this name (at this node, with these facts); facts are keys beside it.

    A fact that names a node is matched by selectors, one for people when it contains the text,
    any other when it is equal.
    """

    model_config = ConfigDict(
        json_schema_extra={"additionalProperties": {"type": ["string", "integer", "boolean"]}}
    )

    event: str
    node: Selector | None = None
    nth: Positive = 1
    facts: tuple[tuple[str, Fact], ...] = Field(default=(), exclude=True)

    @model_validator(mode="wrap")
    @classmethod
    def _gather_facts(cls, raw: Any, handler: ModelWrapValidatorHandler[EventMatch]) -> EventMatch:
        if not isinstance(raw, dict) or isinstance(raw.get("facts"), tuple):
            return handler(raw)  # Made by code, not read from a file.
        own = {key: value for key, value in raw.items() if key in {"event", "node", "nth"}}
        facts = tuple(sorted((key, value) for key, value in raw.items() if key not in own))
        for key, value in facts:
            if not isinstance(value, str | int):
                raise ValueError(f"fact {key!r}: expected a text or a number, got {value!r}")
        return handler({**own, "facts": facts})

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        written: dict[str, Any] = {"event": self.event}
        if self.node is not None:
            written["node"] = self.node[0] if len(self.node) == 1 else list(self.node)
        if self.nth != 1:
            written["nth"] = self.nth
        return {**written, **dict(self.facts)}


class TriggeredFault(ScenarioModel):
    """A fault that begins `at` a time since the start, or `delay` `after` an event."""

    id: str = ""
    """Names the fault in the journal and in `reached`; "fault 1" is the first one's default."""
    at: Later | None = None
    after: EventMatch | None = None
    delay: Later | None = None


class LastingFault(TriggeredFault):
    """A fault that goes on: for `duration`, `until` an event, for ever, or until the heal."""

    duration: Later | None = None
    until: EventMatch | None = None
    permanent: Switch = False


class CountedFault(LastingFault):
    """A fault that strikes on occasions, at most `times` often (None: until it ends)."""

    times: Positive | None = None
