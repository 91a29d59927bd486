"""The production drivers: nodes, stores and threads of a real run, judged by its journal."""

from __future__ import annotations

from tests.planted.bug import Bug, RealRuns
from tests.planted.patching import Edit

_GROUP = "on the machine"
_NODE = "increstore.runtime.node:Node"
_TARGET = "increstore.runtime.target_node:StorePerformer"
_HEALTHY = RealRuns("scenarios/healthy.toml", 1)
_LONG_SCANS = RealRuns("scenarios/source_dies_deep_in_a_scan.toml", 3)
"""So many batches of a stream that some of them always wait together."""

BUGS = (
    Bug(
        "a node speaks before it has written",
        _GROUP,
        "The messages of a step are handed to the transport while its records are being written.",
        (
            Edit(
                f"{_NODE}._carry_out",
                "if ready.records:",
                """narrate_messages(self._journal, self.name, ready.messages)
    self._outbox.extend(ready.messages)
    self._mail.set()
    ready = type(ready)(ready.records, ready.effects, (), ready.wake_at)
    if ready.records:""",
            ),
        ),
        _HEALTHY,
        ("D1",),
    ),
    Bug(
        "a store tells of batches that it has only queued",
        _GROUP,
        "A target's driver says that a group is applied before it is written.",
        (
            Edit(
                f"{_TARGET}._commit",
                "    try:\n        await",
                """    for scan in dict.fromkeys(batch.scan for batch in group):
        self.post(BatchesApplied(scan, max(b.order for b in group if b.scan == scan)))
    try:
        await trio.sleep(0.01)
        await""",
            ),
        ),
        _HEALTHY,
        ("D2",),
    ),
    Bug(
        "the coordinator's log is never written",
        _GROUP,
        "The driver goes on without waiting for the log, and without writing it.",
        (
            Edit(
                "increstore.runtime.coordinator_node:CoordinatorPerformer.append",
                "await trio.to_thread.run_sync(self._log.append, history)",
                "assert history",
            ),
        ),
        RealRuns("scenarios/backoff_survives_a_restart.toml", 1),
        ("D3",),
    ),
    Bug(
        "a scan ends with its first page",
        _GROUP,
        "The driver of a source says of every page that it is the last.",
        (
            Edit(
                "increstore.runtime.source_node:PagePerformer.perform",
                "last=effect.page + 1 == len(pages)",
                "last=True",
            ),
        ),
        _HEALTHY,
        ("T2",),
    ),
    Bug(
        "batches are committed in any order",
        _GROUP,
        "A group takes the batches that came last first.",
        (
            Edit(
                f"{_TARGET}._apply_group",
                "self._waiting.popleft()",
                "self._waiting.pop()",
            ),
        ),
        _LONG_SCANS,
        ("outcome",),
    ),
)
