"""The ordered changes of one scan towards one target shard, kept until they are applied.

Rules of this file:
- A batch is counted as evidence when it is known to be applied, in order, exactly once; what the
  stream counts when it is empty is therefore both what was sent and what was applied.
- A watermark is a durable fact about the target. One that is late tells nothing new and is
  ignored; one that is ahead of us speaks of an earlier incarnation of this shard, whose batches
  had the same numbers, and is believed. Only an *answer* below what was acknowledged before,
  three times in a row, means that the target has lost what it had confirmed.
- What is new is sent unasked: the first batch opens the stream at its target. A target that has
  it already, from an earlier incarnation, says how far it is, and nothing below is sent again.
- Repair is go-back-N: ask for the watermark, then send again everything above it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from increstore.errors import RemoteProtocolError
from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import Evidence

if TYPE_CHECKING:
    from increstore.protocol.ready import Batch

ANSWERS_BELOW_MAX = 3
"""So many answers below the acknowledged watermark are taken for late ones, and no more."""

_RESEND_DOUBLINGS_MAX = 2


class Backlog:
    """What the streams of one scan hold together, because no target has confirmed it."""

    __slots__ = ("batches", "bytes")

    def __init__(self) -> None:
        self.batches = 0
        self.bytes = 0


class ChangeStream:
    """One stream: orders are 1-based and number the same batch the same way in every rescan.

    Invariant: 0 <= watermark <= sent, sent - watermark <= window_batches, and exactly the batches
    from watermark + 1 to last_order are held.
    """

    __slots__ = (
        "_answers_below",
        "_asked_at",
        "_asking",
        "_backlog",
        "_digest",
        "_held",
        "_moved_at",
        "_repairs",
        "_sent_most",
        "_window_batches",
        "bytes_held",
        "last_order",
        "may_send",
        "rows_applied",
        "rows_sent",
        "sent",
        "target",
        "watermark",
    )

    def __init__(self, target: str, window_batches: int, backlog: Backlog | None = None) -> None:
        self.target = target
        self.may_send = True
        """False while the target must first say where it is."""
        self.last_order = 0
        self.watermark = 0
        self.sent = 0
        self.rows_sent = 0
        self.rows_applied = 0
        self.bytes_held = 0
        self._window_batches = window_batches
        self._backlog = backlog or Backlog()
        self._held: deque[Batch] = deque()
        self._digest = 0
        self._asking = False
        self._asked_at = 0
        self._moved_at = 0
        self._sent_most = 0
        self._repairs = 0
        self._answers_below = 0

    @property
    def unapplied(self) -> int:
        """Batches not known to be applied."""
        return len(self._held)

    @property
    def evidence(self) -> Evidence:
        """What is known to be applied so far; all that was sent, once nothing is unapplied."""
        batches = min(self.watermark, self.last_order)
        return Evidence(self.target, self.rows_applied, batches, self._digest)

    def add(self, batch: Batch) -> None:
        """Give `batch` the next order; one the target already has is only counted."""
        self.last_order += 1
        if self.last_order > self.watermark:
            self._held.append(batch)
            self._count_held(1, len(batch.payload))
        else:
            self.rows_sent += batch.rows
            self._count(self.last_order, batch)

    def ask(self, now: int) -> None:
        """Note that the target is now being asked for its watermark."""
        self._asking = True
        self._asked_at = now
        if self.may_send:
            self._repairs += 1

    def is_silent(self, now: int, repeat_ns: int, resend_ns: int) -> bool:
        """Whether the target must be asked (again): no answer, or no progress on what was sent.

        The patience doubles twice while nothing moves: a slow disk is not helped by more copies.
        """
        if not self.may_send:
            return now - self._asked_at >= repeat_ns
        patience = resend_ns << min(self._repairs, _RESEND_DOUBLINGS_MAX)
        return self.sent > self.watermark and now - max(self._moved_at, self._asked_at) >= patience

    def answer(self, now: int, watermark: int) -> None:
        """The target's answer to `ask`: go on after `watermark`.

        Raises: RemoteProtocolError when the target has lost what it acknowledged.
        """
        if not self._asking:
            self.apply_up_to(now, watermark)  # A doubled answer must not send everything again.
            return
        self._asking = False
        if watermark < self.watermark:
            self._note_answer_below(watermark)
            return
        self._answers_below = 0
        self.may_send = True
        self.apply_up_to(now, watermark)
        self.sent = self.watermark
        self._moved_at = now

    def apply_up_to(self, now: int, watermark: int) -> None:
        """Drop what is durable at the target. A late watermark changes nothing."""
        if watermark <= self.watermark:
            return
        while self._held and self.watermark < watermark:
            batch = self._held.popleft()
            self.watermark += 1
            self._count_held(-1, -len(batch.payload))
            if self.watermark > self._sent_most:
                self.rows_sent += batch.rows
            self._count(self.watermark, batch)
        self.watermark = watermark
        self.sent = max(self.sent, watermark)
        self._sent_most = max(self._sent_most, watermark)
        self._moved_at = now
        self._repairs = 0

    def take_due(self, now: int) -> list[tuple[int, Batch]]:
        """The (order, batch) pairs the window lets go now; they count as sent."""
        if not self.may_send or self.sent >= self.last_order:
            return []
        if self.sent == self.watermark:
            self._moved_at = now  # Patience starts with the first batch on the way.
        due = []
        while self.sent < self.last_order and self.sent - self.watermark < self._window_batches:
            batch = self._held[self.sent - self.watermark]
            self.sent += 1
            if self.sent > self._sent_most:
                self._sent_most = self.sent
                self.rows_sent += batch.rows
            due.append((self.sent, batch))
        assert self.watermark <= self.sent <= self.watermark + self._window_batches
        return due

    def close_for_reopening(self) -> None:
        """Send nothing more until the target has been asked again."""
        self.may_send = False
        self._asking = False

    def discard(self) -> None:
        """Let go of every payload; the scan has ended."""
        self._count_held(-len(self._held), -self.bytes_held)
        self._held.clear()

    def _count(self, order: int, batch: Batch) -> None:
        self.rows_applied += batch.rows
        self._digest = fold_batch_digest(self._digest, order, batch.digest)

    def _count_held(self, batches: int, size: int) -> None:
        self.bytes_held += size
        self._backlog.batches += batches
        self._backlog.bytes += size

    def _note_answer_below(self, watermark: int) -> None:
        self._answers_below += 1
        if self._answers_below >= ANSWERS_BELOW_MAX:
            raise RemoteProtocolError(
                f"{self.target} says that it has applied {watermark} batches, but had confirmed "
                f"{self.watermark}; its storage went back; the scan must start over"
            )
