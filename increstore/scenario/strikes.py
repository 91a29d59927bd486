"""Faults that strike single messages, chosen by kind, link and contents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.scenario import faults as f
from increstore.scenario.actions import Release
from increstore.scenario.live import LiveState
from increstore.scenario.words import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from increstore.protocol.messages import Message
    from increstore.scenario.compiled import CompiledFault
    from increstore.scenario.director import Director
    from increstore.scenario.nodes import Selected


class MessageStrike(LiveState):
    """A message fault while it waits for its messages.

    What it meets is counted as it is sent, whether or not something stronger takes it; its
    `times` are spent only on what it struck itself.
    """

    is_occasional = True

    def __init__(self, compiled: CompiledFault, director: Director) -> None:
        super().__init__(compiled, director)
        spec = self.spec
        assert isinstance(spec, f.MessageFault)
        self.seen = 0
        self.classes = None if spec.message is None else tuple(MESSAGES[x] for x in spec.message)
        self._nth = spec.nth
        self._senders = self._names(compiled.senders, "from")
        self._receivers = self._names(compiled.receivers, "to")
        self._tests = _tests_of(spec)
        self._limit = spec.times
        if spec.times is None and not (spec.duration or spec.until or spec.permanent):
            self._limit = 1

    @property
    def times(self) -> int | None:
        return self._limit

    def take_effect(self, now: int) -> None:
        self.director.fates.add_strike(self)

    def lose_effect(self, now: int) -> None:
        self.director.fates.remove_strike(self)
        if isinstance(self.spec, f.Hold):
            self.director.do(now, Release(self.id))

    def run_out(self, now: int) -> None:
        if isinstance(self.spec, f.Hold):
            self.director.fates.remove_strike(self)  # What it has is kept until its end.
        else:
            super().run_out(now)

    def meets(self, sender: str, receiver: str, message: Message) -> bool:
        """Whether this message is to be struck; counts it when it matches."""
        if self._senders is not None and sender not in self._senders:
            return False
        if self._receivers is not None and receiver not in self._receivers:
            return False
        for test in self._tests:
            if not test(message):
                return False
        self.seen += 1
        return self.seen >= self._nth

    def strike(self, now: int, sender: str, receiver: str, message: Message) -> None:
        self.spend(now, f"{sender}>{receiver}", type(message).__name__)

    def lateness(self) -> int:
        """By how much the message at hand is late."""
        by = getattr(self.spec, "by", None)
        return 0 if by is None else self.pick(by, "by")

    def _names(self, selected: Selected | None, purpose: str) -> frozenset[str] | None:
        if selected is None:
            return None
        return frozenset(self.compiled.drawn(selected, purpose, self.director.draw))


def _tests_of(spec: f.MessageFault) -> tuple[Callable[[Message], bool], ...]:
    """What a message must be like, beside its kind and its way."""
    tests: list[Callable[[Message], bool]] = []
    if spec.incremental is not None:
        tests.append(lambda message: _of_scan(message, "incremental") == spec.incremental)
    if spec.attempt is not None:
        tests.append(lambda message: _of_scan(message, "attempt") == spec.attempt)
    if spec.order is not None:
        tests.append(lambda message: getattr(message, "order", None) == spec.order)
    if spec.status is not None:
        tests.append(lambda message: _status(message) == spec.status)
    return tuple(tests)


def _of_scan(message: Message, name: str) -> object:
    """A field of the message, or of the scan it names."""
    scan = getattr(message, "scan", None)
    return getattr(message if scan is None else scan, name, None)


def _status(message: Message) -> object:
    status = getattr(message, "status", None)
    return None if status is None else status.value
