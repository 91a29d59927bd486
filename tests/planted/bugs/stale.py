"""Stale and foreign: what belongs to the past and is believed."""

from __future__ import annotations

from tests.planted.bug import Bug
from tests.planted.bugs.places import (
    COORDINATOR,
    DESK,
    FENCE,
    LEDGER,
    SCAN_PHASE,
    SIM_ROLES,
    SOURCE_SHARD,
    TARGET_SHARD,
    own,
    shipped,
)
from tests.planted.patching import Edit

_GROUP = "stale and foreign"

_IGNORES_THE_INCREMENTAL = Edit(
    f"{SCAN_PHASE}._is_of_an_awaited_scan",
    "if scan.incremental != self._incremental:",
    "if False:",
)
_IGNORES_THE_ATTEMPT = Edit(
    f"{SCAN_PHASE}._is_of_an_awaited_scan",
    "elif scan.attempt != entry.attempt:",
    "elif False:",
)
_LEDGER_BELIEVES_EVERYTHING = (
    Edit(f"{LEDGER}._entry", "scan.incremental == self.incremental and ", ""),
    Edit(
        f"{LEDGER}._scan_reported",
        "entry.state is ScanState.AWAITED and record.scan.attempt == entry.attempt",
        "entry.state is ScanState.AWAITED",
    ),
)
_OBEYS_EVERY_GENERATION = (
    Edit(
        f"{TARGET_SHARD}._admit",
        "objection = self._fence.objection(restore, generation)",
        "objection = self._fence.objection(restore, max(generation, self.generation))",
    ),
    Edit(f"{FENCE}.adopt", "assert generation >= self.generation", "pass"),
)
_LOG_TAKES_EVERYTHING = Edit(
    "increstore.simulation.coordinator:SimulatedCoordinator.fate_of_write",
    "self.disk.written != self._known",
    "False",
)

