"""One question put to many shards: who waits for a turn, who was asked, who was heard, and when."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Contact:
    """What is known of one shard that has not answered yet; times are monotonic nanoseconds."""

    __slots__ = ("asked_at", "due", "heard_at", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.asked_at: int | None = None
        self.heard_at: int | None = None
        self.due: int | None = None
        """When it may be asked again after a failure."""

    @property
    def last_sign(self) -> int:
        """When this contact was last heard, or since when it has been silent."""
        return self.since if self.heard_at is None else self.heard_at


class Asking:
    """The shards that owe an answer. Each is in exactly one of: waiting, delayed, in flight."""

    __slots__ = ("_delayed", "_in_flight", "_waiting", "contacts", "next_due")

    def __init__(self, shards: Iterable[str], now: int) -> None:
        self.contacts = {shard: Contact(now) for shard in shards}
        self.next_due: int | None = None
        """The earliest end of a delay."""
        self._waiting = deque(self.contacts)
        self._delayed: dict[str, int] = {}
        self._in_flight: dict[str, None] = {}

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def is_in_flight(self, shard: str) -> bool:
        return shard in self._in_flight

    def take_startable(self, now: int, cap: int) -> list[str]:
        """Whoever may be asked now for the first time (or after a delay), in order."""
        started = []
        while self._waiting and (cap == -1 or len(self._in_flight) < cap):
            shard = self._waiting.popleft()
            self._in_flight[shard] = None
            self.contacts[shard].asked_at = now
            started.append(shard)
        return started

    def take_silent(self, now: int, repeat_ns: int) -> list[str]:
        """Whoever was asked and has been silent for so long; counted as asked again."""
        silent = []
        for shard in self._in_flight:
            contact = self.contacts[shard]
            assert contact.asked_at is not None
            if now - max(contact.asked_at, contact.heard_at or 0) >= repeat_ns:
                contact.asked_at = now
                silent.append(shard)
        return silent

    def hear(self, shard: str, now: int) -> None:
        if shard in self.contacts:
            self.contacts[shard].heard_at = now

    def delay(self, shard: str, due: int) -> None:
        """Take back what was asked; ask again from `due` on."""
        self.hold(shard)
        self._delayed[shard] = due
        self.contacts[shard].due = due
        self.next_due = due if self.next_due is None else min(self.next_due, due)

    def hold(self, shard: str) -> None:
        """Take back what was asked, and ask no more until `delay` says when."""
        if shard in self._in_flight:
            del self._in_flight[shard]
        elif self._delayed.pop(shard, None) is not None:
            self.contacts[shard].due = None
            self.next_due = min(self._delayed.values(), default=None)
        elif shard in self._waiting:
            self._waiting.remove(shard)  # Rare: it spoke of an older question before its turn.

    def release_due(self, now: int) -> None:
        """Let those whose delay is over wait for their turn."""
        if self.next_due is None or now < self.next_due:
            return
        for shard in [shard for shard, due in self._delayed.items() if due <= now]:
            del self._delayed[shard]
            self.contacts[shard].due = None
            self._waiting.append(shard)
        self.next_due = min(self._delayed.values(), default=None)

    def finish(self, shard: str) -> None:
        """The answer is durable; it owes nothing more."""
        self.hold(shard)
        del self.contacts[shard]
