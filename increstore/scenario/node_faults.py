"""Faults of nodes: crashes, pauses, clocks; and what people do beside them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from increstore.scenario import actions as a
from increstore.scenario import faults as f
from increstore.scenario.live import LiveFault, LiveState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.scenario.compiled import CompiledFault
    from increstore.scenario.director import Director
    from increstore.scenario.nodes import Selected


class _Crashing(LiveFault):
    """What crashes by a moment and crashes by a point share."""

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        self.kept_down: dict[str, None] = {}
        """Nodes that it has crashed and that have not returned."""

    def crash(self, now: int, node: str, detail: str) -> a.Crash | None:
        """The crash of this node, told; None when it is down already."""
        spec = self.spec
        assert isinstance(spec, f.CrashFault)
        if self.director.is_down(now, node):
            self.tell(now, "skipped", node, "the node is down already")
            return None
        away = self._away(now, spec)
        self.count(now, node, detail)
        back_at = None if away is None else now + away
        self.director.went_down(node, back_at)
        self.kept_down[node] = None
        if back_at is not None:
            self.director.later(back_at, lambda at: self._returned(at, node))
        return a.Crash(node, away, spec.wipe, spec.rollback, self.id)

    def _away(self, now: int, spec: f.CrashFault) -> int | None:
        """For how long; never beyond the heal."""
        if spec.permanent:
            return None
        until_heal = max(0, self.director.heal_at - now)
        if spec.restart_after is not None:
            return min(self.pick(spec.restart_after, "restart"), until_heal)
        if spec.until is not None:
            return None
        left = self.time_left(now)
        return until_heal if left is None else min(left, until_heal)

    @abstractmethod
    def time_left(self, now: int) -> int | None:
        """How long the fault itself lasts from now, when it has a duration."""

    def lift(self, now: int) -> None:
        super().lift(now)
        self._start(now, (*self.kept_down,))

    @property
    def is_lasting(self) -> bool:
        return bool(self.kept_down) or super().is_lasting

    def bring_back(self, now: int) -> None:
        """Start again those of its nodes that wait for it; others return by themselves."""
        self._start(now, [node for node in self.kept_down if self.director.is_down_for_good(node)])

    def _start(self, now: int, nodes: Sequence[str]) -> None:
        for node in nodes:
            self.director.came_up(node)
            self.director.do(now, a.Restart(node, self.id))
            self._returned(now, node)

    def _returned(self, now: int, node: str) -> None:
        if node in self.kept_down:
            del self.kept_down[node]
            self.tell(now, "ended", node)


class CrashNow(_Crashing):
    """A crash of all its nodes when the moment or the event comes."""

    is_repeated = True

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        self.rounds = 0
        """How often its event has come."""

    def begin(self, now: int) -> None:
        spec = self.spec
        assert isinstance(spec, f.CrashFault)
        if self.rounds < (spec.times or 1):
            self.rounds += 1
            super().begin(now)

    def strike_now(self, now: int) -> None:
        spec = self.spec
        assert isinstance(spec, f.CrashFault)
        for node in self.nodes:
            action = self.crash(now, node, "")
            if action is not None:
                self.director.do(now, action)
        if self.compiled.ends is not None:
            self.director.watch(self.compiled.ends, lambda at: self.end(at, "until"))

    def time_left(self, now: int) -> int | None:
        assert isinstance(self.spec, f.CrashFault)
        return None if self.spec.duration is None else self.pick(self.spec.duration, "duration")

    @property
    def is_lasting(self) -> bool:
        rounds = self.spec.times if isinstance(self.spec, f.CrashFault) else None
        return super().is_lasting or self.rounds < (rounds or 1)

    def end(self, now: int, why: str) -> None:
        if not self.is_permanent:
            self.bring_back(now)


class CrashAtPoint(_Crashing, LiveState):
    """A crash of whichever of its nodes comes to the point first."""

    is_occasional = True

    @property
    def times(self) -> int | None:
        assert isinstance(self.spec, f.CrashFault)
        return self.spec.times or 1

    def take_effect(self, now: int) -> None:
        for node in self.nodes:
            self.director.crash_points.setdefault(node, []).append(self)

    def lose_effect(self, now: int) -> None:
        for node in self.nodes:
            self.director.crash_points[node].remove(self)
        self.bring_back(now)

    def time_left(self, now: int) -> int | None:
        return None if self.ends_at is None else self.ends_at - now

    def tell_end(self, now: int, why: str) -> None:
        if not self.struck:  # Else each node's end is told for itself.
            super().tell_end(now, why)

    def at_point(self, now: int, node: str, point: str, records: Sequence[str]) -> a.Crash | None:
        spec = self.spec
        assert isinstance(spec, f.CrashFault)
        if point != spec.point or (spec.record and not any(r in spec.record for r in records)):
            return None
        if self.struck >= (self.times or 1):
            return None
        action = self.crash(now, node, point)
        if action is not None:
            self._leave_when_done(now)
        return action

    def _leave_when_done(self, now: int) -> None:
        """With an `until` it goes on: its nodes wait for that."""
        spec = self.spec
        assert isinstance(spec, f.CrashFault)
        if self.struck >= (self.times or 1) and spec.until is None:
            self.is_active = False
            for node in self.nodes:
                self.director.crash_points[node].remove(self)


class PauseState(LiveState):
    """Nodes that stand still."""

    def take_effect(self, now: int) -> None:
        length = None if self.ends_at is None else self.ends_at - now
        for node in self.nodes:
            self.director.do(now, a.Pause(node, length, self.id))

    def lose_effect(self, now: int) -> None:
        if self.ends_at is None or now < self.ends_at:
            for node in self.nodes:
                self.director.do(now, a.Unpause(node, self.id))


class DriftState(LiveState):
    """Wall clocks that run too fast or too slow."""

    def take_effect(self, now: int) -> None:
        assert isinstance(self.spec, f.ClockDriftFault)
        self._drift(now, self.spec.ppm)

    def lose_effect(self, now: int) -> None:
        self._drift(now, 0)

    def _drift(self, now: int, ppm: int) -> None:
        for node in self.nodes:
            self.director.do(now, a.ClockDrift(node, ppm, self.id))


class ClockJumpNow(LiveFault):
    """Wall clocks that jump."""

    def strike_now(self, now: int) -> None:
        assert isinstance(self.spec, f.ClockJumpFault)
        for node in self.nodes:
            by = self.pick(self.spec.by, f"{node} by")
            self.director.do(now, a.ClockJump(node, by, self.id))
        self.happen(now, ", ".join(self.nodes))


class UsurpNow(LiveFault):
    """A second coordinator."""

    def strike_now(self, now: int) -> None:
        self.director.do(now, a.Usurp(self.id))
        self.happen(now)


class SecondRestoreNow(LiveFault):
    """A second restore."""

    begins_after_heal = True

    def strike_now(self, now: int) -> None:
        self.director.do(now, a.SecondRestore(self.id))
        self.happen(now)


class OperatorNow(LiveFault):
    """A person who asks."""

    begins_after_heal = True

    def strike_now(self, now: int) -> None:
        assert isinstance(self.spec, f.OperatorFault)
        self.director.do(now, a.Operate(self.spec.verb, self.spec.value, self.id))
        self.happen(now, "", self.spec.verb)


class ResetNow(LiveFault):
    """Connections that break at a moment."""

    def strike_now(self, now: int) -> None:
        senders = self._side(self.compiled.senders, "from")
        receivers = self._side(self.compiled.receivers, "to")
        pairs = dict.fromkeys(
            (min(sender, receiver), max(sender, receiver))
            for sender in senders
            for receiver in receivers
            if sender != receiver
        )
        for one, other in pairs:
            self.director.do(now, a.ResetLink(one, other, self.id))
        self.happen(now, "", f"{len(pairs)} links")

    def _side(self, selected: Selected | None, purpose: str) -> tuple[str, ...]:
        if selected is None:
            return self.director.compiled.nodes
        return self.compiled.drawn(selected, purpose, self.director.draw)