BUGS = (
    Bug(
        "the generation of a report is not compared",
        _GROUP,
        "A coordinator counts a report that its predecessor had asked for.",
        (
            Edit(
                f"{COORDINATOR}._hear",
                "elif message.generation != self._ledger.generation:",
                "elif False:",
            ),
        ),
        shipped("report_of_an_old_generation"),
        ("S1",),
    ),
    Bug(
        "the incremental of a report is not compared, guarded",
        _GROUP,
        "A late report of one incremental counts for another; the ledger has a check of its own.",
        (_IGNORES_THE_INCREMENTAL,),
        shipped("late_notification"),
        ("raised StorageCorrupted in _expect",),
    ),
    Bug(
        "the incremental of a report is not compared",
        _GROUP,
        "The same, and the ledger believes it too.",
        (_IGNORES_THE_INCREMENTAL, *_LEDGER_BELIEVES_EVERYTHING),
        shipped("late_notification"),
        ("S2",),
        alone=("S2",),
    ),
    Bug(
        "the attempt of a report is not compared, guarded",
        _GROUP,
        "The failure of one attempt counts for the next; the ledger has a check of its own.",
        (_IGNORES_THE_ATTEMPT,),
        shipped("report_of_an_earlier_attempt"),
        ("raised StorageCorrupted in _expect",),
    ),
    Bug(
        "the attempt of a report is not compared",
        _GROUP,
        "The same, and the ledger believes it too.",
        (_IGNORES_THE_ATTEMPT, *_LEDGER_BELIEVES_EVERYTHING),
        shipped("report_of_an_earlier_attempt"),
        ("S2",),
    ),
    Bug(
        "a write outlives the node that began it",
        _GROUP,
        "What a target had begun to write is counted after the target has crashed.",
        (
            Edit(
                f"{SIM_ROLES}:DiskNode._write_ended",
                "if life != self.life:",
                'if life != self.life and operation != "append":',
            ),
        ),
        own("power"),
        ("S3",),
    ),
    Bug(
        "a target goes back to an older coordinator",
        _GROUP,
        "A target remembers whichever generation has spoken last.",
        (
            *_OBEYS_EVERY_GENERATION,
            Edit(f"{FENCE}.adopt", "generation > self.generation", "generation != self.generation"),
        ),
        shipped("usurped_coordinator"),
        ("S4",),
    ),
    Bug(
        "a target obeys an older coordinator too",
        _GROUP,
        "A target remembers the newest generation, and does what any other asks as well.",
        (
            *_OBEYS_EVERY_GENERATION,
            Edit(
                f"{FENCE}.adopt",
                "self.generation = generation",
                "self.generation = max(generation, self.generation)",
            ),
        ),
        shipped("usurped_coordinator"),
        ("S5",),
    ),
    Bug(
        "a target seals after it was told to stop",
        _GROUP,
        "A seal is begun for whoever asks: the fence is looked at and not heeded.",
        (
            Edit(
                f"{TARGET_SHARD}._hear_coordinator",
                "objection = objection or self._seal(sender, message)",
                "objection = self._seal(sender, message)",
            ),
        ),
        shipped("orders_after_a_cancel"),
        ("S5",),
    ),
    Bug(
        "a target makes final rows after it was told to stop",
        _GROUP,
        "Final rows are made for whoever asks: the fence is looked at and not heeded.",
        (
            Edit(
                f"{TARGET_SHARD}._hear_coordinator",
                "objection = objection or self._finalize(sender)",
                "objection = self._finalize(sender)",
            ),
        ),
        shipped("final_rows_after_a_cancel"),
        ("S5",),
    ),
    Bug(
        "a cancelled restore goes on recording",
        _GROUP,
        "The coordinator keeps its phase after a cancel, and counts the reports that still come.",
        (
            Edit(f"{COORDINATOR}._obey", "self._phase = None", "pass"),
            Edit(
                f"{COORDINATOR}._hear",
                "elif self.state in _ENDED_WITHOUT_RESULT:",
                "elif self.state is RestoreState.FAILED:",
            ),
        ),
        shipped("operator_cancels"),
        ("S6",),
    ),
    Bug(
        "a source tries again by itself",
        _GROUP,
        "A source whose scan has failed begins the next attempt before anybody asks for it.",
        (
            Edit(
                f"{SOURCE_SHARD}._advance",
                "self._answer(scan)",
                """self._answer(scan)
        if scan.report.status is Status.TRANSIENT:
            again = replace(scan.scan, attempt=scan.scan.attempt + 1)
            self._scan = SourceScan(again, self.generation, self._config, self._outbox)
            self._scan.advance()
            self._sweep_at = now + self._config.progress_ns""",
            ),
        ),
        shipped("failed_scan_retried"),
        ("S7",),
    ),
    Bug(
        "a source does not stop",
        _GROUP,
        "A source that is told to stop scans on for a coordinator that is gone.",
        (Edit(f"{SOURCE_SHARD}._cancel", "self._scan = None", "pass"),),
        shipped("operator_cancels"),
        ("S8",),
    ),
    Bug(
        "a restart forgets whom it obeys",
        _GROUP,
        "A target that comes up again obeys the first coordinator that speaks, however old.",
        (
            Edit(
                f"{TARGET_SHARD}.__init__",
                "Fence(name, restore, state.generation)",
                "Fence(name, restore, 0)",
            ),
        ),
        own("power"),
        ("S4",),
    ),
    Bug(
        "an overtaken coordinator goes on asking",
        _GROUP,
        "A coordinator that is told of a newer one takes the refusal for one of no account.",
        (
            Edit(
                f"{DESK}.hear_fencing",
                'self.superseded = f"another coordinator has taken over ({sender}: '
                '{refused.detail})"',
                "pass",
            ),
        ),
        own("two_coordinators"),
        ("S9",),
    ),
    Bug(
        "an overtaken coordinator takes itself for restarted",
        _GROUP,
        "A coordinator that is told of a newer one begins a generation to be obeyed again.",
        (
            Edit(
                f"{COORDINATOR}._hear",
                "and self._desk.hear_fencing(sender, message):\n        pass",
                "and message.reason.value == 'stale generation':\n        self._start_generation()",
            ),
            _LOG_TAKES_EVERYTHING,
        ),
        own("two_coordinators"),
        ("S9",),
    ),
    Bug(
        "an overtaken coordinator writes on",
        _GROUP,
        "The log takes what a coordinator records that does not know its newest record.",
        (_LOG_TAKES_EVERYTHING,),
        shipped("usurped_coordinator"),
        ("S9",),
    ),
)
