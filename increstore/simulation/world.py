"""The simulated world: one heap of moments, the production cores, and everything that may go wrong.

Rules of this file:
- Time is an integer of nanoseconds and jumps to the next moment of the heap. Moments at one
  instant are ordered by a drawn tie (0 = first in, first out), so that races do not hide.
- A crash throws a core away; what is durable, and what is on its way, stays.
- After the coordinator has ended, the world goes on until nothing happens any more: whatever was
  still on its way must not change a thing.
- Nothing is waited for: an empty heap before the end is a deadlock and is told as one, at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.catalogue import violation_of
from increstore.protocol.coordinator import RestoreState
from increstore.protocol.topology import COORDINATOR
from increstore.simulation.ambient import MS, RATE_WHOLE, SECOND
from increstore.simulation.coordinator import SimulatedCoordinator
from increstore.simulation.inject import carry_out
from increstore.simulation.network import Network
from increstore.simulation.observing import WALL_NS, SimulationJournal
from increstore.simulation.roles import SimulatedSource, SimulatedTarget
from increstore.simulation.strikes import Strike
from increstore.simulation.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from increstore.journal import JournalEvent
    from increstore.judging.observer import Observer
    from increstore.protocol.ready import Effect, Received
    from increstore.protocol.records import Record
    from increstore.scenario.director import Director
    from increstore.simulation.ambient import Ambient
    from increstore.simulation.draws import Draws
    from increstore.simulation.nodes import SimulatedNode
    from increstore.simulation.setting import Setting

MOMENTS_MAX = 200_000
"""More moments than this in one run are a storm, not a restore."""
AFTERMATH_NS = 20 * SECOND
"""How long after the end the world goes on, for what is still on its way."""
CRASH_RESTART_NS = 100 * MS
"""After so long a node is started again that a forced crash has ended."""


class World(Timeline):
    """One run of one setting. `run` plays it to the end and raises what was violated."""

    __deletable__ = ("coordinator", "journal", "network")
    """Where it is compiled, no other attribute can be deleted."""

    def __init__(
        self,
        setting: Setting,
        draws: Draws,
        director: Director,
        judge: Observer,
        *,
        ambient: Ambient,
        ends_within: int,
        crash_at: frozenset[int] = frozenset(),
        journal_to: Callable[[JournalEvent], None] | None = None,
        details: bool = False,
        keep_strikes: bool = False,
    ) -> None:
        """`crash_at` are crash points by number, in the order this world meets them; a restore
        that has not ended at `ends_within` (virtual nanoseconds) has stalled."""
        self.workload = setting.workload
        self.topology = setting.workload.topology
        self.config = setting.config
        self.source_config = setting.source_config
        self.fingerprint = setting.fingerprint
        self.resume_after_ns = setting.resume_after_ns
        self.resumes_left = setting.resumes_max
        self.ambient = ambient
        self.draws = draws
        self.director = director
        self.judge = judge
        super().__init__(ends_within)
        self.points = 0
        self.crash_at = crash_at
        self.state: RestoreState | None = None
        """How it ended; None while it runs."""
        self.reason = ""
        self.ended_at = 0
        self.is_published = False
        self.drops: dict[str, int] = {}
        self.strikes_kept: list[Strike] | None = [] if keep_strikes else None
        """What ambient chance did, when somebody wants to know."""
        self._looks_at: int | None = None
        self.meters_points = bool(crash_at) or ambient.crash > 0 or director.has_crash_points
        self.network = Network(self)
        self.journal: SimulationJournal | None = None
        if journal_to is not None or director.wanted:
            self.journal = SimulationJournal(self)
            if journal_to is not None:
                self.journal.subscribe(journal_to, details=details)
        self.nodes: dict[str, SimulatedNode] = {}
        self.targets: dict[str, SimulatedTarget] = {}
        for table in self.topology.tables:
            for name in table.sources:
                self.nodes[name] = SimulatedSource(self, name)
            for name in table.targets:
                self.nodes[name] = self.targets[name] = SimulatedTarget(self, name)
        self.coordinator = SimulatedCoordinator(self, COORDINATOR)
        self.nodes[COORDINATOR] = self.coordinator
        self.other_coordinators: list[SimulatedCoordinator] = []
        """Those that were overtaken, and those of other restores; they hear what ours hears."""

    # --- Running.

    def run(self) -> None:
        """Play until the restore has ended and nothing is on its way any more.

        Raises: InvariantViolated.
        """
        self.begin()
        while self.advance(MOMENTS_MAX):
            pass

    def close(self) -> None:
        """Let go of everything: nobody has to look for the circles that a run leaves behind."""
        self.judge.close()
        self.forget()
        self.nodes.clear()
        self.targets.clear()
        self.other_coordinators.clear()
        self.network.close()
        del self.coordinator, self.journal, self.network

    def begin(self) -> None:
        """Start every node, and arrange what the scenario has planned."""
        for node in self.nodes.values():
            node.start()
        self.look_at_director()
        self.at(self.ambient.heals_at, 0, self._healed, None)

    def _healed(self, _: object) -> None:
        if self.state is None:
            self.director.heal(self.now)
            self.look_at_director()
            self.judge.healed(self.now)

    def advance(self, moments: int = 1) -> bool:
        """Play so many moments; False when there is nothing left to play."""
        if self.moments >= MOMENTS_MAX:
            self.judge.stalled(self.now, f"{MOMENTS_MAX} moments without an end: {self.explain()}")
        return self.play(moments)

    def is_over(self) -> bool:
        """Nothing is left to play, or time is up: the judge looks whether the restore has ended."""
        if self.state is not None:
            return True
        if self.next_at is None:
            self.judge.deadlocked(self.now, self.explain())
            return True
        self.now = self.next_at
        self.judge.overdue(self.now, self.explain())
        return False

    def explain(self) -> str:
        """What the restore waits for, in the coordinator's own words."""
        ours = self.coordinator
        if not ours.is_up:
            return "the coordinator is down"
        return ours.coordinator.explain(ours.clock(self.now))

    # --- What nodes ask for.

    def deliver_to_coordinators(self, event: Received) -> None:
        """Every coordinator that is up hears what is said to any."""
        for hearer in (*self.other_coordinators, self.coordinator):
            hearer.handle(event)

    def tell(self, node: str, name: str, **facts: Any) -> None:
        """A journal event that is not a core's."""
        if self.journal is not None:
            self.journal.emit(node, name, **facts)

    def strikes(self, rate: int, node: SimulatedNode, purpose: str) -> bool:
        """Whether ambient chance strikes now; draws that do are those at the end, 0 never."""
        if not rate or self.now >= self.ambient.heals_at:
            return False
        return node.draw(purpose, RATE_WHOLE) >= RATE_WHOLE - rate

    def wall_ns(self, node: SimulatedNode) -> int:
        return WALL_NS + node.clock(self.now) + node.wall_offset

    def count_drops(self, core: Any) -> None:
        """What a core has dropped, by why: these are marks that a scenario may ask for."""
        for why, count in core.dropped.items():
            self.drops[why] = self.drops.get(why, 0) + count

    # --- Crashes.

    def is_cut_off(
        self, node: SimulatedNode, point: str, records: Sequence[Record | Effect]
    ) -> bool:
        """Pass a crash point of these records (or effects); True when it has crashed there."""
        self.points += 1
        if not self.meters_points or self.state is not None:
            return False
        if self.points in self.crash_at:
            self.crash(node, CRASH_RESTART_NS, f"crash point {self.points}: {point}")
            return True
        if self.strikes(self.ambient.crash, node, "crash"):
            away = node.delay("restart", self.ambient.restart)
            if self.strikes_kept is not None:
                strike = Strike("crash", self.now, node.name, point=point, by=away)
                self.strikes_kept.append(strike)
            self.crash(node, away, f"drawn, {point}")
            return True
        if self.director.has_crash_points:
            kinds = [type(record).__name__ for record in records]
            action = self.director.crash_at(self.now, node.name, point, kinds)
            if action is not None:
                self.tell_of_faults()
                carry_out(self, action)
                return True
        return False

    def crash(self, node: SimulatedNode, restart_after: int | None, why: str) -> None:
        """Power off; back after a while, or never."""
        self.tell(node.name, "node.crashed", why=why)
        self.trace_text(f"crash {node.name}")
        node.stop()
        if restart_after is not None:
            node.return_after(restart_after)

    def restart(self, node: SimulatedNode) -> None:
        """Power on again, from what is durable; nothing to do when it runs.

        A coordinator that was overtaken stays down: there is one log, and the other one has it.
        """
        if not node.is_up and node not in self.other_coordinators:
            self.tell(node.name, "node.restarted")
            node.start()

    # --- What the scenario's faults do.

    def look_at_director(self) -> None:
        """Carry out what is due now, and come back when the next thing is."""
        for action in self.director.due(self.now):
            carry_out(self, action)
        self.tell_of_faults()
        self.look_at_director_soon()

    def tell_of_faults(self) -> None:
        """The journal hears what the director has injected, ended or skipped."""
        for name, facts in self.director.take_events():
            self.tell("scenario", name, **facts)

    def look_at_director_soon(self) -> None:
        """After this moment and before any other: a node must not be struck within a step."""
        due = self.director.next_due
        if due is not None and due <= self.now and self._looks_at != self.now:
            self._looks_at = self.now
            self.at(self.now, -1, self._look_again, None)
        elif due is not None and (self._looks_at is None or due < self._looks_at):
            self._looks_at = due
            self.at(due, -1, self._look_again, None)

    def _look_again(self, _: object) -> None:
        self._looks_at = None
        self.look_at_director()

    def judge_damaged_frame(self, receiver: str, *, is_delivered: bool) -> None:
        """A frame with a changed byte has arrived: it must not have got past the framing."""
        if is_delivered:
            raise violation_of("F1", "a damaged frame was delivered", self.now, receiver)

    # --- How it ends.

    def incremental_completed(self, incremental: int) -> None:
        """The coordinator has written that it is: the rows must be those of the model."""
        self.judge.tables(self.now, incremental, self.tables())

    def publish(self) -> None:
        """The final rows become visible."""
        self.is_published = True
        self.judge.published(self.now)
        self.judge.tables(self.now, self.topology.last_incremental, self.tables())

    def tables(self) -> dict[str, dict[Any, Any]]:
        """The rows that readers see: of all targets of each table, by key."""
        found: dict[str, dict[Any, Any]] = {}
        for table in self.topology.tables:
            rows = found[table.table] = {}
            for target in table.targets:
                rows.update(self.targets[target].store.values)
        return found

    def evidence(self) -> dict[str, dict[int, int]]:
        """Rows applied by table and incremental, as the targets' seals say."""
        found: dict[str, dict[int, int]] = {}
        for table in self.topology.tables:
            rows = found[table.table] = dict.fromkeys(table.incrementals, 0)
            for target in table.targets:
                for incremental, streams in self.targets[target].store.sealed.items():
                    rows[incremental] += sum(stream.rows for stream in streams)
        return found

    def coordinator_ended(self, node: SimulatedCoordinator) -> None:
        """The coordinator says that it is over: the command ends, unless a person resumes it: by a
        word to this very coordinator, or by the same command again."""
        state, reason = node.coordinator.state, node.coordinator.reason
        if state is RestoreState.PAUSED and (self.director.expects("resume") or self._resumes()):
            return
        self._end(state, reason)

    def coordinator_failed(self, node: SimulatedCoordinator, error: str) -> None:
        """It could not write its log: the command ends with an error and may be given again."""
        self.tell(node.name, "storage.failed", error=error)
        if not self._resumes():
            node.stop()
            self._end(RestoreState.PAUSED, error)

    def storage_corrupted(self, node: str, error: str) -> None:
        """What was durable is damaged: the command ends with a typed error."""
        self.tell(node, "storage.corrupted", error=error)
        self._end(RestoreState.FAILED, f"{node}: storage corrupted: {error}")

    def _resumes(self) -> bool:
        """The same command is given again after a while: all its nodes end, and start anew."""
        if self.resume_after_ns is None or self.resumes_left <= 0 or self.state is not None:
            return False
        self.resumes_left -= 1
        for node in self.nodes.values():
            self.crash(node, self.resume_after_ns, "the command ended; it is given again")
        return True

    def _end(self, state: RestoreState, reason: str) -> None:
        if self.state is not None:
            return
        self.state, self.reason, self.ended_at = state, reason, self.now
        self.stops_at = self.now + AFTERMATH_NS
        self.judge.ended(self.now, state, reason)
