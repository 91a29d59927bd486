"""Completion is true: what is taken for done although it is not."""

from __future__ import annotations

from tests.planted.bug import Bug, CrashEverywhere
from tests.planted.bugs.places import (
    COORDINATOR,
    LEDGER,
    OWN,
    PAGES,
    PHASE,
    SCAN_PHASE,
    SOURCE_SCAN,
    SOURCE_SHARD,
    STREAM,
    TARGET_PHASES,
    shipped,
)
from tests.planted.patching import Edit

_GROUP = "completion"

_NOTIFIES_WHEN_EXHAUSTED = Edit(
    f"{SOURCE_SCAN}.advance",
    "if self._pages.ended and self.backlog.batches == 0:",
    "if self._pages.ended:",
)
_COUNTS_WHAT_IS_READ = (
    Edit(
        f"{STREAM}.add",
        "self._count_held(1, len(batch.payload))",
        "self._count_held(1, len(batch.payload))\n        self._count(self.last_order, batch)",
    ),
    Edit(f"{STREAM}.apply_up_to", "        self._count(self.watermark, batch)\n", ""),
    Edit(f"{STREAM}.evidence", "min(self.watermark, self.last_order)", "self.last_order"),
)

BUGS = (
    Bug(
        "a scan notifies when it is exhausted",
        _GROUP,
        "A source reports success once everything is read, whatever of it is applied.",
        (_NOTIFIES_WHEN_EXHAUSTED,),
        shipped("healthy"),
        ("C7",),
    ),
    Bug(
        "a scan notifies when it is exhausted, with evidence of what it read",
        _GROUP,
        "The same, and its evidence names all batches, so that the coordinator believes it.",
        (_NOTIFIES_WHEN_EXHAUSTED, *_COUNTS_WHAT_IS_READ),
        shipped("healthy"),
        ("C1",),
    ),
    Bug(
        "a scan notifies before it has read everything",
        _GROUP,
        "A source takes the last page that it has asked for, for the last one there is.",
        (
            Edit(
                f"{PAGES}.take",
                "self.ended = page.last",
                "self.ended = page.last or self._taken == self._asked",
            ),
        ),
        shipped("window_of_one"),
        ("C7",),
    ),
    Bug(
        "a failed scan becomes a success when it is asked again",
        _GROUP,
        "A source that answers a newer coordinator forgets how the scan ended.",
        (
            Edit(
                f"{SOURCE_SHARD}._answer",
                "replace(report, generation=self.generation)",
                "replace(report, generation=self.generation, status=Status.SUCCESS)",
            ),
        ),
        CrashEverywhere(f"{OWN}/failing_pages.toml"),
        ("C2",),
    ),
    Bug(
        "silence is taken for success",
        _GROUP,
        "The coordinator counts a scan as done that it has not heard of for some seconds.",
        (
            Edit(
                f"{SCAN_PHASE}.advance",
                "if self.desk.is_active:\n        super().advance()",
                """for shard, contact in list(self.asking.contacts.items()):
        if contact.asked_at is not None and self.desk.now - contact.last_sign > 1_500_000_000:
            scan, generation = self.scan_of(shard), self.desk.generation
            done = CompletionNotification(scan, generation, Status.SUCCESS, 0, (), "")
            self._take_report(done)
    if self.desk.is_active:
        super().advance()""",
            ),
        ),
        shipped("silent_source"),
        ("C3",),
    ),
    Bug(
        "a refused seal is taken for a seal",
        _GROUP,
        "The coordinator hears any answer of a target that it has asked to seal as yes.",
        (
            Edit(
                f"{TARGET_PHASES}:SealPhase.hear",
                "self.hear_refusal(sender, message)",
                """self.desk.record(TargetSealed(self._incremental, sender, self._owed[sender]))
            self.asking.finish(sender)""",
            ),
        ),
        shipped("failed_seals_and_final_rows"),
        ("C3",),
    ),
    Bug(
        "a late report masks the first one",
        _GROUP,
        "A second report of an attempt that has failed already is recorded over it.",
        (
            Edit(
                f"{SCAN_PHASE}._is_of_an_awaited_scan",
                "elif entry.state is not ScanState.AWAITED:",
                "elif False:",
            ),
            Edit(f"{LEDGER}._scan_reported", "entry.state is ScanState.AWAITED and ", ""),
        ),
        shipped("report_again_during_a_pause"),
        ("C4",),
    ),
    Bug(
        "one seal is enough",
        _GROUP,
        "The coordinator completes an incremental when the first target has sealed it.",
        (
            Edit(
                f"{PHASE}.is_over",
                "return not self.asking.contacts",
                "return not self.asking.contacts or (\n"
                "        self.question is Question.SEAL and self.answered > 0)",
            ),
        ),
        shipped("healthy"),
        ("C5",),
    ),
    Bug(
        "a missing scan is no scan",
        _GROUP,
        "The coordinator closes an incremental with one scan left, and so does its ledger.",
        (
            Edit(
                f"{COORDINATOR}._next_phase",
                "if ledger.scans_left else",
                "if ledger.scans_left > 1 else",
            ),
            Edit(
                f"{PHASE}.is_over",
                "return not self.asking.contacts",
                "return len(self.asking.contacts) <= (self.question is Question.SCAN)",
            ),
            Edit(f"{LEDGER}._incremental_completed", " and self.scans_left == 0", ""),
            Edit(
                "increstore.protocol.seal_check:objection_to_seal",
                "if source not in named and stream.accepted:",
                "if False:",
            ),
        ),
        shipped("healthy"),
        ("C5",),
        alone=("C5",),
    ),
    Bug(
        "tables that are unchanged are scanned",
        _GROUP,
        "The coordinator asks the shards of every table for every incremental.",
        (
            Edit(
                f"{LEDGER}._incremental_started",
                "self.topology.tables_changed_in(record.incremental)",
                "self.topology.tables",
            ),
        ),
        shipped("unchanged_table"),
        ("C6",),
    ),
    Bug(
        "rows go to the wrong target",
        _GROUP,
        "A source sends every batch to the first target of its table.",
        (
            Edit(
                f"{SOURCE_SCAN}._route",
                "self.streams.get(batch.target) or self._new_stream(batch.target)",
                "self.streams.get(min(targets)) or self._new_stream(min(targets))",
            ),
        ),
        shipped("healthy"),
        ("C7",),
    ),
)
