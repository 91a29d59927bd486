"""A scenario as the text of a file: only what differs from the defaults, in the file's order.

`parse_scenario(to_toml(s), ..) == s`; this is how a shrunk failure becomes a file for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from increstore.scenario.complaints import SECTIONS
from increstore.scenario.model import FORMAT, Scenario, default_id

if TYPE_CHECKING:
    from increstore.scenario.faults import AnyFault

_DELETE = "\x7f"
"""A control character that JSON leaves alone and TOML does not allow."""


def to_toml(scenario: Scenario) -> str:
    """The text that is read as this scenario."""
    written = scenario.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    parts = [_lines({"format": FORMAT, **_top(written)})]
    for name in SECTIONS:
        if written.get(name):
            parts.append(f"[{name}]\n{_lines(written[name])}")
        if name == "swarm":
            # Where the file's order has them: after what is always there, before how it ends.
            parts += [_fault(number, fault) for number, fault in enumerate(scenario.faults, 1)]
    return "\n".join(parts)


def _top(written: Mapping[str, Any]) -> dict[str, Any]:
    names = (name for name in Scenario.model_fields if name not in (*SECTIONS, "faults", "format"))
    return {name: written[name] for name in names if name in written}


def _fault(number: int, fault: AnyFault) -> str:
    written = fault.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if written.get("id") == default_id(number):
        del written["id"]
    return f"[[fault]]\n{_lines({'kind': fault.kind, **written})}"


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{name} = {_value(item)}" for name, item in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, str):
        # TOML's texts are JSON's but for one character.
        return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")
    return json.dumps(value)
