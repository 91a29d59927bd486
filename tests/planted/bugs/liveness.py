"""Liveness: who waits for ever, and who ends without a reason."""

from __future__ import annotations

from tests.planted.bug import Bug, CrashEverywhere
from tests.planted.bugs.places import (
    COORDINATOR,
    FENCE,
    OWN,
    PHASE,
    SCAN_PHASE,
    SOURCE_SHARD,
    STREAM,
    STREAM_TABLE,
    own,
    shipped,
)
from tests.planted.patching import Edit

_GROUP = "liveness"

BUGS = (
    Bug(
        "the coordinator never asks again",
        _GROUP,
        "Each question is sent once: a lost answer is waited for without end.",
        (
            Edit(
                f"{PHASE}.advance",
                "self.asking.take_silent(now, self.desk.config.repeat_ns)",
                "()",
            ),
        ),
        shipped("lost_notification"),
        ("L1",),
    ),
    Bug(
        "a source answers once",
        _GROUP,
        "A source that has reported says nothing to a repeated question.",
        (
            Edit(
                f"{SOURCE_SHARD}._start_scan",
                "self._answer(self._scan)",
                "if self._scan.report is None:\n        self._answer(self._scan)",
            ),
        ),
        shipped("lost_notification"),
        ("L1",),
    ),
    Bug(
        "a stream is never opened again",
        _GROUP,
        "A source whose acknowledgement was lost waits for it.",
        (
            Edit(
                f"{STREAM}.is_silent",
                "patience = resend_ns << min(self._repairs, _RESEND_DOUBLINGS_MAX)",
                "return False",
            ),
        ),
        shipped("window_of_one"),
        ("L1",),
    ),
    Bug(
        "a stream is asked to be opened anew once",
        _GROUP,
        "A source that goes on for a newer coordinator does not repeat a question that was lost.",
        (
            Edit(
                f"{STREAM}.is_silent",
                "return now - self._asked_at >= repeat_ns",
                "return False",
            ),
        ),
        own("reopened"),
        ("L1",),
    ),
    Bug(
        "the wait never ends",
        _GROUP,
        "A scan that has failed is held back and never asked for again.",
        (
            Edit(
                "increstore.protocol.asking:Asking.release_due",
                "self._waiting.append(shard)",
                "pass",
            ),
        ),
        shipped("failed_scan_retried"),
        ("L1",),
    ),
    Bug(
        "a resume leaves alone what has failed",
        _GROUP,
        "A scan whose failure was reported during a pause is not tried again by the resume.",
        (Edit(f"{SCAN_PHASE}.resumed", "self._failed.append(entry)", "pass"),),
        shipped("resumed_without_a_restart"),
        ("L1",),
    ),
    Bug(
        "a target that was overtaken is stuck",
        _GROUP,
        "A source that was fenced off keeps silent when the newer coordinator speaks to it.",
        (
            Edit(
                "increstore.protocol.source_scan:SourceScan.adopt",
                "if self.is_fenced:",
                "if False:",
            ),
        ),
        shipped("usurped_coordinator"),
        ("L1",),
    ),
    Bug(
        "a restart begins every stream anew",
        _GROUP,
        "A target that comes up again tells sources that it has nothing.",
        (Edit(f"{STREAM_TABLE}.__init__", "if scan.incremental == due:", "if False:"),),
        CrashEverywhere(f"{OWN}/small.toml"),
        ("L3",),
    ),
    Bug(
        "the budget has no end",
        _GROUP,
        "The coordinator tries a scan again however often it has failed.",
        (
            Edit(
                f"{SCAN_PHASE}._settle",
                "elif entry.retries >= config.retries_max:",
                "elif entry.retries >= 1000:",
            ),
        ),
        shipped("retries_spent"),
        ("L4",),
    ),
    Bug(
        "a target may refuse for ever",
        _GROUP,
        "The coordinator asks a target for a seal again however often that has failed.",
        (
            Edit(
                "increstore.protocol.target_phases:TargetPhase.hear_refusal",
                "failures > self.desk.config.retries_max",
                "failures > 1000",
            ),
        ),
        shipped("seal_fails_for_good"),
        ("L1", "L6"),
    ),
    Bug(
        "a fatal failure is tried again",
        _GROUP,
        "The coordinator takes a failure for good as one that may pass.",
        (Edit(f"{SCAN_PHASE}._settle", "if entry.state is ScanState.FATAL:", "if False:"),),
        shipped("fatal_scan"),
        ("C4",),
    ),
    Bug(
        "a fatal failure is no end",
        _GROUP,
        "The coordinator records a failure for good, and goes on asking the other shards.",
        (
            Edit(
                f"{SCAN_PHASE}._settle",
                'self.desk.fail(f"{self._name(entry)} failed: {entry.error}")',
                "return",
            ),
        ),
        own("fatal_among_many"),
        ("L4",),
    ),
    Bug(
        "a pause has no reason",
        _GROUP,
        "A spent budget pauses the restore, and nobody is told why.",
        (
            Edit(
                "increstore.protocol.desk:Desk.pause",
                "RestorePaused(reason, ",
                'RestorePaused("", ',
            ),
        ),
        shipped("retries_spent"),
        ("L5",),
    ),
    Bug(
        "two nodes talk for ever",
        _GROUP,
        "The coordinator answers every report by asking for it once more (a storm of few moments).",
        (
            Edit(
                f"{SCAN_PHASE}.hear",
                "self._take_report(message)",
                "self.desk.send(sender, self.message_to(sender))",
            ),
            Edit(
                "increstore.simulation.world:World.advance",
                "if self.moments >= MOMENTS_MAX:",
                "if self.moments >= 3_000:",
            ),
            Edit(
                "increstore.simulation.world:World.run",
                "self.advance(MOMENTS_MAX)",
                "self.advance(3_000)",
            ),
        ),
        shipped("healthy"),
        ("L6",),
        alone=("L6",),
    ),
    Bug(
        "nobody wakes the coordinator",
        _GROUP,
        "The coordinator asks for no wake-up while it waits.",
        (
            Edit(
                f"{COORDINATOR}._wake_at",
                "wake_at = self._phase.wake_at if self._phase is not None else None",
                "wake_at: int | None = None",
            ),
        ),
        shipped("lost_notification"),
        ("L7",),
    ),
    Bug(
        "a cancel is not obeyed in time",
        _GROUP,
        "A cancel is refused as soon as the final rows are begun, and not when they are made.",
        (
            Edit(
                f"{COORDINATOR}._may_cancel",
                "not self._ledger.is_publishable",
                "not self._ledger.is_finalizing",
            ),
        ),
        shipped("operator_cancels_while_finalizing"),
        ("L8",),
    ),
    Bug(
        "a newer coordinator is not obeyed",
        _GROUP,
        "A target refuses every generation but the first that it has heard of.",
        (
            Edit(
                f"{FENCE}.objection",
                "if generation < self.generation:",
                "if generation < self.generation or 0 < self.generation < generation:",
            ),
        ),
        CrashEverywhere(f"{OWN}/small.toml"),
        ("L1", "outcome"),
    ),
)
