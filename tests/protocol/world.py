"""A small deterministic world for real cores: a heap of events, lossy links, crashes.

Every message crosses `plain`, every record is durable before the messages of its step, a crash
throws the core away and keeps only what is durable. The judge stands outside the cores.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from random import Random

from increstore.judging.judge import Judge, JudgeConfig
from increstore.protocol.coordinator import Coordinator, CoordinatorConfig, RestoreState
from increstore.protocol.evidence import fold_batch_digest
from increstore.protocol.messages import ScanId
from increstore.protocol.plain import from_plain, to_plain
from increstore.protocol.ready import (
    ApplyBatch,
    Batch,
    BatchesApplied,
    FinalizeRows,
    PageFailed,
    PageRead,
    PublishTables,
    ReadPage,
    Received,
    RowsFinalized,
    RunSealed,
    SealRun,
    TablesPublished,
    TimePassed,
)
from increstore.protocol.records import GenerationSeen
from increstore.protocol.source_shard import SourceConfig, SourceShard
from increstore.protocol.target_shard import TargetShard
from increstore.protocol.target_state import StreamState, TargetState
from increstore.protocol.topology import COORDINATOR, TableTopology, Topology, table_of

MS = 1_000_000
SECOND = 1_000 * MS
WALL = 1_700_000_000 * SECOND
MODULUS = 1 << 64


@dataclass
class Luck:
    """How bad the world is, until it heals. Rates are out of 1000."""

    loss: int = 0
    duplicate: int = 0
    reorder: int = 0
    """Messages that arrive up to 9 s late; the others keep their order on each link."""
    crash: int = 0
    page_failure: int = 0
    latency_ms_max: int = 30
    heals_at: int = 60 * SECOND


@dataclass
class Disk:
    """What one target has made durable."""

    generation: int = 0
    batches: dict[ScanId, list[tuple[int, int, int]]] = field(default_factory=dict)
    sealed: dict = field(default_factory=dict)
    finalized: tuple[int, int] | None = None

    def append(self, batch: ApplyBatch) -> None:
        self.batches.setdefault(batch.scan, []).append((batch.order, batch.rows, batch.digest))

    def state(self) -> TargetState:
        streams = {}
        for scan, batches in self.batches.items():
            digest = 0
            for order, _, batch_digest in batches:
                digest = fold_batch_digest(digest, order, batch_digest)
            rows = sum(rows for _, rows, _ in batches)
            streams[scan] = StreamState(len(batches), rows, digest)
        return TargetState(self.generation, dict(self.sealed), streams, self.finalized)

    def fold(self) -> tuple[int, int]:
        """(rows, digest) of every batch that counts: those of the streams named by a seal."""
        rows = digest = 0
        for incremental, streams in self.sealed.items():
            for stream in streams:
                for scan, batches in self.batches.items():
                    key = (scan.incremental, scan.source, scan.attempt)
                    if key == (incremental, stream.source, stream.attempt):
                        rows += sum(batch[1] for batch in batches)
                        digest += sum(batch[2] for batch in batches)
        return rows, digest % MODULUS


def a_topology(tables=2, sources=2, targets=2, last=2, unchanged=()) -> tuple[Topology, dict]:
    """A topology and its backup: (source, incremental) -> pages of batches."""
    backup, tops = {}, []
    luck = Random(f"{tables}/{sources}/{targets}/{last}")
    for t in range(tables):
        name = f"db/table{t}"
        source_names = tuple(f"{name}/s{i}" for i in range(sources))
        target_names = tuple(f"{name}/t{i}" for i in range(targets))
        changed = tuple(n for n in range(last + 1) if n == 0 or (t, n) not in unchanged)
        rows = digest = 0
        for source in source_names:
            for n in changed:
                pages = []
                for _ in range(luck.randrange(1, 5)):
                    chosen = [name for name in target_names if luck.random() < 0.7]
                    page = tuple(
                        Batch(target, luck.randrange(1, 9), luck.getrandbits(64), b"x" * 10)
                        for target in chosen
                    )
                    rows += sum(batch.rows for batch in page)
                    digest += sum(batch.digest for batch in page)
                    pages.append(page)
                backup[source, n] = pages
        tops.append(
            TableTopology(name, source_names, target_names, changed, rows, digest % MODULUS)
        )
    return Topology("restore-1", last, tuple(tops)), backup


class World:
    """Runs a whole restore; `run` returns when it is completed and the judge has not objected."""

    def __init__(
        self,
        seed,
        luck=None,
        config=None,
        source_config=None,
        crash_at=None,
        loses=None,
        **shape,
    ) -> None:
        """`crash_at` is (step, point): one planned crash. `loses(world, sender, receiver, message)`
        says which messages never arrive."""
        self.random = Random(seed)
        self.crash_at = crash_at
        self.loses = loses
        self.luck = luck or Luck()
        self.topology, self.backup = a_topology(**shape)
        self.config = config or CoordinatorConfig(scans_in_flight=3, stage_deadline_ns=None)
        self.source_config = source_config or SourceConfig(bytes_max=45)
        largest_page = 10 * len(self.topology.tables[0].targets)
        self.judge = Judge(
            self.topology,
            JudgeConfig.of(self.config, self.source_config, page_bytes_max=largest_page),
        )
        self.now = 0
        self.steps = 0
        self.crashes = 0
        self.history: list = []
        self.is_published = False
        self.disks = {name: Disk() for table in self.topology.tables for name in table.targets}
        self.cores: dict = {}
        self.lives: dict[str, int] = {}
        self.wakes: dict[str, int] = {}
        self.links: dict[tuple[str, str], int] = {}
        self.heap: list = []
        self.ticket = 0
        self.sent: dict[str, int] = {}
        for table in self.topology.tables:
            for name in (*table.sources, *table.targets):
                self._start(name)
        self._start(COORDINATOR)

    # --- Running.

    def run(self, within=900 * SECOND, steps_max=60_000) -> World:
        while not self._is_done():
            assert self.heap, f"L7: nothing will happen any more: {self._says()}"
            self.now, _, name, life, event = heapq.heappop(self.heap)
            assert self.now <= within, f"L1: not completed in time: {self._says()}"
            self.steps += 1
            assert self.steps <= steps_max, f"R4: a storm: {self._says()}"
            if self.lives[name] == life and name in self.cores:
                self._step(name, event)
        self.judge.ended(self.now, self.cores[COORDINATOR].state, self.cores[COORDINATOR].reason)
        return self

    def _is_done(self) -> bool:
        core = self.cores.get(COORDINATOR)
        return core is not None and core.state is RestoreState.COMPLETED

    def _says(self) -> str:
        core = self.cores.get(COORDINATOR)
        return core.explain(self.now) if core else "the coordinator is down"

    def _is_struck(self, rate: int) -> bool:
        return self.now < self.luck.heals_at and self.random.randrange(1000) < rate

    def _after(self, name, event, delay=None) -> None:
        delay = (
            self.random.randrange(1, self.luck.latency_ms_max + 1) * MS if delay is None else delay
        )
        self.ticket += 1
        entry = (self.now + delay, self.ticket, name, self.lives[name], event)
        heapq.heappush(self.heap, entry)

    def _start(self, name) -> None:
        self.lives[name] = self.lives.get(name, 0) + 1
        if name == COORDINATOR:
            history = [from_plain(to_plain(record)) for record in self.history]
            self.judge.recovered(self.now, name, history)
            core = Coordinator(
                self.topology, self.config, history, self.now, WALL + self.now, "plan-1"
            )
        else:
            table = self.topology.table(table_of(name))
            if name in self.disks:
                state = self.disks[name].state()
                self.judge.recovered(self.now, name, state)
                core = TargetShard(name, table, "restore-1", state)
            else:
                core = SourceShard(name, table.targets, self.source_config)
        self.cores[name] = core
        self.judge.started(self.now, name, self.lives[name], core)
        self._after(name, TimePassed(), 0)

    def _crash(self, name) -> None:
        """Only what is durable remains; messages on their way reach the next life."""
        self.crashes += 1
        self.judge.crashed(self.now, name)
        life = self.lives[name]
        del self.cores[name]
        self.lives[name] += 1
        mail = [e for e in self.heap if e[2] == name and e[3] == life]
        back_at = self.now + self.random.randrange(1, 3000) * MS
        for entry in mail:
            if isinstance(entry[4], Received) and entry[0] >= back_at:
                heapq.heappush(self.heap, (*entry[:3], life + 2, entry[4]))
        heapq.heappush(self.heap, (back_at, 0, "?reboot", 0, name))
        self.lives.setdefault("?reboot", 0)
        self.cores["?reboot"] = None

    def _step(self, name, event) -> None:
        if name == "?reboot":
            self._start(event)
            return
        core = self.cores[name]
        ready = self._judged_step(name, core, event)
        if self.crash_at is not None and self.steps == self.crash_at[0]:
            self._crash_within(name, ready, self.crash_at[1])
            return
        if self._is_struck(self.luck.crash):
            self._crash_within(name, ready, self.random.randrange(3))
            return
        self._make_durable(name, ready.records)
        for effect in ready.effects:
            self._perform(name, effect)
        for receiver, message in ready.messages:
            self._send(name, receiver, message)
        if ready.wake_at is not None:
            self._wake(name, ready.wake_at)
        if name == COORDINATOR and core.state is RestoreState.PAUSED:
            self._crash(name)  # The operator runs the same command again.

    def _judged_step(self, name, core, event):
        if isinstance(event, Received):
            self.judge.received(self.now, event.sender, name, event.message)
        ready = core.step(self.now, event)
        self.judge.stepped(self.now, name, core, event, ready)
        return ready

    def _wake(self, name, wake_at) -> None:
        """One wake-up a node: a later one is only asked for when the earlier has come."""
        if self.wakes.get(name) != (wake_at, self.lives[name]):
            self.wakes[name] = (wake_at, self.lives[name])
            self._after(name, TimePassed(), wake_at - self.now)

    def _crash_within(self, name, ready, point) -> None:
        """Before the records, after some of them, or after effects and some of the messages."""
        if point == 1:
            self._make_durable(name, ready.records[: self.random.randrange(len(ready.records) + 1)])
        if point == 2:
            self._make_durable(name, ready.records)
            for effect in ready.effects:
                self._perform(name, effect)
            for receiver, message in ready.messages[
                : self.random.randrange(len(ready.messages) + 1)
            ]:
                self._send(name, receiver, message)
        self._crash(name)

    # --- What drivers do.

    def _make_durable(self, name, records) -> None:
        for record in records:
            if isinstance(record, GenerationSeen):
                self.disks[name].generation = record.generation
            else:
                self.history.append(record)
            self.judge.recorded(self.now, name, record)

    def _perform(self, name, effect) -> None:
        if isinstance(effect, ReadPage):
            self._read(name, effect)
        elif isinstance(effect, ApplyBatch):
            self._store(name, effect)
        elif isinstance(effect, SealRun):
            self.disks[name].sealed[effect.incremental] = effect.streams
            self.judge.sealed(self.now, name, effect.incremental, effect.streams)
            self._after(name, RunSealed(effect.incremental))
        elif isinstance(effect, FinalizeRows):
            self.disks[name].finalized = self.disks[name].fold()
            self.judge.finalized(self.now, name, *self.disks[name].finalized)
            self._after(name, RowsFinalized(*self.disks[name].finalized))
        else:
            assert isinstance(effect, PublishTables)
            self.is_published = True
            self.judge.published(self.now)
            self._after(name, TablesPublished())

    def _read(self, name, effect: ReadPage) -> None:
        pages = self.backup[name, effect.scan.incremental]
        if effect.page >= len(pages):
            self._after(name, PageRead(effect.scan, effect.page, 0, (), last=True))
        elif self._is_struck(self.luck.page_failure):
            self._after(name, PageFailed(effect.scan, effect.page, True, "the disk hiccups"))
        else:
            page = pages[effect.page]
            rows = sum(batch.rows for batch in page)
            last = effect.page + 1 == len(pages)
            self.judge.scan_read(self.now, name, effect.scan, effect.page, rows, page, last)
            self._after(name, PageRead(effect.scan, effect.page, rows, page, last))

    def _store(self, name, batch: ApplyBatch) -> None:
        """Durable at once; the core hears of it later, and never if it crashes before."""
        self.disks[name].append(batch)
        self.judge.applied(self.now, name, batch.scan, batch.order, batch.rows, batch.digest)
        self._after(name, BatchesApplied(batch.scan, batch.order), self.luck.latency_ms_max * MS)

    def _send(self, sender, receiver, message) -> None:
        self.judge.sent(self.now, sender, receiver, message)
        kind = type(message).__name__
        self.sent[kind] = self.sent.get(kind, 0) + 1
        if self._is_struck(self.luck.loss):
            return
        if self.loses is not None and self.loses(self, sender, receiver, message):
            return
        copies = 2 if self._is_struck(self.luck.duplicate) else 1
        for _ in range(copies):
            event = Received(sender, from_plain(to_plain(message)))
            if receiver in self.cores:
                self._deliver(sender, receiver, event)

    def _deliver(self, sender, receiver, event) -> None:
        if self._is_struck(self.luck.reorder):
            self._after(receiver, event, self.random.randrange(9000) * MS)
            return
        latency = self.random.randrange(1, self.luck.latency_ms_max + 1) * MS
        arrives = max(self.now + latency, self.links.get((sender, receiver), 0))
        self.links[sender, receiver] = arrives
        self._after(receiver, event, arrives - self.now)
