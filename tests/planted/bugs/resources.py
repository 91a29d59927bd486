"""Resources: what is asked, sent or woken without a bound."""

from __future__ import annotations

from tests.planted.bug import Bug
from tests.planted.bugs.places import ASKING, PHASE, STREAM, own, shipped
from tests.planted.patching import Edit

_GROUP = "resources"

BUGS = (
    Bug(
        "the cap is not kept",
        _GROUP,
        "The coordinator asks every shard at once.",
        (
            Edit(
                f"{ASKING}.take_startable",
                "(cap == -1 or len(self._in_flight) < cap)",
                "True",
            ),
        ),
        shipped("cap_of_one"),
        ("R1",),
    ),
    Bug(
        "a retry goes past the cap",
        _GROUP,
        "A shard whose wait is over is asked at once, whoever else is under way.",
        (
            Edit(
                f"{ASKING}.release_due",
                "self._waiting.append(shard)",
                "self._waiting.appendleft(shard)",
            ),
            Edit(
                f"{ASKING}.take_startable",
                "(cap == -1 or len(self._in_flight) < cap)",
                "(cap == -1 or len(self._in_flight) < cap\n"
                "        or self.contacts[self._waiting[0]].asked_at is not None)",
            ),
        ),
        own("capped_and_failing"),
        ("R1",),
    ),
    Bug(
        "the window is not kept",
        _GROUP,
        "A source sends whatever it has read, however much is under way.",
        (
            Edit(
                f"{STREAM}.take_due",
                "while self.sent < self.last_order and "
                "self.sent - self.watermark < self._window_batches:",
                "while self.sent < self.last_order:",
            ),
            Edit(
                f"{STREAM}.take_due",
                "assert self.watermark <= self.sent <= self.watermark + self._window_batches",
                "pass",
            ),
        ),
        shipped("window_of_one"),
        ("R2",),
    ),
    Bug(
        "every event repeats every question",
        _GROUP,
        "The coordinator asks all that owe an answer again, whenever it hears of anything.",
        (
            Edit(f"{PHASE}.advance", "if now >= self._sweep_at:", "if True:"),
            Edit(
                f"{PHASE}.advance",
                "self.asking.take_silent(now, self.desk.config.repeat_ns)",
                "self.asking.take_silent(now, 0)",
            ),
        ),
        shipped("healthy"),
        ("R4",),
    ),
    Bug(
        "a source asks without patience",
        _GROUP,
        "A source asks its targets for their watermarks at every opportunity.",
        (
            Edit(
                f"{STREAM}.is_silent",
                "patience = resend_ns << min(self._repairs, _RESEND_DOUBLINGS_MAX)",
                "return True",
            ),
            Edit(
                "increstore.protocol.source_shard:SourceShard._advance",
                "elif now >= self._sweep_at:",
                "else:",
            ),
        ),
        shipped("window_of_one"),
        ("R4",),
    ),
    Bug(
        "the wake-up is never put off",
        _GROUP,
        "The coordinator wants to be woken at a moment that has passed.",
        (
            Edit(
                f"{PHASE}.advance",
                "self._sweep_at = now + self.desk.config.repeat_ns",
                "pass",
            ),
        ),
        shipped("lost_notification"),
        ("R4",),
    ),
)
