"""Order: incrementals go through the chain one after the other, and batches through a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.judging.monitor import Monitor, invariant, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.judging.history import History
    from increstore.judging.streams import Stream, Target
    from increstore.protocol.messages import StartScan, StreamEvidence
    from increstore.protocol.records import FinalizingStarted, IncrementalStarted


class Order(Monitor):
    group = "order"

    @invariant("O1", "barrier", "sent StartScan")
    def barrier(self, now: int, history: History, receiver: str, message: StartScan) -> None:
        """A scan of incremental n + 1 is asked for only after every source shard of n has a
        durable success report, and every target shard of n a durable seal."""
        before = message.scan.incremental - 1
        if before <= history.barrier_held:
            return
        reports, seals = history.reports.get(before), history.seals.get(before)
        for table in self.truth.topology.tables_changed_in(before):
            for source in table.sources:
                if reports is None or source not in reports:
                    raise self.violated(
                        "O1", now, receiver,
                        f"incremental {before + 1} was begun before {source} had succeeded with "
                        f"incremental {before}",
                    )  # fmt: skip
            for target in table.targets:
                if seals is None or target not in seals:
                    raise self.violated(
                        "O1", now, receiver,
                        f"incremental {before + 1} was begun before {target} had sealed "
                        f"incremental {before}",
                    )  # fmt: skip
        history.barrier_held = before

    @invariant("O2", "no-early-change", "applied")
    def no_early_change(self, now: int, stream: Stream, order: int, rows: int, digest: int) -> None:
        """No batch of incremental n + 1 is applied anywhere before incremental n is durably
        complete."""
        if stream.incremental > self.truth.completed + 1:
            raise self.violated(
                "O2", now, stream.target.name,
                f"batch {order} of {stream} was applied while incremental "
                f"{self.truth.completed + 1} was not complete",
            )  # fmt: skip

    @invariant("O3", "chain-order-at-a-target", "applied")
    def chain_order_at_a_target(
        self, now: int, stream: Stream, order: int, rows: int, digest: int
    ) -> None:
        """A target applies only the incremental that is due: the first of its table that is not
        sealed there. So for every key the applied incrementals never fall, and the last writer is
        the last incremental that changes it."""
        if stream.incremental != stream.target.due:
            raise self.violated(
                "O3", now, stream.target.name,
                f"batch {order} of {stream} was applied while incremental "
                f"{stream.target.due} was due there",
            )  # fmt: skip

    @invariant("O4", "no-gap-no-repeat", "recorded IncrementalStarted")
    def no_gap_no_repeat(self, now: int, history: History, record: IncrementalStarted) -> None:
        """Incrementals are started in chain order from 0 on, each once, none left out, none before
        the one before it is complete."""
        if history.is_open or history.is_finalizing:
            where = "while making the final rows" if history.is_finalizing else "before it was over"
            raise self.violated(
                "O4", now, history.name,
                f"incremental {record.incremental} was started after incremental "
                f"{history.incremental}, {where}",
            )  # fmt: skip
        if record.incremental != history.incremental + 1:
            raise self.violated(
                "O4", now, history.name,
                f"incremental {record.incremental} was started; expected "
                f"{history.incremental + 1}",
            )  # fmt: skip

    @part_of("O4", "recorded FinalizingStarted")
    def finalized_after_the_last(self, now: int, history: History, _: FinalizingStarted) -> None:
        last = self.truth.topology.last_incremental
        if history.is_open or history.incremental != last or history.is_finalizing:
            raise self.violated(
                "O4", now, history.name,
                f"the final rows were begun after incremental {history.incremental}"
                f"{', which is not over' if history.is_open else ''}; expected {last} to be over",
            )  # fmt: skip

    @invariant("O5", "no-gap-in-a-stream", "applied")
    def no_gap_in_a_stream(
        self, now: int, stream: Stream, order: int, rows: int, digest: int
    ) -> None:
        """Within one attempt of a scan a target applies batches 1, 2, 3 .. without a gap."""
        if order > stream.end + 1:
            raise self.violated(
                "O5", now, stream.target.name,
                f"batch {order} of {stream} was applied after batch {stream.end}",
            )  # fmt: skip

    @invariant("O6", "no-early-seal", "sealed")
    def no_early_seal(
        self, now: int, target: Target, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        """A target seals an incremental only in its turn, and only after every source shard of its
        table has a durable success."""
        if incremental != target.due:
            raise self.violated(
                "O6", now, target.name,
                f"incremental {incremental} was sealed while {target.due} was due",
            )  # fmt: skip
        for source in target.table.sources:
            if not self.truth.has_succeeded(source, incremental):
                raise self.violated(
                    "O6", now, target.name,
                    f"incremental {incremental} was sealed before {source} had succeeded",
                )  # fmt: skip
