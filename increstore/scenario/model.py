"""A whole scenario file as frozen values. Names are the file's, so are the defaults.

Durations are nanoseconds, rates parts of 100,000; a field that may hold a range is a `Span`.
"""

# ruff: noqa: TC001 - pydantic needs these names when it makes the classes.

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from increstore.protocol.policy import is_cap
from increstore.scenario.base import ScenarioModel
from increstore.scenario.faults import AnyFault, Fault
from increstore.scenario.fields import (
    ChainLength,
    Count,
    Later,
    Patience,
    Positive,
    Rate,
    RateRange,
    Rows,
    Seeds,
    Shards,
)
from increstore.scenario.values import Span, exactly

FORMAT: Literal[1] = 1
MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND

Mode = Literal["simulation", "memory", "tcp"]
Damage = Literal[
    "missing-table", "missing-incremental", "reordered", "corrupt-file", "truncated-file",
    "newer-format",
]  # fmt: skip
Incrementals = tuple[Positive, ...]


def _read_cap(value: int) -> int:
    if not is_cap(value):
        raise ValueError(f"expected a number of scans above 0, or -1 for no bound, got {value}")
    return value


Cap = Annotated[int, Field(strict=True), AfterValidator(_read_cap)]


class ClusterSpec(ScenarioModel):
    """Shards of each table, and how many of them are asked to scan at once (-1: all)."""

    sources: Shards = 2
    targets: Shards = 2
    scans_in_flight: Cap = 32


class WorkloadSpec(ScenarioModel):
    """The chain that is restored: generated from `seed` and the numbers, or a `collection`.

    `empty`, `unchanged` and `delete_only` are positions in the chain, 1-based.
    """

    seed: Count = 1
    tables: Shards = 1
    incrementals: ChainLength = 3
    rows: Rows = 40
    changes: Rows = 12
    deletes: Rate = 20_000
    resets: Rate = 10_000
    partial: Rate = 30_000
    empty: Incrementals = ()
    unchanged: Incrementals = ()
    delete_only: Incrementals = ()
    page_rows: Positive = 8
    keys: Literal["int", "text", "composite"] = "int"
    collection: str | None = None
    damage: Damage | None = None


class PolicySpec(ScenarioModel):
    """The patience of the coordinator and of the sources; None is off."""

    retries_max: Count = 5
    repeat: Patience = SECOND
    backoff: Patience = 2 * SECOND
    backoff_max: Patience = 8 * SECOND
    overall_deadline: Patience | None = None
    stage_deadline: Patience | None = None
    window_batches: Positive = 8
    pages_ahead: Positive = 2
    resume_after: Patience | None = None
    resumes_max: Count = 3


class NetworkSpec(ScenarioModel):
    """What every link does all the time: rates of messages, latency of each."""

    kind: Literal["stream", "datagram"] = "stream"
    latency: Later = Span(MILLISECOND, 5 * MILLISECOND)
    loss: RateRange = exactly(0)
    duplicate: RateRange = exactly(0)
    reorder: RateRange = exactly(0)
    corrupt: RateRange = exactly(0)
    truncate: RateRange = exactly(0)


class DiskSpec(ScenarioModel):
    """What every disk does all the time."""

    latency: Later = Span(200_000, MILLISECOND)
    torn: Rate = 100_000


class NodesSpec(ScenarioModel):
    """Crashes at any step of any node."""

    crash: RateRange = exactly(0)
    restart_after: Later = Span(10 * MILLISECOND, 3 * SECOND)


class PagesSpec(ScenarioModel):
    """Transient failures of the sources' reads."""

    fail: RateRange = exactly(0)


class SwarmSpec(ScenarioModel):
    """By what chance each fault and each ambient kind is left out of a run."""

    omit: Rate = 0


class HealSpec(ScenarioModel):
    """When everything injected ends, but for permanent faults."""

    at: Patience = 120 * SECOND
    core: Literal["all"] = "all"


class ExpectSpec(ScenarioModel):
    """How a run must end, how soon after the heal, and what must (and must not) be seen."""

    outcome: Literal["completed", "failed", "paused", "cancelled", "refused"] = "completed"
    reason: str = ""
    within: Patience = 60 * SECOND
    reached: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class Scenario(ScenarioModel):
    """One scenario file. Its shape is sound; `checks` tells whether it makes sense."""

    format: Literal[1] = FORMAT
    title: Annotated[str, Field(min_length=1)]
    why: Annotated[str, Field(min_length=1)]
    on: Annotated[tuple[Mode, ...], Field(min_length=1)] = ("simulation",)
    seeds: Seeds = exactly(0)
    cluster: ClusterSpec = ClusterSpec()
    workload: WorkloadSpec = WorkloadSpec()
    policy: PolicySpec = PolicySpec()
    network: NetworkSpec = NetworkSpec()
    disk: DiskSpec = DiskSpec()
    nodes: NodesSpec = NodesSpec()
    pages: PagesSpec = PagesSpec()
    swarm: SwarmSpec = SwarmSpec()
    faults: Annotated[tuple[Fault, ...], Field(alias="fault")] = ()
    heal: HealSpec = HealSpec()
    expect: ExpectSpec = ExpectSpec()

    @model_validator(mode="after")
    def _name_faults(self) -> Scenario:
        named = tuple(
            fault if fault.id else fault.model_copy(update={"id": default_id(number)})
            for number, fault in enumerate(self.faults, start=1)
        )
        # Frozen for everyone else; here the value is still being made.
        object.__setattr__(self, "faults", named)
        return self

    def with_faults(self, faults: tuple[AnyFault, ...]) -> Scenario:
        """The same scenario with other faults; each keeps its id."""
        return self.model_copy(update={"faults": faults})

    def with_part(self, name: str, **changes: Any) -> Scenario:
        """The same scenario with other fields in one section, such as "workload"."""
        section = getattr(self, name).model_copy(update=changes)
        return self.model_copy(update={name: section})


def default_id(number: int) -> str:
    """The id of the fault in this place (1-based) when the file gives none."""
    return f"fault {number}"
