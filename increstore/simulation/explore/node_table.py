"""Every node at rest that was ever met, by number, and every step it can take, taken once.

Rules of this file:
- Cores know nothing of each other, so a step depends on the node and the event alone. There are
  few of those beside the many states they make up: the production core takes each step once, and
  the search only joins numbers.
- A node is known by its key (`canonical`); the first node with a key stands for all of them.
- A wake-up passes every patience: the node's own clock jumps by `PATIENCE`, as that of a busy
  driver may. So nothing but a wake-up ever depends on how much time went by.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from increstore.protocol.ledger import RestoreState, replay
from increstore.protocol.messages import CompletionNotification, Message, ScanProgress, Status
from increstore.protocol.ready import ApplyBatch, ReadPage, Ready, Received, TimePassed
from increstore.simulation.explore.canonical import Canon, Key
from increstore.simulation.explore.kept import History
from increstore.simulation.explore.laws import LawBroken
from increstore.simulation.explore.role import WALL, Deed, Node
from increstore.simulation.explore.roles import role_of
from increstore.simulation.explore.small_world import FINGERPRINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from increstore.protocol.ready import Effect, Event
    from increstore.simulation.explore.small_world import SmallWorld

PATIENCE = 3_600 * 10**9
"""Nanoseconds; longer than any backoff, repeat or resend."""

SUBSETS_OF_MAX = 3
"""A crash among so many messages leaves any of them sent; among more, all but one or just one."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One message under way."""

    sender: str
    receiver: str
    message: Message


@dataclass(frozen=True, slots=True)
class Cut:
    """A crash in the middle of a step: where, what starts next, what had been sent."""

    where: str
    node: int
    packets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step came to."""

    node: int
    packets: tuple[int, ...]
    ready: Ready
    cuts: tuple[Cut, ...]
    claims: tuple[CompletionNotification, ...]
    """Successes it reports."""
    deed: Deed | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What can happen to a node by itself."""

    name: str
    is_starting: bool
    can_wake: bool
    deeds: tuple[Deed, ...]
    free_deeds: tuple[int, ...]
    """Places of the deeds that are no faults."""
    remains: tuple[int, ...]
    """The nodes that a crash at rest may leave, ready to start."""
    state: RestoreState | None
    """Of the coordinator."""


