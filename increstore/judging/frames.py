"""Frames: what arrives is what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.judging.monitor import Monitor, invariant, part_of

if TYPE_CHECKING:
    from increstore.judging.streams import Source, Stream, Target
    from increstore.protocol.messages import (
        ApplyChanges,
        ChangesApplied,
        CompletionNotification,
        Finalize,
        Finalized,
        IncrementalSealed,
        OpenStream,
        SealIncremental,
        StartScan,
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

    @part_of("F1", "received OpenStream")
    def streams_are_opened_as_asked(self, now: int, stream: Stream, message: OpenStream) -> None:
        if message.generation not in stream.opens and not stream.source.is_blind:
            raise self._never_sent(now, stream.target.name, message)

    @part_of("F1", "received ChangesApplied", "received StreamOpened")
    def watermarks_as_sent(
        self, now: int, stream: Stream, message: ChangesApplied | StreamOpened
    ) -> None:
        if stream.target.is_blind:
            return
        if (message.generation, message.watermark) not in stream.answers:
            raise self.violated(
                "F1", now, stream.source.name,
                f"received watermark {message.watermark} of {stream} from {stream.target.name}, "
                f"which was never sent; {stream.best} batches are applied there",
            )  # fmt: skip

    @part_of("F1", "received CompletionNotification")
    def reports_as_sent(self, now: int, source: Source, message: CompletionNotification) -> None:
        if not source.is_blind and not self.truth.was_said(message):
            raise self.violated(
                "F1", now, source.name,
                f"a report of it was received that it never sent: {message.status.value} of "
                f"incremental {message.scan.incremental}, attempt {message.scan.attempt}",
            )  # fmt: skip

    @part_of("F1", "received IncrementalSealed", "received Finalized")
    def answers_as_sent(
        self, now: int, target: Target, message: IncrementalSealed | Finalized
    ) -> None:
        if not target.is_blind and not self.truth.was_said(message, target.name):
            raise self._never_sent(now, target.name, message)

    @part_of("F1", "received SealIncremental", "received Finalize", "received StartScan")
    def questions_as_asked(
        self, now: int, shard: Source | Target, message: SealIncremental | Finalize | StartScan
    ) -> None:
        if not self.truth.was_said(message, shard.name):
            raise self._never_sent(now, shard.name, message)

    def _never_sent(self, now: int, node: str, message: object) -> Exception:
        return self.violated(
            "F1", now, node,
            f"{type(message).__name__} was received, to or from it, that was never sent like this",
        )  # fmt: skip
