"""Durability: what is said before it is written, and what is lost although it was said."""

from __future__ import annotations

from tests.planted.bug import Bug, CrashEverywhere
from tests.planted.bugs.places import (
    LEDGER,
    OWN,
    SCAN_PHASE,
    SIM_DISK,
    SIM_KEEPERS,
    SIM_ROLES,
    STORM,
    STREAM_TABLE,
    TARGET_SHARD,
    own,
    shipped,
)
from tests.planted.patching import Edit

_GROUP = "durability"

BUGS = (
    Bug(
        "messages go before their records",
        _GROUP,
        "A node sends what a step has said while its records are still being written.",
        tuple(
            Edit(
                f"{role}._step",
                "self.append(ready.records)",
                "self.append(ready.records)\n        self._carry_out(ready, event)",
            )
            for role in SIM_KEEPERS
        ),
        shipped("healthy"),
        ("D1",),
    ),
    Bug(
        "a target answers before its seal is durable",
        _GROUP,
        "A target says that an incremental is sealed when it has begun to write the seal.",
        (
            Edit(
                f"{TARGET_SHARD}._seal",
                "self._outbox.effect(SealRun(incremental, message.sent))",
                """self._outbox.effect(SealRun(incremental, message.sent))
    sealed = IncrementalSealed(self._restore, incremental, self.generation, message.sent)
    self._outbox.send(sender, sealed)""",
            ),
        ),
        shipped("healthy"),
        ("D1",),
    ),
    Bug(
        "a batch that was rejected counts as applied",
        _GROUP,
        "A target answers a batch that its store does not take as if it were durable.",
        (
            Edit(
                f"{TARGET_SHARD}._batch_rejected",
                "self._refuse(scan.source, scan.incremental, scan, objection)",
                "self._outbox.send(scan.source, ChangesApplied(scan, self.generation, order))",
            ),
        ),
        shipped("garbled_batch"),
        ("D2",),
    ),
    Bug(
        "a target does not remember whom it obeys",
        _GROUP,
        "A newer generation is obeyed and not written down.",
        (
            Edit(
                f"{TARGET_SHARD}._admit",
                "self._outbox.record(GenerationSeen(generation))",
                "pass",
            ),
        ),
        shipped("healthy"),
        ("D1",),
    ),
    Bug(
        "what is accepted is told as applied",
        _GROUP,
        "A target acknowledges a batch when it comes, and not when it is durable.",
        (
            Edit(
                f"{TARGET_SHARD}._apply_changes",
                "self._outbox.effect(batch)",
                """self._outbox.effect(batch)
        told = ChangesApplied(message.scan, self.generation, stream.accepted)
        self._outbox.send(sender, told)""",
            ),
        ),
        shipped("healthy"),
        ("D2",),
    ),
    Bug(
        "a stream opens at what was accepted",
        _GROUP,
        "A source that asks where a target stands is told of batches that are still being written.",
        (
            Edit(
                f"{TARGET_SHARD}._open_stream",
                "self.generation, stream.watermark",
                "self.generation, stream.accepted",
            ),
        ),
        shipped("clogged_shard"),
        ("D2",),
    ),
    Bug(
        "progress is shown before it is durable",
        _GROUP,
        "A source counts rows as applied when it has sent them.",
        (
            Edit(
                "increstore.protocol.source_scan:SourceScan.progress",
                "sum(stream.rows_applied for stream in streams)",
                "sum(stream.rows_sent for stream in streams)",
            ),
        ),
        STORM,
        ("D2",),
    ),
    Bug(
        "nothing is synced",
        _GROUP,
        "A disk's writes end in its page cache: power that goes out takes what was acknowledged.",
        (
            Edit(
                f"{SIM_ROLES}:DiskNode._write_ended",
                "self.disk.sync()\n        if not frames",
                "pass\n        if not frames",
            ),
        ),
        CrashEverywhere(f"{OWN}/small.toml"),
        ("D3",),
    ),
    Bug(
        "seals are forgotten in a recovery",
        _GROUP,
        "A target that comes up again knows its batches and not that they are sealed.",
        (
            Edit(
                "increstore.simulation.store:SimulatedStore.state",
                "dict(self.sealed)",
                "{}",
            ),
        ),
        CrashEverywhere(f"{OWN}/small.toml"),
        ("D3",),
    ),
    Bug(
        "a torn tail is not cut",
        _GROUP,
        "A frame that was half written is read as if it were whole.",
        (
            Edit(
                f"{SIM_DISK}.cut_torn_tail",
                "while self.synced == len(self.frames)",
                """for place in self.damaged & set(range(len(self.frames))):
        kind, *values = self.frames[place]
        if kind == "batch":
            self.frames[place] = ("batch", *values[:2], values[2] + 1, values[3] ^ 1, values[4])
    self.damaged.clear()
    while self.synced == len(self.frames)""",
            ),
        ),
        own("power"),
        ("D5",),
    ),
    Bug(
        "a failed write is tried again",
        _GROUP,
        "A target whose write has failed writes once more and believes it, in the same life.",
        (
            Edit(
                f"{SIM_ROLES}:SimulatedTarget.write_failed",
                """    failure = StoreFailed(error, corrupted=False)
""",
                """    failure = StoreFailed(error, corrupted=False)
    for each in work if operation != "generation" else ():
        self.enqueue(operation, each)
    if operation != "generation":
        return
""",
            ),
        ),
        shipped("disk_full_for_a_while"),
        ("D6",),
        alone=("D6",),
    ),
    Bug(
        "a restart gives all time again",
        _GROUP,
        "Deadlines are counted from the start of the coordinator's process.",
        (
            Edit(
                f"{LEDGER}._generation_started",
                "self.generation = record.generation",
                "self.generation = record.generation\n    self.resumed_at = record.started_at",
            ),
        ),
        shipped("deadline_across_restarts"),
        ("D8",),
    ),
    Bug(
        "a restart forgets the wait",
        _GROUP,
        "A coordinator that comes up again asks for a failed scan at once.",
        (Edit(f"{SCAN_PHASE}._take_up", "elif entry.not_before:", "elif False:"),),
        shipped("backoff_survives_a_restart"),
        ("D8",),
    ),
    Bug(
        "a restart gives the budget again",
        _GROUP,
        "A coordinator that comes up again counts the failures in a row anew.",
        (
            Edit(
                f"{LEDGER}._generation_started",
                "self.generation = record.generation",
                """self.generation = record.generation
    for entry in self.scans.values():
        entry.retries = 0""",
            ),
        ),
        shipped("budget_across_restarts"),
        ("D8",),
    ),
    Bug(
        "rows that were applied before are progress",
        _GROUP,
        "A scan that gets to the same place each time has its budget given back each time.",
        (Edit(f"{LEDGER}._scan_reported", "entry.rows_best = applied", "pass"),),
        shipped("same_place_every_time"),
        ("D8",),
    ),
    Bug(
        "the last incremental's time is that of the final rows",
        _GROUP,
        "The stage deadline of finalizing is counted from the start of the last incremental.",
        (
            Edit(
                f"{LEDGER}._finalizing_started",
                "self.stage_started_at = record.started_at",
                "pass",
            ),
        ),
        shipped("finalizing_has_its_own_time"),
        ("D8",),
    ),
    Bug(
        "the wait grows too soon",
        _GROUP,
        "The first retry waits as long as the second should.",
        (
            Edit(
                "increstore.protocol.policy:CoordinatorConfig.backoff",
                "doublings = min(failures - 1, 62)",
                "doublings = min(failures, 62)",
            ),
        ),
        shipped("twenty_failures"),
        ("D8",),
    ),
    Bug(
        "the wait does not grow",
        _GROUP,
        "Every retry waits as long as the first.",
        (
            Edit(
                "increstore.protocol.policy:CoordinatorConfig.backoff",
                "doublings = min(failures - 1, 62)",
                "doublings = 0",
            ),
        ),
        shipped("twenty_failures"),
        ("D8",),
    ),
    Bug(
        "the seal's streams are not cleared",
        _GROUP,
        "A target keeps the streams of an incremental that it has sealed, over a restart too.",
        (
            Edit(
                f"{STREAM_TABLE}.__init__",
                "if scan.incremental == due:",
                "if True:",
            ),
            Edit(
                "increstore.simulation.store:SimulatedStore._seal",
                "self.streams.clear()",
                "pass",
            ),
        ),
        CrashEverywhere(f"{OWN}/small.toml"),
        ("D5", "T1", "C1", "L3"),
    ),
)
