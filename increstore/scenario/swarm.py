"""What chance decides before a run begins: the value of each ambient rate, and what is left out.

Runs that each have a few kinds of trouble find more than runs that all have every kind: what one
fault hides, its absence shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.scenario.model import Scenario, SwarmSpec
from increstore.scenario.values import RATE_WHOLE, Span, exactly

if TYPE_CHECKING:
    from increstore.scenario.base import ScenarioModel
    from increstore.scenario.compiled import Draw

AMBIENT_RATES = {
    "network": ("loss", "duplicate", "reorder", "corrupt", "truncate"),
    "nodes": ("crash",),
    "pages": ("fail",),
}
"""By section: the rates of which a run has one value."""


def is_settled(scenario: Scenario) -> bool:
    """Whether nothing is left for chance to decide before a run: all runs are settled alike."""
    return not scenario.swarm.omit and all(
        getattr(getattr(scenario, section), name).is_one_value
        for section, names in AMBIENT_RATES.items()
        for name in names
    )


def settle(scenario: Scenario, draw: Draw) -> Scenario:
    """The scenario as one run has it: no rate is a range, and nothing is left to be omitted.

    A draw of 0 leaves out, and is the low end of a range. The same object comes back when there
    is nothing to decide; marks of faults that are left out need not be reached.
    """
    omit = scenario.swarm.omit
    changes: dict[str, Any] = {}
    for section, names in AMBIENT_RATES.items():
        settled = _settle_section(getattr(scenario, section), section, names, omit, draw)
        if settled:
            changes[section] = getattr(scenario, section).model_copy(update=settled)
    if omit:
        changes |= _leave_out_faults(scenario, draw)
        changes["swarm"] = SwarmSpec()
    return scenario.model_copy(update=changes) if changes else scenario


def _settle_section(
    model: ScenarioModel, section: str, names: tuple[str, ...], omit: int, draw: Draw
) -> dict[str, Span]:
    """The rates of one section that change."""
    settled = {}
    for name in names:
        rate: Span = getattr(model, name)
        label = f"swarm {section}.{name}"
        if rate.high and _is_left_out(label, omit, draw):
            settled[name] = exactly(0)
        elif not rate.is_one_value:
            settled[name] = exactly(rate.low + draw(label, rate.width + 1))
    return settled


def _leave_out_faults(scenario: Scenario, draw: Draw) -> dict[str, Any]:
    omit = scenario.swarm.omit
    kept = tuple(
        fault for fault in scenario.faults if not _is_left_out(f"swarm {fault.id}", omit, draw)
    )
    left_out = {f"fault: {fault.id}" for fault in scenario.faults if fault not in kept}
    if not left_out:
        return {}
    expect = scenario.expect
    reached = tuple(mark for mark in expect.reached if mark not in left_out)
    return {"faults": kept, "expect": expect.model_copy(update={"reached": reached})}


def _is_left_out(label: str, omit: int, draw: Draw) -> bool:
    return omit > 0 and draw(f"{label} is left out", RATE_WHOLE) < omit
