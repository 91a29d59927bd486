"""The director of one run: when each fault of a scenario strikes, and what. No IO, no clock.

Every mode has the same one: the drivers ask it what happens to a message, a write, a page and a
step, carry out what is due, and tell it what happened. It draws only by labels that name the
fault, so the same seed does the same to the same run in every mode.

Overlap, for drivers and authors:
- Messages: see `fates` (a cut wins over everything, loss over delay, delays add).
- Writes: an error wins over slowness, delays add.
- Nodes: one crash at a time; a crash of a node that is down is skipped, and told so.
- The heal ends every fault that is not permanent; what is triggered later is skipped.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from increstore.scenario.actions import DiskFault, Fate, FaultEvent, PageFault
from increstore.scenario.ambient import Ambient
from increstore.scenario.compiled import CompiledScenario, compile_fault, compile_scenario
from increstore.scenario.fates import Fates
from increstore.scenario.faults import OperatorFault
from increstore.scenario.stage import live_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from increstore.protocol.messages import Message, ScanId
    from increstore.scenario import actions as a
    from increstore.scenario.compiled import Draw, EventTest
    from increstore.scenario.faults import AnyFault
    from increstore.scenario.live import LiveFault
    from increstore.scenario.model import Scenario
    from increstore.scenario.node_faults import CrashAtPoint
    from increstore.scenario.occasions import PageState, WriteState

__all__ = [
    "CompiledScenario",
    "Director",
    "DiskFault",
    "Fate",
    "PageFault",
    "Watch",
    "compile_scenario",
]  # fmt: skip


class Watch:
    """Waits for the nth event that passes a test, and then acts; once, or each time from then."""

    __slots__ = ("act", "is_repeated", "seen", "test")

    def __init__(self, test: EventTest, act: Callable[[int], None], *, is_repeated: bool) -> None:
        self.test = test
        self.act = act
        self.is_repeated = is_repeated
        self.seen = 0


class Director:
    """One run's faults. Times are integer nanoseconds since the run began."""

    def __init__(self, compiled: CompiledScenario, draw: Draw) -> None:
        self.compiled = compiled
        self.draw = draw
        self.wanted = compiled.wanted
        """Names of the events that `observe` must be told of."""
        self.has_message_faults = False
        """Whether `fate` may answer anything but None now."""
        self.has_crash_points = compiled.has_crash_points
        """Whether `crash_at` may ever answer anything but None."""
        self.healed = False
        self.heal_at = compiled.heal_at
        self.log: list[FaultEvent] = []
        self.reached: dict[str, int] = {}
        """How often each mark was seen: event names, "dropped: why", "fault: id"."""
        self.crash_points: dict[str, list[CrashAtPoint]] = {}
        self.write_faults: dict[str, list[WriteState]] = {}
        self.page_faults: dict[str, list[PageState]] = {}
        self._timeline: list[tuple[int, int, Callable[[int], None] | a.Action]] = []
        self._told: list[tuple[str, dict[str, Any]]] = []
        self._watches: dict[str, list[Watch]] = {}
        self._down: dict[str, int | None] = {}
        self.faults: tuple[LiveFault, ...] = ()
        self._ambient: Ambient | None = None
        self._is_set_up = False
        if compiled.faults:
            self._set_up()

    @classmethod
    def of(cls, scenario: Scenario, nodes: Sequence[str] | None, draw: Draw) -> Director:
        """The director of a settled scenario that is run only once."""
        return cls(compile_scenario(scenario, nodes), draw)

    def _set_up(self) -> None:
        self._is_set_up = True
        self.fates = Fates(self)
        self._ticket = 0
        self.faults = tuple(live_fault(fault, self) for fault in self.compiled.faults)
        for fault in self.faults:
            self._arrange(fault)
        if not self.healed:
            self.later(self.heal_at, self.heal)

    def add(self, spec: AnyFault) -> LiveFault:
        """One more fault while the run goes on, as if it stood last in the file.

        It says itself `at` which time to come, or `after` what, it begins; look at `next_due`
        afterwards. Its mistakes are sought before: see `by_hand`.
        """
        assert spec.at is not None or spec.after is not None
        if not self._is_set_up:
            self._set_up()
        compiled = compile_fault(len(self.faults) + 1, spec, self.compiled.nodes)
        tests = (test for test in (compiled.begins, compiled.ends) if test)
        self.wanted |= {test.event for test in tests}
        self.has_crash_points = self.has_crash_points or compiled.is_at_points
        fault = live_fault(compiled, self)
        self.faults = (*self.faults, fault)
        self._arrange(fault)
        return fault

    def _arrange(self, fault: LiveFault) -> None:
        spec, test = fault.spec, fault.compiled.begins
        if test is not None:
            self.watch(
                test, lambda now: self._begin_later(now, fault), is_repeated=fault.is_repeated
            )
        elif spec.at is not None:
            self.later(fault.pick(spec.at, "at"), fault.begin)
        else:
            fault.begin(0)

    def _begin_later(self, now: int, fault: LiveFault) -> None:
        delay = fault.spec.delay
        self.later(now if delay is None else now + fault.pick(delay, "delay"), fault.begin)

    # --- What is due, and what happened.

    @property
    def next_due(self) -> int | None:
        """When `due` has something next; None: never, unless something is observed."""
        return self._timeline[0][0] if self._timeline else None

    def expects(self, verb: str) -> bool:
        """Whether a person is to say this, at a moment that is known already."""
        begins = [what for _, _, what in self._timeline]
        return any(
            isinstance(fault.spec, OperatorFault)
            and fault.spec.verb == verb
            and fault.begin in begins
            for fault in self.faults
        )

    def due(self, now: int) -> list[a.Action]:
        """What a driver must do now, in this order."""
        actions = []
        while self._timeline and self._timeline[0][0] <= now:
            _, _, what = heappop(self._timeline)
            if callable(what):
                what(now)
            else:
                actions.append(what)
        return actions

    def observe(self, now: int, node: str, name: str, facts: Mapping[str, object]) -> None:
        """A journal event has happened; look at `next_due` afterwards."""
        self.reached[name] = self.reached.get(name, 0) + 1
        watches = self._watches.get(name)
        if not watches:
            return
        for watch in tuple(watches):
            if watch.test.accepts(node, facts):
                watch.seen += 1
                if watch.seen >= watch.test.nth:
                    if not watch.is_repeated:
                        self.forget(watch)
                    watch.act(now)

    def heal(self, now: int) -> None:
        """End every fault that is not permanent: due by itself, or when a run ends earlier."""
        if self.healed:
            return
        self.healed = True
        for fault in self.faults:
            fault.heal(now)

    # --- What happens to a message, a step, a write, a page.

    def fate(self, now: int, sender: str, receiver: str, message: Message) -> Fate | None:
        """What happens to a message that is sent now; None: nothing special."""
        if not self.has_message_faults:
            return None
        return self.fates.fate(now, sender, receiver, message)

    def held(self, sender: str, receiver: str) -> str | None:
        """Which `Release` the messages of this link wait for now, because of a link fault."""
        return self.fates.held(sender, receiver) if self.has_message_faults else None

    def ambient_fate(
        self, now: int, sender: str, receiver: str, n: int, message: Message
    ) -> Fate | None:
        """What the weather does to the n-th message of its kind on this link."""
        ambient = self._ambient
        if ambient is None:
            ambient = self._ambient = Ambient(self.compiled.scenario.network, self.draw)
        if self.healed or now >= self.heal_at:
            return ambient.calm_fate(sender, receiver, n, message)
        return ambient.fate(sender, receiver, n, message)

    def crash_at(self, now: int, node: str, point: str, records: Sequence[str]) -> a.Crash | None:
        """Whether a node crashes at this point of a step that has such records (their names)."""
        for fault in self.crash_points.get(node, ()):
            action = fault.at_point(now, node, point, records)
            if action is not None:
                return action
        return None

    def disk_fault(self, now: int, node: str, op: str) -> DiskFault | None:
        """What happens to this durable write; None: nothing special."""
        found = None
        for fault in tuple(self.write_faults.get(node, ())):
            one = fault.at_write(now, node, op)
            if one is not None:
                found = one if found is None else _both(found, one)
        return found

    def page_fault(self, now: int, node: str, scan: ScanId, page: int) -> PageFault | None:
        """Whether this page cannot be read."""
        for fault in tuple(self.page_faults.get(node, ())):
            found = fault.at_page(now, node, scan, page)
            if found is not None:
                return found
        return None

    # --- What is known of nodes. A driver that crashes nodes by itself tells it here.

    def went_down(self, node: str, back_at: int | None = None) -> None:
        """The node is down until then; None: until `came_up`."""
        self._down[node] = back_at

    def came_up(self, node: str) -> None:
        self._down.pop(node, None)

    def is_down(self, now: int, node: str) -> bool:
        if node not in self._down:
            return False
        back_at = self._down[node]
        return back_at is None or now < back_at

    def is_down_for_good(self, node: str) -> bool:
        """Whether it is down until someone brings it back."""
        return node in self._down and self._down[node] is None

    # --- What was seen.

    def mark(self, name: str, times: int = 1) -> None:
        """Something that is no event was seen, such as "dropped: of another generation"."""
        self.reached[name] = self.reached.get(name, 0) + times

    def not_reached(self) -> list[str]:
        """The marks that had to be seen and were not."""
        return [mark for mark in self.compiled.scenario.expect.reached if mark not in self.reached]

    def seen_never(self) -> list[str]:
        """The marks that had not to be seen and were."""
        return [mark for mark in self.compiled.scenario.expect.never if mark in self.reached]

    def take_events(self) -> list[tuple[str, dict[str, Any]]]:
        """The journal events of faults since the last call."""
        told, self._told = self._told, []
        return told

    # --- For the faults themselves.

    def tell(self, now: int, fault: LiveFault, what: str, where: str, detail: str) -> None:
        """Log what a fault did."""
        self.log.append(FaultEvent(now, fault.id, fault.kind, what, where, detail))
        facts = {"fault": fault.id, "kind": fault.kind, "where": where, "detail": detail}
        facts = {name: value for name, value in facts.items() if value}
        self._told.append((f"fault.{what}", facts))

    def later(self, moment: int, what: Callable[[int], None] | a.Action) -> None:
        """Have something done when a moment has come."""
        self._ticket += 1
        heappush(self._timeline, (moment, self._ticket, what))

    def do(self, now: int, action: a.Action) -> None:
        """Have a driver do something at once."""
        self.later(now, action)

    def watch(
        self, test: EventTest, act: Callable[[int], None], *, is_repeated: bool = False
    ) -> Watch:
        """Act when an event comes."""
        watch = Watch(test, act, is_repeated=is_repeated)
        self._watches.setdefault(test.event, []).append(watch)
        return watch

    def forget(self, watch: Watch | None) -> None:
        """Wait for it no longer."""
        if watch is not None and watch in self._watches[watch.test.event]:
            self._watches[watch.test.event].remove(watch)


def _both(one: DiskFault, other: DiskFault) -> DiskFault:
    """Two faults of one write: the first error wins, delays add."""
    leading = one if one.error or not other.error else other
    names = f"{one.fault}, {other.fault}"
    return DiskFault(leading.action, one.by_ns + other.by_ns, leading.error, names)
