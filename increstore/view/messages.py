"""Messages as a space-time diagram: who said what to whom, when it was heard, and what was lost.

Rules of this file:
- Messages carry no number on the wire, so a received one is paired with the oldest unheard one of
  the same link, kind and content. What was sent again with the same content is paired in order.
- What is not heard yet is *open*: on its way. It is told as lost when the journal says so
  (`message.lost`). Real links do not know what they lose: what is open for long is *unheard*.
- A message that is heard more often than it was sent is a duplicate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from increstore.journal import JournalEvent

LATE_NS = 1_000_000_000
"""A message that took longer is late; one that is open for so long is unheard."""
_CONTENT = ("incremental", "source", "attempt", "generation", "order", "watermark", "status")


@dataclass(slots=True)
class MessageView:
    """One message. `index` is that of its first event in the history."""

    index: int
    kind: str
    sender: str
    receiver: str
    facts: dict[str, Any]
    sent_at: int | None
    heard_at: int | None = None
    state: str = "open"
    """ "open", "heard", "late", "lost", "unheard" or "duplicate"."""
    why: str = ""

    @property
    def summary(self) -> str:
        """The message in a few words: kind, and what it is about."""
        about = [
            f"{short}{self.facts[name]}"
            for name, short in (("incremental", "inc"), ("attempt", "try "), ("order", "#"),
                                ("watermark", "up to "), ("status", ""))
            if self.facts.get(name) not in (None, "")
        ]  # fmt: skip
        return " ".join([self.kind, *about])


MESSAGES_KEPT = 5_000


class MessagePairs:
    """Pairs events into messages, one by one. Keeps the last `MESSAGES_KEPT`."""

    def __init__(self) -> None:
        self.messages: deque[MessageView] = deque(maxlen=MESSAGES_KEPT)
        self._open: dict[tuple[Any, ...], deque[MessageView]] = {}

    def apply(self, index: int, event: JournalEvent) -> None:
        """Take in one event of the history; others than messages are looked past."""
        if event.name == "message.sent":
            self._sent(index, event)
        elif event.name == "message.received":
            self._heard(index, event)
        elif event.name == "message.lost":
            self._lost(event)

    def _sent(self, index: int, event: JournalEvent) -> None:
        facts = event.facts
        message = MessageView(
            index, str(facts.get("kind", "?")), event.node, str(facts.get("to", "?")), facts,
            event.at,
        )  # fmt: skip
        self.messages.append(message)
        waiting = self._open.setdefault(_key(event.node, message.receiver, facts), deque())
        waiting.append(message)

    def _heard(self, index: int, event: JournalEvent) -> None:
        facts = event.facts
        sender = str(facts.get("from", "?"))
        waiting = self._open.get(_key(sender, event.node, facts))
        if not waiting:
            kind = str(facts.get("kind", "?"))
            again = MessageView(index, kind, sender, event.node, facts, None, event.at, "duplicate")
            self.messages.append(again)
            return
        message = waiting.popleft()
        message.heard_at = event.at
        took = event.at - (message.sent_at or event.at)
        message.state = "late" if took > LATE_NS else "heard"

    def _lost(self, event: JournalEvent) -> None:
        facts = event.facts
        sender, receiver = str(facts.get("from", event.node)), str(facts.get("to", "?"))
        waiting = self._open.get(_key(sender, receiver, facts))
        if waiting:
            message = waiting.pop() if facts.get("newest") else waiting.popleft()
            message.state, message.why = "lost", str(facts.get("why", ""))


def _key(sender: str, receiver: str, facts: dict[str, Any]) -> tuple[Any, ...]:
    content = tuple(facts.get(name) for name in _CONTENT)
    return (sender, receiver, facts.get("kind"), *content)


def pair(events: Iterable[tuple[int, JournalEvent]], now: int = 0) -> list[MessageView]:
    """The messages of some events with their indexes, in the order in which they were sent.

    `now`: the moment that is looked at (nanoseconds since 1970).
    """
    pairs = MessagePairs()
    for index, event in events:
        pairs.apply(index, event)
    for message in pairs.messages:
        if message.state == "open" and now - (message.sent_at or now) > LATE_NS:
            message.state = "unheard"
    return list(pairs.messages)
