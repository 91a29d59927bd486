"""A scenario as a page to read before it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from increstore.scenario.values import show_duration

if TYPE_CHECKING:
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.model import Scenario

FAULTS_MAX = 12


def describe(scenario: Scenario, seed: int | None) -> Group:
    """Title, why, cluster and chain, faults, and how it must end. `seed`: None, the file's own."""
    return Group(
        Text(scenario.title, style="bold"),
        Text(scenario.why),
        Text(""),
        _fields(scenario, seed),
        Text(""),
        *_faults(scenario),
    )


def describe_mistakes(mistakes: tuple[str, ...]) -> Group:
    """Why a file cannot be run."""
    return Group(
        Text("not a scenario that can be run", style="bold"),
        Text(""),
        *[Text(f"! {mistake}") for mistake in mistakes],
    )


def _fields(scenario: Scenario, seed: int | None) -> Table:
    table = Table.grid(padding=(0, 1))
    for name, said in _facts(scenario, seed):
        table.add_row(Text(name, style="dim"), Text(said))
    return table


def _facts(scenario: Scenario, seed: int | None) -> list[tuple[str, str]]:
    cluster, chain = scenario.cluster, scenario.workload
    seeds = scenario.seeds
    own = str(seeds.low) if seeds.low == seeds.high else f"{seeds.low}..{seeds.high}"
    of_each = f" for each of {chain.tables} tables" if chain.tables > 1 else ""
    rows = chain.collection or f"{chain.rows} rows, {chain.incrementals} incrementals"
    within = f" within {show_duration(scenario.expect.within)} of the heal"
    return [
        ("seed", f"{own} (the file's)" if seed is None else f"{seed} (the file has {own})"),
        ("on", ", ".join(scenario.on)),
        ("cluster", f"{cluster.sources} sources, {cluster.targets} targets{of_each}"),
        ("chain", rows),
        ("ambient", ", ".join(_ambient(scenario)) or "nothing"),
        ("heal", f"at {show_duration(scenario.heal.at)}"),
        ("expect", scenario.expect.outcome + within),
    ]


def _ambient(scenario: Scenario) -> list[str]:
    """What happens all the time, by chance."""
    network = scenario.network
    rates = ("loss", "duplicate", "reorder", "corrupt", "truncate")
    chances = {name: getattr(network, name) for name in rates}
    chances["crash"] = scenario.nodes.crash
    told = [name for name, span in chances.items() if span.high]
    return told + ["failing pages"] * bool(scenario.pages.fail.high)


def _faults(scenario: Scenario) -> list[Text | Padding]:
    faults = scenario.faults
    if not faults:
        return [Text("no faults are injected")]
    lines: list[Text | Padding] = [Text(f"faults {len(faults)}", style="bold")]
    for fault in faults[:FAULTS_MAX]:
        lines += [Text(f"{fault.id}: {fault.kind}"), Padding(Text(_words(fault)), (0, 0, 0, 2))]
    rest = len(faults) - FAULTS_MAX
    return lines + ([Text(f"and {rest} more")] if rest > 0 else [])


def _words(fault: AnyFault) -> str:
    """`message CompletionNotification, from one of sources, times 2`."""
    said = fault.model_dump(exclude_none=True, exclude_defaults=True, by_alias=True, mode="json")
    told = [f"{name} {_plain(value)}" for name, value in said.items() if name not in ("id", "kind")]
    return ", ".join(told) or "once, at the beginning"


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_plain(one) for one in value)
    if isinstance(value, dict):
        return " ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return str(value)
