"""Faults of links: what they cut, hold back and slow down while they last."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING

from increstore.scenario import faults as f
from increstore.scenario.actions import Release
from increstore.scenario.live import LiveState

if TYPE_CHECKING:
    from increstore.protocol.messages import Message
    from increstore.scenario.compiled import CompiledFault
    from increstore.scenario.director import Director
    from increstore.scenario.nodes import Selected

HEADER_BYTES = 100
"""What a message weighs on a narrow link beside its rows."""
_SECOND = 1_000_000_000
_THE_REST = 1


class LinkState(LiveState):
    """A link fault while it lasts."""

    cuts = False
    """Whether what it concerns is lost."""

    @abstractmethod
    def concerns(self, sender: str, receiver: str) -> bool: ...

    def hold(self, sender: str, receiver: str) -> str | None:
        """Under which name a message that it concerns is kept; None: it is not."""
        return None

    def lateness(self, now: int, sender: str, receiver: str, message: Message) -> int:
        return 0

    def take_effect(self, now: int) -> None:
        self.director.fates.add_link(self)

    def lose_effect(self, now: int) -> None:
        self.director.fates.remove_link(self)

    def drawn(self, selected: Selected, purpose: str) -> frozenset[str]:
        return frozenset(self.compiled.drawn(selected, purpose, self.director.draw))


class PartitionState(LinkState):
    """Groups that do not hear each other."""

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        spec = self.spec
        assert isinstance(spec, f.Partition)
        self._spec = spec
        self.cuts = spec.mode == "drop"
        self._group = self._numbered(compiled.groups)

    def _numbered(self, groups: tuple[Selected, ...]) -> dict[str, int]:
        """The group of each node; of a node that is named twice, the first."""
        members = {}
        if len(groups) == 1:
            members = dict.fromkeys(self.director.compiled.nodes, _THE_REST)
        for number, group in reversed([*enumerate(groups)]):
            drawn = self.compiled.drawn(group, f"group {number + 1}", self.director.draw)
            members.update(dict.fromkeys(drawn, number))
        return members

    def concerns(self, sender: str, receiver: str) -> bool:
        of_sender, of_receiver = self._group.get(sender), self._group.get(receiver)
        if of_sender is None or of_receiver is None or of_sender == of_receiver:
            return False
        match self._spec.direction:
            case "to":
                return of_receiver == 0
            case "from":
                return of_sender == 0
            case _:
                return True

    def hold(self, sender: str, receiver: str) -> str | None:
        return self.id if self._spec.mode == "hold" else None

    def lateness(self, now: int, sender: str, receiver: str, message: Message) -> int:
        return 0 if self._spec.by is None else self.pick(self._spec.by, f"{sender}>{receiver} by")

    def lose_effect(self, now: int) -> None:
        super().lose_effect(now)
        if self._spec.mode == "hold":
            self.director.do(now, Release(self.id))

    def describe(self) -> str:
        return f"{self._spec.direction}, {self._spec.mode}"


class ClogState(LinkState):
    """Nodes that nothing reaches, or leaves."""

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        assert isinstance(self.spec, f.Clog)
        self._holds = self.spec.hold
        self.cuts = not self.spec.hold
        self._in = frozenset(self.nodes if self.spec.direction in ("in", "both") else ())
        self._out = frozenset(self.nodes if self.spec.direction in ("out", "both") else ())

    def concerns(self, sender: str, receiver: str) -> bool:
        return receiver in self._in or sender in self._out

    def hold(self, sender: str, receiver: str) -> str | None:
        return self.id if self._holds else None

    def lose_effect(self, now: int) -> None:
        super().lose_effect(now)
        if self._holds:
            self.director.do(now, Release(self.id))


class SwizzleState(LinkState):
    """Nodes clogged one by one in a drawn order in the first half, released in another in the
    second."""

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        self._clogged: dict[str, None] = {}

    def take_effect(self, now: int) -> None:
        super().take_effect(now)
        assert self.ends_at is not None, "a swizzle without an end is refused when it is read"
        half = (self.ends_at - now) // 2
        for node in self.nodes:
            begin = now + self._draw(f"clog {node}", half)
            end = now + half + self._draw(f"release {node}", half)
            self.director.later(begin, partial(self._clog, node))
            self.director.later(end, partial(self._release, node))

    def lose_effect(self, now: int) -> None:
        super().lose_effect(now)
        for node in (*self._clogged,):
            self._release(node, now)

    def concerns(self, sender: str, receiver: str) -> bool:
        return receiver in self._clogged or sender in self._clogged

    def hold(self, sender: str, receiver: str) -> str | None:
        return self._name(receiver if receiver in self._clogged else sender)

    def _draw(self, purpose: str, span: int) -> int:
        return self.director.draw(f"fault {self.id} {purpose}", span + 1)

    def _name(self, node: str) -> str:
        return f"{self.id} {node}"

    def _clog(self, node: str, _: int) -> None:
        if self.is_active:
            self._clogged[node] = None

    def _release(self, node: str, now: int) -> None:
        if node in self._clogged:
            del self._clogged[node]
            self.director.do(now, Release(self._name(node)))


class WayState(LinkState):
    """A fault of all links from some nodes to some nodes."""

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        assert compiled.senders is not None
        assert compiled.receivers is not None
        self._senders = self.drawn(compiled.senders, "from")
        self._receivers = self.drawn(compiled.receivers, "to")

    def concerns(self, sender: str, receiver: str) -> bool:
        return sender in self._senders and receiver in self._receivers


class HalfOpenState(WayState):
    """All is lost, and the sender is not told."""

    cuts = True


class SlowState(WayState):
    """Everything is late."""

    def lateness(self, now: int, sender: str, receiver: str, message: Message) -> int:
        assert isinstance(self.spec, f.SlowLink)
        return self.pick(self.spec.by, f"{sender}>{receiver} by")


class NarrowState(WayState):
    """Each link carries one message after the other, so many bytes a second."""

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        self._free_at: dict[tuple[str, str], int] = {}

    def lateness(self, now: int, sender: str, receiver: str, message: Message) -> int:
        assert isinstance(self.spec, f.Bandwidth)
        size = HEADER_BYTES + len(getattr(message, "payload", b""))
        begins = max(now, self._free_at.get((sender, receiver), 0))
        free_at = begins + size * _SECOND // self.spec.bytes_per_second
        self._free_at[sender, receiver] = free_at
        return free_at - now
