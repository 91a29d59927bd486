"""Commands and their answers as plain values, for the way to another process and back."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from increstore.tui.playback import seam

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_NAME: dict[str, type[seam.Command]] = {
    "inject": seam.Inject, "heal": seam.Heal, "operate": seam.Operate,
}  # fmt: skip
"""What another process may be asked for; the rest is about the viewer's own time and files."""


def plain_of(command: seam.Command) -> dict[str, Any] | None:
    """The command as plain values; None: it does not travel."""
    match command:
        case seam.Inject(fault):
            written = fault.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            return {"do": "inject", "fault": {"kind": fault.kind, **written}}
        case seam.Heal(fault_id):
            return {"do": "heal", "fault": fault_id}
        case seam.Operate(verb, value):
            return {"do": "operate", "verb": verb, "value": value}
        case _:
            return None


def command_of(plain: Mapping[str, Any]) -> seam.Command:
    """The command again. Raises: ValueError with what is wrong."""
    match plain:
        case {"do": "inject", "fault": dict() as written}:
            return seam.Inject(_fault_of(written))
        case {"do": "heal", "fault": str() | None as fault_id}:
            return seam.Heal(fault_id)
        case {"do": "operate", "verb": "pause" | "resume" | "cancel" | "cap" as verb,
              "value": int() as value}:  # fmt: skip
            return seam.Operate(verb, value)
        case _:
            raise ValueError(f"a viewer asks for what nobody knows here: {plain.get('do')!r}")


def _fault_of(written: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from increstore.scenario.faults import FAULT_MODELS

    model = FAULT_MODELS.get(str(written.get("kind")))
    if model is None:
        raise ValueError(f"unknown kind of fault: {written.get('kind')!r}")
    try:
        return model.model_validate(written, context={"file": True})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def plain_result(result: seam.CommandResult) -> dict[str, Any]:
    """An answer, to be sent."""
    return asdict(result)


def result_of(plain: Mapping[str, Any]) -> seam.CommandResult:
    """The answer that was sent; what it lacks has its default."""
    result = seam.CommandResult(
        bool(plain.get("is_done")), str(plain.get("says", "")), str(plain.get("fault", ""))
    )
    return replace(result, mistakes=tuple(map(str, plain.get("mistakes", ()))))
