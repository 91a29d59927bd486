"""One run of one scenario from one seed (or tape), and what came of it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from increstore.judging.violation import InvariantViolated
from increstore.scenario.director import Director
from increstore.simulation.draws import Draws
from increstore.simulation.judges import make_judge
from increstore.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from increstore.journal import JournalEvent
    from increstore.judging.observer import Observer
    from increstore.simulation.setting import Setting
    from increstore.simulation.strikes import Strike


RAISED = "raised "
"""How the name of a violation begins that is an exception of the program."""


@dataclass(frozen=True, slots=True)
class SimulatedOutcome:
    """How one run ended. Times are virtual nanoseconds since the run began."""

    seed: int
    state: str
    """A `RestoreState`'s value; "running" when it has not ended."""
    reason: str
    violation: InvariantViolated | None
    ended_at: int
    moments: int
    delivered: int
    points: int
    """Crash points passed."""
    digest: str
    tables: dict[str, dict[Any, Any]] | None
    """The visible rows by table and key; None while nothing is visible."""
    reached: Mapping[str, int]
    explanation: str
    """What the restore waited for, when it has not ended."""
    not_reached: tuple[str, ...]
    seen_never: tuple[str, ...]
    evidence: Mapping[str, Mapping[int, int]]
    """Rows applied, by table and incremental, as the seals say."""
    tape: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[Any, ...] = ()
    strikes: tuple[Strike, ...] = ()
    """What ambient chance did, in order, when it was kept."""


def simulate(
    setting: Setting,
    seed: int,
    *,
    tape: Mapping[str, int] | None = None,
    record: bool = False,
    crash_at: frozenset[int] = frozenset(),
    journal_to: Callable[[JournalEvent], None] | None = None,
    details: bool = False,
    keep_strikes: bool = False,
    judge: Observer | None = None,
) -> SimulatedOutcome:
    """Play the scenario once; the same arguments give the same outcome, digest and journal.

    `tape` replaces the seed's chance, `record` keeps it, `keep_strikes` keeps what it did in
    words; `crash_at` are crash points (1-based); `judge` takes the place of all invariants.
    """
    world = make_world(
        setting,
        Draws(seed, tape, record=record),
        crash_at=crash_at,
        journal_to=journal_to,
        details=details,
        keep_strikes=keep_strikes,
        judge=judge,
    )
    outcome = outcome_of(world, violation_in(world, world.run))
    world.close()
    return outcome


def make_world(
    setting: Setting,
    draws: Draws,
    *,
    crash_at: frozenset[int] = frozenset(),
    journal_to: Callable[[JournalEvent], None] | None = None,
    details: bool = False,
    keep_strikes: bool = False,
    judge: Observer | None = None,
) -> World:
    """The world of one run, before its first moment."""
    settled, ambient = setting.settled(draws.draw)
    return World(
        setting,
        draws,
        Director(setting.compiled_for(settled), draws.draw),
        make_judge(setting) if judge is None else judge,
        ambient=ambient,
        ends_within=settled.heal.at + settled.expect.within,
        crash_at=crash_at,
        journal_to=journal_to,
        details=details,
        keep_strikes=keep_strikes,
    )


def violation_in(world: World, play: Callable[[], object]) -> InvariantViolated | None:
    """What is violated while `play` goes on; a bug of any kind counts as well."""
    try:
        play()
    except InvariantViolated as found:
        return found
    except Exception as error:
        return InvariantViolated(*told_as_raised(error), world.now, "")
    return None


def told_as_raised(error: BaseException) -> tuple[str, str]:
    """A core's own assertion, or a bug of any kind, by its class and place (for shrinking), and
    what it says. Of a group it is the first that was raised in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    place = traceback.extract_tb(error.__traceback__)[-1]
    name = f"{RAISED}{type(error).__name__} in {place.name}"
    says = f"{error or 'no message'} ({Path(place.filename).name}:{place.lineno}: {place.line})"
    return name, says


def outcome_of(world: World, violation: InvariantViolated | None) -> SimulatedOutcome:
    """What came of a world that has been played to its end; asked once."""
    draws = world.draws
    for node in world.nodes.values():
        if node.core is not None:
            world.count_drops(node.core)
    for why in world.drops:
        world.director.mark(f"dropped: {why}")
    return SimulatedOutcome(
        seed=draws.seed,
        state=world.state.value if world.state is not None else "running",
        reason=world.reason,
        violation=violation,
        ended_at=world.ended_at or world.now,
        moments=world.moments,
        delivered=world.network.delivered,
        points=world.points,
        digest=world.digest,
        tables=world.tables() if world.is_published else None,
        reached=dict(world.director.reached),
        explanation="" if world.state is not None else world.explain(),
        not_reached=tuple(world.director.not_reached()),
        seen_never=tuple(world.director.seen_never()),
        evidence=world.evidence(),
        tape=dict(draws.recorded),
        faults=tuple(world.director.log),
        strikes=tuple(world.strikes_kept or ()),
    )
