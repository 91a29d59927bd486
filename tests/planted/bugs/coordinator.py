"""The coordinator's history: what is written, asked or begun when it must not be."""

from __future__ import annotations

from tests.planted.bug import Bug, CrashEverywhere
from tests.planted.bugs.places import (
    COORDINATOR,
    DESK,
    OWN,
    SCAN_PHASE,
    shipped,
)
from tests.planted.patching import Edit

_GROUP = "coordinator"

BUGS = (
    Bug(
        "a pause goes on scheduling",
        _GROUP,
        "A failure that is reported during a pause is settled at once.",
        (
            Edit(
                f"{SCAN_PHASE}.advance",
                "while self._failed and self.desk.is_active:",
                "while self._failed:",
            ),
            Edit(
                f"{COORDINATOR}._advance",
                "while self._desk.is_active and not self._is_publishing:",
                "while self._phase or (self._desk.is_active and not self._is_publishing):",
            ),
            Edit(
                f"{COORDINATOR}._advance",
                "if not self._phase.is_over:",
                "if not (self._phase.is_over and self._desk.is_active):",
            ),
        ),
        shipped("failure_during_a_pause"),
        ("K1",),
    ),
    Bug(
        "a restart keeps the generation",
        _GROUP,
        "A coordinator that finds a history goes on under the generation that it finds.",
        (
            Edit(
                f"{COORDINATOR}._begin",
                "self._start_generation()",
                "if not self._ledger.generation:\n        self._start_generation()",
            ),
        ),
        CrashEverywhere(f"{OWN}/small.toml"),
        ("K2",),
    ),
    Bug(
        "a restart begins all scans anew",
        _GROUP,
        "A coordinator that comes up again asks for scans that have succeeded, too.",
        (
            Edit(
                f"{SCAN_PHASE}.__init__",
                "owing = [e.source for e in self._scans.values() "
                "if e.state is not ScanState.SUCCEEDED]",
                "owing = list(self._scans)",
            ),
            Edit(
                f"{SCAN_PHASE}.__init__",
                "for source in owing:",
                "for source in [s for s in owing "
                "if self._scans[s].state is not ScanState.SUCCEEDED]:",
            ),
        ),
        CrashEverywhere(f"{OWN}/small.toml"),
        ("K3",),
    ),
    Bug(
        "a pause goes on asking",
        _GROUP,
        "A pause is shown to people and changes nothing else.",
        (
            Edit(
                f"{DESK}.is_active",
                "self.ledger.halt is None",
                'getattr(self.ledger.halt, "name", "PAUSED") == "PAUSED"',
            ),
        ),
        shipped("failure_during_a_pause"),
        ("K4", "K1"),
    ),
    Bug(
        "nobody is told of the end",
        _GROUP,
        "A restore fails, and its shards work on.",
        (Edit(f"{DESK}.fail", "self.tell_all_to_stop()", "pass"),),
        shipped("fatal_scan"),
        ("K5",),
    ),
    Bug(
        "a failure is not the end",
        _GROUP,
        "A restore that has failed goes on with the scans that are left.",
        (
            Edit(
                f"{DESK}.is_active",
                "self.ledger.halt is None",
                'getattr(self.ledger.halt, "name", "FAILED") == "FAILED"',
            ),
        ),
        shipped("fatal_scan"),
        ("K4", "K1"),
    ),
)