class NodeTable:
    """Numbers for nodes and packets, the same for whatever does the same; and their images."""

    def __init__(
        self, world: SmallWorld, samples: bool, renamings: Sequence[dict[str, str]]
    ) -> None:
        self.world = world
        self.names = world.names
        self.roles = {name: role_of(world, name) for name in world.names}
        self.nodes: dict[int, Node] = {}
        self.packets: dict[int, Packet] = {}
        self.images: list[list[int]] = [[] for _ in renamings]
        """By renaming: the number of what each number becomes."""
        self.steps = 0
        """Steps that cores took."""
        self.samples = samples
        """Whether samples of progress are carried; if not, every one of them is lost."""
        self._canons = [Canon(renaming) for renaming in renamings]
        self._numbers: dict[Key, int] = {}
        self._profiles: dict[int, Profile] = {}
        self._outcomes: dict[tuple[int, int, int], Outcome] = {}

    # --- Numbers.

    def first(self) -> tuple[int, ...]:
        """Every node before its first life."""
        return tuple(
            self.number(Node(name, None, 0, self.roles[name].first())) for name in self.names
        )

    def number(self, node: Node) -> int:
        core = None if node.core is None else pickle.loads(node.core)
        keys = [self._node_key(canon, node, core) for canon in self._canons]
        number = self._numbered(keys)
        self.nodes.setdefault(number, node)
        return number

    def packet(self, packet: Packet) -> int:
        number = self._numbered([canon.key(packet) for canon in self._canons])
        self.packets.setdefault(number, packet)
        return number

    def _numbered(self, keys: list[Key]) -> int:
        """The number of the first key; the others are its images."""
        known = len(self.images[0])
        numbers = [self._numbers.setdefault(key, len(self._numbers)) for key in keys]
        for images in self.images:
            images.extend([-1] * (len(self._numbers) - known))
        for images, image in zip(self.images, numbers, strict=True):
            images[numbers[0]] = image
        return numbers[0]

    def _node_key(self, canon: Canon, node: Node, core: Any) -> Key:
        wall = WALL + node.now
        kept: Any = node.kept
        if isinstance(kept, History):
            kept = kept.facts
            if core is None:
                core = replay(self.world.topology, node.kept.records, FINGERPRINT)
        return (
            canon.name(node.name),
            canon.key(core, wall),
            node.core is None,
            canon.key(kept),
            _pending_key(canon, node.pending),
            node.wake_at is not None,
        )

    # --- Steps.

    def profile(self, number: int) -> Profile:
        found = self._profiles.get(number)
        if found is None:
            found = self._profiles[number] = self._profiled(self.nodes[number])
        return found

    def _profiled(self, node: Node) -> Profile:
        if node.core is None:
            return Profile(node.name, True, False, (), (), (), None)
        role, core = self.roles[node.name], pickle.loads(node.core)
        deeds = tuple(role.deeds(node, core))
        remains = [self._starting(node, kept) for kept in role.remains(node)]
        return Profile(
            node.name,
            False,
            node.wake_at is not None,
            deeds,
            tuple(place for place, deed in enumerate(deeds) if not deed.costs),
            tuple(dict.fromkeys(remains)),
            core.state if isinstance(node.kept, History) else None,
        )

    def wakes(self, number: int) -> Outcome:
        """The wake-up comes, or the first step of a life."""
        return self._outcome(number, 0, 0, None)

    def receives(self, number: int, packet: int) -> Outcome:
        return self._outcome(number, 1, packet, None)

    def does(self, number: int, place: int) -> Outcome:
        """The deed at this place of its profile."""
        return self._outcome(number, 2, place, self.profile(number).deeds[place])

    def explain(self, number: int) -> str:
        """What the coordinator says that it waits for."""
        node = self.nodes[number]
        if node.core is None:
            return "the coordinator starts"
        told: str = pickle.loads(node.core).explain(node.now)
        return told

    def _outcome(self, number: int, kind: int, place: int, deed: Deed | None) -> Outcome:
        key = (number, kind, place)
        found = self._outcomes.get(key)
        if found is None:
            found = self._outcomes[key] = self._step(self.nodes[number], kind, place, deed)
        return found

    def _step(self, node: Node, kind: int, place: int, deed: Deed | None) -> Outcome:
        role, now = self.roles[node.name], node.now
        event: Event = TimePassed() if deed is None else deed.event
        if kind == 0 and node.core is not None:
            now = max(node.wake_at or 0, now + PATIENCE)
        elif kind == 1:
            packet = self.packets[place]
            event = Received(packet.sender, packet.message)
        before = node.kept if deed is None else deed.kept
        pending = node.pending if deed is None else deed.pending
        core, ready = self._take_step(node, now, event)
        try:
            kept = role.append(before, ready.records)
            role.check(before, core, event, ready, kept)
        except LawBroken as broken:
            broken.ready = ready
            raise
        after = Node(
            node.name, pickle.dumps(core), now, kept, (*pending, *ready.effects), ready.wake_at
        )
        if deed is not None and deed.ends_life:
            after = replace(after, core=None, pending=(), wake_at=None)
        packets = self._sent(node.name, ready.messages)
        claims = [m for _, m in ready.messages if isinstance(m, CompletionNotification)]
        return Outcome(
            self.number(after),
            packets,
            ready,
            tuple(self._cuts(replace(node, now=now), before, kept, ready, packets)),
            tuple(claim for claim in claims if claim.status is Status.SUCCESS),
            deed,
        )

    def _take_step(self, node: Node, now: int, event: Event) -> tuple[Any, Ready]:
        self.steps += 1
        try:
            if node.core is None:
                core = self.roles[node.name].begin(node)
            else:
                core = pickle.loads(node.core)
            return core, core.step(now, event)
        except Exception as error:
            told = f"{node.name} failed: {type(error).__name__}: {error}"
            raise LawBroken("X1", told) from error

    def _sent(self, sender: str, messages: Iterable[tuple[str, Message]]) -> tuple[int, ...]:
        return tuple(
            self.packet(Packet(sender, receiver, message))
            for receiver, message in messages
            if self.samples or not isinstance(message, ScanProgress)
        )

    # --- Crashes.

    def _starting(self, node: Node, kept: Any) -> int:
        return self.number(Node(node.name, None, node.now, kept))

    def _cuts(
        self, node: Node, before: Any, kept: Any, ready: Ready, packets: tuple[int, ...]
    ) -> Iterable[Cut]:
        """Where this step may be cut off. After all of it is a crash at rest."""
        if ready.records:
            yield Cut("before its records are durable", self._starting(node, before), ())
            yield Cut("when its records are durable", self._starting(node, kept), ())
        sizes: Iterable[int] = range(1, len(packets))
        if len(packets) > SUBSETS_OF_MAX:
            sizes = (1, len(packets) - 1)
        after = self._starting(node, kept) if len(packets) > 1 else -1
        for size in sizes:
            for sent in combinations(packets, size):
                yield Cut(f"when {size} of its {len(packets)} messages are sent", after, sent)


def _pending_key(canon: Canon, pending: tuple[Effect, ...]) -> Key:
    """Reads end in any order, so theirs does not matter; nor does the order among sources."""
    if len(pending) < 2:
        return tuple([canon.key(effect) for effect in pending])
    keyed = [(_rank(canon, effect), canon.key(effect)) for effect in pending]
    return tuple([key for _, key in sorted(keyed, key=lambda pair: pair[0])])


def _rank(canon: Canon, effect: Effect) -> tuple[Any, ...]:
    if isinstance(effect, ReadPage):
        return ("read", effect.scan.incremental, effect.scan.attempt, effect.page)
    if isinstance(effect, ApplyBatch):
        return ("apply", canon.name(effect.scan.source))
    return ("whole",)
