"""What every phase of a restore has in common: one question, put to many shards until answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from increstore.protocol.asking import Asking
from increstore.protocol.barrier import Question, Waiter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from increstore.protocol.desk import Desk
    from increstore.protocol.messages import Message, ScanId


class Phase(ABC):
    """Asks at most `cap` shards at once, and whoever is silent again: the side that waits repeats.

    A phase is made from the ledger alone, so one that begins after a crash goes on where the
    last durable answer left it.
    """

    question: ClassVar[Question]

    def __init__(self, desk: Desk, shards: Iterable[str], total: int) -> None:
        self.desk = desk
        self.asking = Asking(shards, desk.now)
        self._total = total
        self._sweep_at = desk.now + desk.config.repeat_ns

    # --- What a phase must say of itself.

    @abstractmethod
    def message_to(self, shard: str) -> Message:
        """The question, as this shard is to be asked now."""

    @abstractmethod
    def hear(self, sender: str, message: Message) -> None:
        """Take in a message of our restore and generation."""

    def close(self) -> None:  # noqa: B027 - a hook that not every phase needs.
        """Record that the phase is over, where that is a fact of its own."""

    def resumed(self) -> None:  # noqa: B027 - as `close`.
        """A person has resumed the restore after a pause."""

    # --- What all phases do.

    @property
    def is_over(self) -> bool:
        return not self.asking.contacts

    def advance(self) -> None:
        """Ask whoever may be asked. Bounded by the cap, and once per `repeat_ns` by the silent."""
        now = self.desk.now
        self.asking.release_due(now)
        for shard in self.asking.take_startable(now, self.desk.cap):
            self.desk.send(shard, self.message_to(shard))
        if now >= self._sweep_at:
            self._sweep_at = now + self.desk.config.repeat_ns
            for shard in self.asking.take_silent(now, self.desk.config.repeat_ns):
                self.desk.send(shard, self.message_to(shard))

    @property
    def wake_at(self) -> int | None:
        due = self.asking.next_due
        return self._sweep_at if due is None else min(self._sweep_at, due)

    @property
    def answered(self) -> int:
        return self._total - len(self.asking.contacts)

    def waiters(self) -> tuple[Waiter, ...]:
        """Who owes an answer: those asked first, the longest silent of them at the head."""
        contacts = sorted(
            self.asking.contacts.items(),
            key=lambda item: (item[1].asked_at is None, item[1].last_sign),
        )
        return tuple(
            Waiter(
                shard,
                self.scan_of(shard),
                contact.since,
                contact.asked_at,
                contact.heard_at,
                contact.due,
                self.unapplied_of(shard),
                self.error_of(shard),
            )
            for shard, contact in contacts
        )

    def scan_of(self, shard: str) -> ScanId | None:
        return None

    def unapplied_of(self, shard: str) -> tuple[tuple[str, int], ...]:
        return ()

    def error_of(self, shard: str) -> str:
        return ""
