"""All invariants: those that are judged, and those that the observations of a run cannot show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from increstore.judging.completion import Completion
from increstore.judging.coordinator import CoordinatorHistory
from increstore.judging.data import Data
from increstore.judging.deadlines import Deadlines
from increstore.judging.durability import Durability
from increstore.judging.exactly_once import ExactlyOnce
from increstore.judging.frames import Frames
from increstore.judging.liveness import Liveness
from increstore.judging.order import Order
from increstore.judging.resources import Resources
from increstore.judging.stale import Stale
from increstore.judging.violation import InvariantViolated

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.judging.monitor import Invariant, Monitor

MONITORS: tuple[type[Monitor], ...] = (
    Order,
    ExactlyOnce,
    Completion,
    Stale,
    Durability,
    Deadlines,
    CoordinatorHistory,
    Data,
    Resources,
    Liveness,
    Frames,
)

INVARIANTS: tuple[Invariant, ...] = tuple(
    law for monitor in MONITORS for law in monitor.invariants()
)


def violation_of(identity: str, says: str, now: int, node: str) -> InvariantViolated:
    """The verdict of a driver that has itself seen a law broken, by the name that all give it."""
    title = next(law.title for law in INVARIANTS if law.id == identity)
    return InvariantViolated(title, says, now, node)


Law = tuple[str, "type[Monitor]", "Callable[..., None]"]
"""(invariant, monitor, method of it)."""


@cache
def laws_by_observation(only: tuple[str, ...] | None = None) -> dict[str, tuple[Law, ...]]:
    """What judges each observation, in the order of the monitors: of all invariants, or of these
    only. Worked out once, as every simulated run has a judge; to be read only."""
    found: dict[str, tuple[Law, ...]] = {}
    for monitor in MONITORS:
        for identity, observation, check in monitor.checks():
            if only is None or identity in only:
                found[observation] = (*found.get(observation, ()), (identity, monitor, check))
    return found


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A law that no monitor judges, and why, or what does."""

    id: str
    name: str
    law: str
    why: str


NOT_JUDGED: tuple[NotJudged, ...] = (
    NotJudged(
        "D4",
        "never-back",
        "Progress never goes back over a restart, unless a retry is recorded.",
        "It follows from D3 (nothing durable is lost), O4 and O5.",
    ),
    NotJudged(
        "D7",
        "end-and-release-are-one",
        "The end of a restore and the release of what it holds are one durable write.",
        "Nothing else is held durably: the lock of a target directory ends with its processes, and "
        "shards are let go of by the record of the end, which K4 and D1 judge.",
    ),
    NotJudged(
        "L2",
        "a-lost-report-comes-back",
        "A lost report is brought back by the coordinator's own repetition.",
        "That it must come back within a bound is L1; that it is asked for without a storm is R4.",
    ),
    NotJudged(
        "L9",
        "no-storm-behind-a-one-way-cut",
        "When reports are lost for ever and orders are not, the restore pauses and does not storm.",
        "It is L1 and L5 for the pause, and R4 for the storm, in a scenario of that kind.",
    ),
    NotJudged(
        "R3",
        "bounded-queues",
        "Every queue is bounded; a full one slows its sender down.",
        "What is sent unapplied is bounded by R2, and so is what can wait at a target; the queues "
        "of transports and drivers are not of one run's observations and have tests of their own.",
    ),
    NotJudged(
        "R5",
        "bounded-growth",
        "Memory and log grow with the work at hand, and nothing of an ended restore remains.",
        "Every record is of a fact that C4, E5, K1 and O4 allow once, which bounds the log; memory "
        "is measured by the benchmarks.",
    ),
    NotJudged(
        "R6",
        "nothing-outlives-its-run",
        "No task, timer, lock or process outlives the restore.",
        "Observations end with the run; tests of the drivers look for what is left.",
    ),
    NotJudged(
        "F2",
        "read-as-written",
        "What is decoded is what was encoded.",
        "The codec's property tests show it for every message; in a run F1 would find it broken.",
    ),
    NotJudged(
        "F3",
        "no-half-frame",
        "A frame cut off by a disconnect is never delivered.",
        "Nobody can have sent it as it would arrive, so it is F1.",
    ),
    NotJudged(
        "M1",
        "same-seed-same-run",
        "The same code, scenario and seed give the same run in another process; a tape replays it.",
        "It is about two runs: the simulation's own tests compare their digests (M2 too).",
    ),
    NotJudged(
        "M3",
        "judges-can-fail",
        "Each planted bug is caught within a budget.",
        "It is about these laws: the table of planted bugs runs them against broken code.",
    ),
    NotJudged(
        "M4",
        "every-mark-is-reached",
        "Every mark that a scenario names is seen in its runs, and without faults each passes.",
        "It is about scenarios: their runner judges it (M5 too).",
    ),
)
