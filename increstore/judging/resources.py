"""Resources: everything that is held, and everything that is asked, has a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.monitor import Monitor, invariant, part_of

if TYPE_CHECKING:
    from increstore.judging.config import JudgeConfig
    from increstore.judging.history import History
    from increstore.judging.streams import Stream
    from increstore.judging.truth import Truth
    from increstore.protocol.messages import (
        ApplyChanges,
        Finalize,
        OpenStream,
        SealIncremental,
        StartScan,
    )
    from increstore.protocol.ready import Event, Ready

ASKS_AT_ONCE_MAX = 3
"""How often a question may be asked before its patience begins to count."""


class Resources(Monitor):
    group = "resources"

    def __init__(self, truth: Truth, config: JudgeConfig) -> None:
        super().__init__(truth, config)
        self._bytes_held_max = config.bytes_held_max
        self._moment = -1
        """Of the last step; `_steps` is how many have been made at this moment."""
        self._steps = 0

    @invariant("R1", "in-flight-cap", "sent StartScan", "sent SealIncremental", "sent Finalize")
    def in_flight_cap(
        self,
        now: int,
        history: History,
        receiver: str,
        message: StartScan | SealIncremental | Finalize,
    ) -> None:
        """No more shards are asked at once than the cap allows; a new cap holds for the next one
        that is asked."""
        cap = self.truth.cap
        if cap != -1 and receiver not in history.asked and len(history.asked) >= cap:
            raise self.violated(
                "R1", now, receiver,
                f"it was asked while {len(history.asked)} others owed an answer; the cap is {cap}",
            )  # fmt: skip

    @invariant("R2", "bounded-window", "sent ApplyChanges")
    def bounded_window(self, now: int, stream: Stream, message: ApplyChanges) -> None:
        """A source has at most a window of batches of one stream on their way or not yet applied,
        and holds no more payload than its limit, but for the pages that it reads ahead."""
        window = self.config.window_batches
        if window is not None and message.order > stream.told + window:
            raise self.violated(
                "R2", now, stream.source.name,
                f"batch {message.order} of {stream} was sent while {stream.told} were known to be "
                f"applied; the window is {window}",
            )  # fmt: skip

    @part_of("R2", "stepped PageRead")
    def bounded_bytes(self, now: int, node: str, core: Any, event: Event, ready: Ready) -> None:
        limit, held = self._bytes_held_max, core.unapplied_bytes
        if limit is not None and held > limit:
            raise self.violated(
                "R2", now, node, f"it holds {held} bytes of payload; the limit is {limit}"
            )

    @invariant("R4", "no-storm", "stepped")
    def no_storm(self, now: int, node: str, core: Any, event: object, ready: Ready) -> None:
        """A node asks to be woken later, never now or in the past; and no question is repeated more
        often than its patience allows."""
        wake_at = ready.wake_at
        if wake_at is not None and wake_at <= now and not self.truth.clocks_changed:
            raise self.violated(
                "R4", now, node, f"it wants to be woken at {wake_at}, which is not later"
            )
        if now != self._moment:
            self._moment = now
            self._steps = 1
            return
        self._steps += 1
        if self._steps > self.config.steps_at_once_max:
            raise self.violated(
                "R4", now, node, f"{self._steps} steps were made without any time passing"
            )

    @part_of("R4", "sent StartScan", "sent SealIncremental", "sent Finalize")
    def patience_of_the_coordinator(
        self,
        now: int,
        history: History,
        receiver: str,
        message: StartScan | SealIncremental | Finalize,
    ) -> None:
        question = history.questions.get(receiver)
        if question is None or question.what != message:
            return
        patience = min(self.config.repeat_ns, self.config.backoff_ns)
        allowed = ASKS_AT_ONCE_MAX + (now - question.since) // patience
        if question.asks >= allowed:
            raise self.violated(
                "R4", now, receiver,
                f"{type(message).__name__} was sent to it {question.asks + 1} times in "
                f"{(now - question.since) / 1e9:.3f} s; once in {patience / 1e9:g} s is enough",
            )  # fmt: skip

    @part_of("R4", "sent OpenStream")
    def patience_of_a_source(self, now: int, stream: Stream, message: OpenStream) -> None:
        if not stream.asks:
            return
        # Each newer coordinator may have it opened anew.
        allowed = (
            ASKS_AT_ONCE_MAX
            + (now - stream.asks_since) // self.config.source_repeat_ns
            + stream.target.incarnation + stream.source.incarnation + message.generation
        )  # fmt: skip
        if stream.asks >= allowed:
            raise self.violated(
                "R4", now, stream.source.name,
                f"it asked {stream.target.name} {stream.asks + 1} times in "
                f"{(now - stream.asks_since) / 1e9:.3f} s for the watermark of {stream}",
            )  # fmt: skip
