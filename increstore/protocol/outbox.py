"""What one step of a core has decided so far, gathered until it becomes a `Ready`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.protocol.frozen import maker_of
from increstore.protocol.ready import Ready

if TYPE_CHECKING:
    from increstore.protocol.messages import Message
    from increstore.protocol.ready import Effect
    from increstore.protocol.records import Record


_make_ready = maker_of(Ready)


class Outbox:
    """Records, effects and messages in the order they were decided; emptied by `take`."""

    __slots__ = ("_effects", "_messages", "_records")

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._effects: list[Effect] = []
        self._messages: list[tuple[str, Message]] = []

    def record(self, record: Record) -> None:
        self._records.append(record)

    def effect(self, effect: Effect) -> None:
        self._effects.append(effect)

    def send(self, receiver: str, message: Message) -> None:
        self._messages.append((receiver, message))

    def take(self, wake_at: int | None) -> Ready:
        """Everything gathered since the last call, as one `Ready`."""
        records: tuple[Record, ...] = ()
        effects: tuple[Effect, ...] = ()
        messages: tuple[tuple[str, Message], ...] = ()
        if self._records:
            records, self._records = tuple(self._records), []
        if self._effects:
            effects, self._effects = tuple(self._effects), []
        if self._messages:
            messages, self._messages = tuple(self._messages), []
        return _make_ready(records, effects, messages, wake_at)
