"""Short ways to say the things that protocol tests are about."""

from __future__ import annotations

from increstore.protocol.coordinator import Coordinator, CoordinatorConfig
from increstore.protocol.messages import (
    ApplyChanges,
    CompletionNotification,
    Evidence,
    OpenStream,
    ScanId,
    ScanProgress,
    StartScan,
    Status,
)
from increstore.protocol.ready import Batch, PageRead, Received, TimePassed
from increstore.protocol.source_shard import SourceConfig, SourceShard
from increstore.protocol.target_shard import TargetShard
from increstore.protocol.target_state import TargetState
from increstore.protocol.topology import COORDINATOR, TableTopology, Topology

MS = 1_000_000
SECOND = 1_000 * MS
WALL = 1_700_000_000 * SECOND
RESTORE = "restore-1"
SOURCES = ("orders/s0", "orders/s1")
TARGETS = ("orders/t0", "orders/t1")


def a_table(name="orders", incrementals=(0, 1, 2), rows=None, digest=None) -> TableTopology:
    sources = tuple(f"{name}/s{i}" for i in range(2))
    targets = tuple(f"{name}/t{i}" for i in range(2))
    return TableTopology(name, sources, targets, incrementals, rows, digest)


def a_topology(*tables, last=2) -> Topology:
    return Topology(RESTORE, last, tables or (a_table(),))


def scan_id(incremental=0, source=SOURCES[0], attempt=1, restore=RESTORE) -> ScanId:
    return ScanId(restore, incremental, source, attempt)


def of_kind(ready, kind) -> list:
    """The messages of one class in a `Ready`, without their receivers."""
    return [message for _, message in ready.messages if isinstance(message, kind)]


def records_of(ready, kind) -> list:
    return [record for record in ready.records if isinstance(record, kind)]


# --- Source shard.


class SourceBench:
    """A source shard on the bench: time passes when told, messages come from whom we say."""

    def __init__(self, config=None) -> None:
        self.core = SourceShard(SOURCES[0], TARGETS, config or SourceConfig())
        self.now = 0

    def after(self, ns, event=None):
        self.now += ns
        return self.core.step(self.now, event or TimePassed())

    def hears(self, message, sender=TARGETS[0], after=0):
        return self.after(after, Received(sender, message))

    def starts(self, generation=1, **scan):
        return self.hears(StartScan(scan_id(**scan), generation), COORDINATOR)

    def reads(self, number, *batches, last=False, **scan):
        page = PageRead(scan_id(**scan), number, sum(b.rows for b in batches), batches, last)
        return self.after(0, page)


def a_batch(target=TARGETS[0], rows=3, digest=77, payload=b"payload") -> Batch:
    return Batch(target, rows, digest, payload)


# --- Target shard.


class TargetBench:
    """A target shard on the bench."""

    def __init__(self, state=None, incrementals=(0, 1, 2)) -> None:
        table = a_table(incrementals=incrementals)
        self.core = TargetShard(TARGETS[0], table, RESTORE, state or TargetState())

    def event(self, event):
        return self.core.step(0, event)

    def hears(self, message, sender=SOURCES[0]):
        return self.event(Received(sender, message))

    def opens(self, generation=1, **scan):
        scan = scan_id(**scan)
        return self.hears(OpenStream(scan, generation), scan.source)

    def is_sent(self, order, rows=3, digest=77, generation=1, **scan):
        scan = scan_id(**scan)
        message = ApplyChanges(scan, generation, order, rows, digest, b"payload")
        return self.hears(message, scan.source)


# --- Coordinator.


class CoordinatorBench:
    """A coordinator on the bench, with the history a log would hold."""

    def __init__(self, topology=None, history=(), now=0, wall=None, **config) -> None:
        self.topology = topology or a_topology()
        self.config = CoordinatorConfig(**config)
        self.history = list(history)
        self.now = now
        wall_now = WALL + now if wall is None else wall
        self.core = Coordinator(self.topology, self.config, tuple(history), now, wall_now, "plan-1")

    def restarted(self, down_ns=0, prefix=None, **config) -> CoordinatorBench:
        """The next life, over the whole history or a prefix of it."""
        history = self.history if prefix is None else self.history[:prefix]
        return CoordinatorBench(self.topology, history, self.now + down_ns, **config)

    def event(self, event=None, after=0):
        self.now += after
        ready = self.core.step(self.now, event or TimePassed())
        self.history.extend(ready.records)
        return ready

    def hears(self, sender, message, after=0):
        return self.event(Received(sender, message), after)

    def is_told(self, report, after=0):
        return self.hears(report.scan.source, report, after)

    def report(
        self,
        source=SOURCES[0],
        incremental=0,
        attempt=1,
        status=Status.SUCCESS,
        evidence=(),
        rows=None,
        error="",
        generation=None,
    ) -> CompletionNotification:
        rows_scanned = sum(e.rows for e in evidence) if rows is None else rows
        return CompletionNotification(
            scan_id(incremental, source, attempt),
            self.core.generation if generation is None else generation,
            status,
            rows_scanned,
            evidence,
            error,
        )

    def fails(self, source=SOURCES[0], attempt=1, status=Status.TRANSIENT, rows=0, **report):
        evidence = (Evidence(TARGETS[0], rows, 1, 5),) if rows else ()
        error = report.pop("error", "the disk hiccups")
        return self.report(
            source, attempt=attempt, status=status, evidence=evidence, error=error, **report
        )

    def sample(self, source=SOURCES[0], incremental=0, attempt=1, unapplied=()) -> ScanProgress:
        scan = scan_id(incremental, source, attempt)
        return ScanProgress(scan, self.core.generation, 10, 9, 8, unapplied)

    def succeed(self, incremental=0) -> list:
        """Every scan of the incremental succeeds with nothing sent; returns the last `Ready`."""
        for table in self.topology.tables_changed_in(incremental):
            for source in table.sources:
                ready = self.is_told(self.report(source, incremental))
        return ready
