"""Data: the rows are those of the chain, value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from increstore.judging.monitor import Monitor, invariant, part_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from increstore.judging.history import History
    from increstore.judging.streams import Stream, Target
    from increstore.protocol.messages import ScanId, SealIncremental, StreamEvidence
    from increstore.protocol.ready import Batch
    from increstore.protocol.records import IncrementalCompleted, RestoreCompleted, TargetSealed

_MODULUS = 1 << 64


class Data(Monitor):
    group = "data"

    @invariant("T1", "the-rows-of-the-chain", "tables")
    def the_rows_of_the_chain(
        self, now: int, incremental: int, tables: Mapping[str, Mapping[Any, Any]]
    ) -> None:
        """After an incremental is complete, and at the end, every table equals the naive fold of
        the chain up to it, value by value: columns untouched, set to NULL and set to a value, keys
        deleted, and keys that nothing has touched."""
        oracle = self.config.oracle
        if oracle is None:
            return
        expected = oracle.rows_after(incremental)
        for table in self.truth.topology.tables:
            found, wanted = tables.get(table.table, {}), expected.get(table.table, {})
            if found != wanted:
                raise self.violated(
                    "T1", now, table.table,
                    f"after incremental {incremental}: {_difference(found, wanted)}",
                )  # fmt: skip

    @invariant("T2", "counts-and-digests-agree", "recorded TargetSealed")
    def counts_and_digests_agree(self, now: int, history: History, record: TargetSealed) -> None:
        """Rows, batches and digests are the same wherever they are counted: read by the source, in
        its evidence, durable at the target, in the seal, and in what the chain says."""
        self._require_equal(now, history.name, record.target, record.applied, history)

    @part_of("T2", "sent SealIncremental")
    def the_seal_names_the_evidence(
        self, now: int, history: History, receiver: str, message: SealIncremental
    ) -> None:
        self._require_equal(now, receiver, receiver, message.sent, history)

    def _require_equal(
        self, now: int, node: str, target: str, told: Sequence[StreamEvidence], history: History
    ) -> None:
        owed = history.owed(target)
        got = [(s.source, s.attempt, s.rows, s.batches, s.digest) for s in told]
        got.sort()
        if got != owed:
            raise self.violated(
                "T2", now, node,
                f"the seal of incremental {history.incremental} by {target} names {_told(got)}; "
                f"the sources have reported {_told(owed)}",
            )  # fmt: skip

    @part_of("T2", "sealed")
    def the_seal_is_what_is_durable(
        self, now: int, target: Target, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        for told in streams:
            stream = target.streams.get((told.source, incremental, told.attempt))
            durable = None if stream is None else (stream.end, stream.totals.get(stream.end))
            if durable != (told.batches, (told.rows, told.digest)) and told.batches:
                raise self.violated(
                    "T2", now, target.name,
                    f"incremental {incremental} was sealed with {told.rows} rows in "
                    f"{told.batches} batches of {told.source}, attempt {told.attempt}; durable are "
                    f"{durable[0] if durable else 0} batches",
                )  # fmt: skip
        named = {told.source for told in streams}
        for stream in target.by_incremental.get(incremental, ()):
            if stream.end and stream.source.name not in named:
                raise self.violated(
                    "T2", now, target.name,
                    f"incremental {incremental} was sealed without {stream.end} batches of "
                    f"{stream.source.name}, which are durable",
                )  # fmt: skip

    @part_of("T2", "applied")
    def applied_as_read(self, now: int, stream: Stream, order: int, rows: int, digest: int) -> None:
        owed = stream.owed.batch(stream.target.name, order)
        if owed is not None and owed != (rows, digest):
            raise self.violated(
                "T2", now, stream.target.name,
                f"batch {order} of {stream} was applied with {rows} rows (digest {digest:016x}); "
                f"read were {owed[0]} rows (digest {owed[1]:016x})",
            )  # fmt: skip

    @part_of("T2", "recorded IncrementalCompleted")
    def as_many_as_the_chain_has(
        self, now: int, history: History, record: IncrementalCompleted
    ) -> None:
        oracle = self.config.oracle
        if oracle is None:
            return
        for table in self.truth.topology.tables_changed_in(record.incremental):
            reports = history.reports[record.incremental]
            rows = sum(reports[source].rows_scanned for source in table.sources)
            expected = oracle.changes(table.table, record.incremental)
            if rows != expected:
                raise self.violated(
                    "T2", now, table.table,
                    f"{rows} changes of incremental {record.incremental} were reported; the chain "
                    f"has {expected}",
                )  # fmt: skip

    @invariant("T3", "no-other-table", "tables")
    def no_other_table(
        self, now: int, incremental: int, tables: Mapping[str, Mapping[Any, Any]]
    ) -> None:
        """Only the tables of the restore have rows."""
        known = [table.table for table in self.truth.topology.tables]
        for name in tables:
            if name not in known:
                raise self.violated("T3", now, name, f"it is none of {', '.join(known)}")

    @invariant("T4", "routed-to-its-owner", "scan_read")
    def routed_to_its_owner(
        self, now: int, node: str, scan: ScanId, page: int, rows: int,
        batches: Sequence[Batch], last: bool,
    ) -> None:  # fmt: skip
        """Every row of a page goes to exactly one target shard of its table, and a page holds the
        same rows whenever it is read."""
        source = self.truth.sources[node]
        targets, routed, strange = source.table.targets, 0, ""
        for batch in batches:
            routed += batch.rows
            if batch.target not in targets:
                strange = f"; {batch.target} is none of its table"
        if routed != rows or strange:
            raise self.violated(
                "T4", now, node,
                f"page {page} of incremental {scan.incremental} has {rows} rows, {routed} of them "
                f"for a target{strange}",
            )  # fmt: skip
        before = self.truth.owed(scan.source, scan.incremental).page(page)
        if before is None:
            return
        told = tuple((batch.target, batch.rows, batch.digest) for batch in batches)
        if before != told:
            raise self.violated(
                "T4", now, node,
                f"page {page} of incremental {scan.incremental} was read again with other rows",
            )  # fmt: skip

    @invariant("T5", "nothing-after-the-end", "applied")
    def nothing_after_the_end(
        self, now: int, stream: Stream, order: int, rows: int, digest: int
    ) -> None:
        """What is sealed is not changed any more, nor anything once the final rows are made, and no
        incremental is sealed twice."""
        target = stream.target
        if target.finalized is not None or stream.incremental in target.sealed:
            raise self.violated(
                "T5", now, target.name,
                f"batch {order} of {stream} was applied after "
                f"{'the seal' if target.finalized is None else 'the final rows were made'}",
            )  # fmt: skip

    @part_of("T5", "sealed")
    def sealed_once(
        self, now: int, target: Target, incremental: int, streams: Sequence[StreamEvidence]
    ) -> None:
        if target.finalized is not None or incremental in target.sealed:
            raise self.violated(
                "T5", now, target.name,
                f"incremental {incremental} was sealed after "
                f"{'it had been' if target.finalized is None else 'the final rows were made'}",
            )  # fmt: skip

    @part_of("T5", "finalized")
    def final_after_every_seal(self, now: int, target: Target, rows: int, digest: int) -> None:
        if target.due is not None:
            raise self.violated(
                "T5", now, target.name,
                f"the final rows were made before incremental {target.due} was sealed",
            )  # fmt: skip
        if target.finalized not in (None, (rows, digest)):
            raise self.violated(
                "T5", now, target.name,
                f"the final rows were made again: {rows} rows after {target.finalized}",
            )  # fmt: skip

    @invariant("T6", "visible-when-right", "published")
    def visible_when_right(self, now: int) -> None:
        """Readers see nothing until every target has its final rows, durably recorded, and their
        number and digest are those that the chain promises; then they see all of it."""
        finals: dict[str, tuple[int, int]] = {}
        for history in self.truth.histories.values():
            finals.update(history.finals)
        for table in self.truth.topology.tables:
            for target in table.targets:
                if target not in finals:
                    raise self.violated(
                        "T6", now, table.table,
                        f"it became visible before the final rows of {target} were recorded",
                    )  # fmt: skip
            rows = sum(finals[target][0] for target in table.targets)
            digest = sum(finals[target][1] for target in table.targets) % _MODULUS
            for what, got, wanted in (("rows", rows, table.rows), ("digest", digest, table.digest)):
                if wanted is not None and got != wanted:
                    raise self.violated(
                        "T6", now, table.table,
                        f"it became visible with {what} {got}; the chain promises {wanted}",
                    )  # fmt: skip

    @part_of("T6", "recorded RestoreCompleted")
    def completed_as_promised(self, now: int, history: History, record: RestoreCompleted) -> None:
        self.visible_when_right(now)


def _difference(found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> str:
    """The first difference, by key, and how many there are."""
    different = [key for key in wanted if key not in found or found[key] != wanted[key]]
    surplus = [key for key in found if key not in wanted]
    key = min(different or surplus, key=repr)
    if key not in found:
        told = f"key {key} is missing; expected {wanted[key]}"
    elif key not in wanted:
        told = f"key {key} is there with {found[key]}; expected no such key"
    else:
        told = f"key {key} is {found[key]}; expected {wanted[key]}"
    others = len(different) + len(surplus) - 1
    return f"{told}{f' (and {others} other keys)' if others else ''}"


def _told(streams: Sequence[tuple[str, int, int, int, int]]) -> str:
    parts = [
        f"{rows} rows in {batches} batches of {source}, attempt {attempt} (digest {digest:016x})"
        for source, attempt, rows, batches, digest in streams
    ]
    return "; ".join(parts) or "nothing"
