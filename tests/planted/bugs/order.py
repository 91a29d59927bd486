"""Order: what begins too early, twice, or never."""

from __future__ import annotations

from tests.planted.bug import Bug
from tests.planted.bugs.places import (
    CHAIN_POSITION,
    COORDINATOR,
    LEDGER,
    STORM,
    TARGET_PHASES,
    TARGET_SHARD,
    TARGET_STREAM,
    own,
    shipped,
)
from tests.planted.patching import Edit

_GROUP = "order"

_ASKS_AHEAD = Edit(
    f"{TARGET_PHASES}:SealPhase.__init__",
    "super().__init__(desk, unsealed, total=len(self._owed))",
    """super().__init__(desk, unsealed, total=len(self._owed))
    from increstore.protocol.messages import ScanId, StartScan
    ahead, restore = self._incremental + 1, desk.topology.restore
    for table in desk.topology.tables_changed_in(ahead):
        for source in table.sources:
            desk.send(source, StartScan(ScanId(restore, ahead, source, 1), desk.generation))""",
)
_TAKES_WHAT_IS_NOT_DUE = Edit(
    f"{CHAIN_POSITION}.objection_to_changes",
    "return self.objection_to_turn(incremental)",
    "return None",
)
_TAKES_WHAT_IS_SEALED = Edit(
    f"{CHAIN_POSITION}.objection_to_changes",
    "if incremental in self.sealed or is_being_sealed:",
    "if is_being_sealed:",
)
LETS_THE_PAST_IN = (_TAKES_WHAT_IS_SEALED, _TAKES_WHAT_IS_NOT_DUE)

BUGS = (
    Bug(
        "scans are asked for ahead",
        _GROUP,
        "While targets seal an incremental, the sources are told to begin the next one already.",
        (_ASKS_AHEAD,),
        shipped("healthy"),
        ("O1",),
    ),
    Bug(
        "changes are applied ahead",
        _GROUP,
        "Scans are asked for ahead, and a target applies what is not due yet.",
        (_ASKS_AHEAD, _TAKES_WHAT_IS_NOT_DUE),
        STORM,
        ("O2",),
        alone=("O2",),
    ),
    Bug(
        "the past is applied again",
        _GROUP,
        "A target takes a late batch of an incremental that it has sealed for the first of one.",
        LETS_THE_PAST_IN,
        own("late_batches"),
        ("O3",),
    ),
    Bug(
        "an incremental without changes is skipped",
        _GROUP,
        "The coordinator goes over an incremental that changes no table, in its history too.",
        (
            Edit(
                f"{COORDINATOR}._next_phase",
                "IncrementalStarted(ledger.incremental + 1, self._wall)",
                """IncrementalStarted(
                    ledger.incremental
                    + (1 if ledger.topology.tables_changed_in(ledger.incremental + 1) else 2),
                    self._wall,
                )""",
            ),
            Edit(f"{LEDGER}._incremental_started", "follows and not", "not"),
        ),
        shipped("table_left_alone"),
        ("O4",),
    ),
    Bug(
        "an incremental without changes is skipped, guarded",
        _GROUP,
        "The same, with the ledger's own check in place.",
        (
            Edit(
                f"{COORDINATOR}._next_phase",
                "IncrementalStarted(ledger.incremental + 1, self._wall)",
                """IncrementalStarted(
                    ledger.incremental
                    + (1 if ledger.topology.tables_changed_in(ledger.incremental + 1) else 2),
                    self._wall,
                )""",
            ),
        ),
        shipped("table_left_alone"),
        ("raised StorageCorrupted in _expect",),
    ),
    Bug(
        "a gap is no gap",
        _GROUP,
        "A target applies a batch although one before it was lost.",
        (
            Edit(
                f"{TARGET_SHARD}._apply_changes",
                "message.order == stream.accepted + 1",
                "message.order > stream.accepted",
            ),
            Edit(f"{TARGET_STREAM}.accept", "assert message.order == self.accepted + 1", "pass"),
        ),
        STORM,
        ("O5",),
    ),
    Bug(
        "an answer to a seal is answered twice",
        _GROUP,
        "A target that is asked to seal while it writes the seal begins another one.",
        (
            Edit(
                f"{TARGET_SHARD}._seal",
                "if objection is not None or chain.sealing is not None:",
                "if objection is not None:",
            ),
        ),
        shipped("swizzled_network"),
        ("O6",),
    ),
    Bug(
        "failures count as done, and the target believes it",
        _GROUP,
        "A transient failure before the first row is taken for a success of no rows.",
        (
            Edit(
                f"{LEDGER}._scan_reported",
                "if record.status is Status.SUCCESS:",
                "if record.status is not Status.FATAL:",
            ),
        ),
        shipped("failed_scan_retried"),
        ("O6",),
        alone=("O6",),
    ),
)
