"""Frames: what arrives is what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.judging.monitor import Monitor, invariant, part_of
from increstore.judging.truth import said_of

if TYPE_CHECKING:
    from increstore.judging.streams import Source, Stream, Target
    from increstore.protocol.messages import (
        ApplyChanges,
        ChangesApplied,
        CompletionNotification,
        Finalized,
        IncrementalSealed,
        SealIncremental,
        StreamOpened,
    )


class Frames(Monitor):
    group = "frames"

    @invariant("F1", "believed-as-sent", "received ApplyChanges")
    def believed_as_sent(self, now: int, stream: Stream, message: ApplyChanges) -> None:
        """A message that reaches a core was sent by its sender, to the letter: a damaged, truncated
        or invented frame is refused before, and a batch keeps its number, rows and digest."""
        if stream.source.is_blind:
            return
        if stream.sent.get(message.order) != (message.rows, message.digest):
            raise self.violated(
                "F1", now, stream.target.name,
                f"received batch {message.order} of {stream} with {message.rows} rows, which was "
                "never sent like this",
            )  # fmt: skip

    @part_of("F1", "received ChangesApplied", "received StreamOpened")
    def watermarks_as_sent(
        self, now: int, stream: Stream, message: ChangesApplied | StreamOpened
    ) -> None:
        if message.watermark > stream.best and not stream.target.is_blind:
            raise self.violated(
                "F1", now, stream.source.name,
                f"received watermark {message.watermark} of {stream} from {stream.target.name}, "
                f"which has never had more than {stream.best}",
            )  # fmt: skip

    @part_of("F1", "received CompletionNotification")
    def reports_as_sent(self, now: int, source: Source, message: CompletionNotification) -> None:
        if not source.is_blind and said_of(message) not in self.truth.said:
            raise self.violated(
                "F1", now, source.name,
                f"a report of it was received that it never sent: {message.status.value} of "
                f"incremental {message.scan.incremental}, attempt {message.scan.attempt}",
            )  # fmt: skip

    @part_of("F1", "received IncrementalSealed", "received Finalized")
    def answers_as_sent(
        self, now: int, target: Target, message: IncrementalSealed | Finalized
    ) -> None:
        if not target.is_blind and said_of(message, target.name) not in self.truth.said:
            raise self.violated(
                "F1", now, target.name,
                f"{type(message).__name__} of it was received that it never sent",
            )  # fmt: skip

    @part_of("F1", "received SealIncremental")
    def seals_as_asked(self, now: int, target: Target, message: SealIncremental) -> None:
        if said_of(message, target.name) not in self.truth.said:
            raise self.violated(
                "F1", now, target.name,
                f"received a SealIncremental of incremental {message.incremental} that was never "
                "sent",
            )  # fmt: skip
