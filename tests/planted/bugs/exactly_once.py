"""Exactly once: what is counted, applied or begun a second time."""

from __future__ import annotations

from tests.planted.bug import Bug
from tests.planted.bugs.places import (
    ASKING,
    COORDINATOR,
    LEDGER,
    PAGES,
    SCAN_PHASE,
    SIM_ROLES,
    SIM_STORE,
    SOURCE_SHARD,
    STORM,
    STREAM,
    STREAM_TABLE,
    TARGET_SHARD,
    TARGET_STREAM,
    own,
    shipped,
)
from tests.planted.patching import Edit

_GROUP = "exactly once"

NUMBERS_PAGES_AS_THEY_COME = (
    Edit(
        f"{PAGES}.take",
        "page = self._arrived.pop(self._taken, None)",
        """ready = [
        number
        for number, page in self._arrived.items()
        if number == self._taken or (isinstance(page, PageRead) and not page.last)
    ]
    page = self._arrived.pop(ready[0]) if ready else None""",
    ),
    Edit(f"{PAGES}.arrive", "self._taken <= page.page", "0 <= page.page"),
)
_COUNTS_AFTER_SUCCESS = Edit(
    f"{SCAN_PHASE}._is_of_an_awaited_scan",
    """    elif entry.state is ScanState.SUCCEEDED:
        self.desk.drop("reported before")
""",
    "",
)
_COUNTS_WHATEVER_THE_STATE = Edit(
    f"{SCAN_PHASE}._is_of_an_awaited_scan",
    "elif entry.state is not ScanState.AWAITED:",
    "elif False:",
)
_FORGETS_THE_ATTEMPT = Edit(
    f"{STREAM_TABLE}.objection",
    "if scan.attempt < stream.scan.attempt:",
    "if scan.incremental < stream.scan.incremental:",
)
_TAKES_EVERY_ATTEMPT = (
    _FORGETS_THE_ATTEMPT,
    Edit(
        f"{STREAM_TABLE}.find",
        "stream.scan != scan",
        "stream.scan.incremental != scan.incremental",
    ),
)

BUGS = (
    Bug(
        "batches are not told apart",
        _GROUP,
        "A target applies a batch that it has applied before: its number is not compared.",
        (
            Edit(
                f"{TARGET_SHARD}._apply_changes",
                "message.order == stream.accepted + 1",
                "message.order <= stream.accepted + 1",
            ),
            Edit(f"{TARGET_STREAM}.accept", "assert message.order == self.accepted + 1", "pass"),
        ),
        shipped("duplicated_everything"),
        ("E1",),
    ),
    Bug(
        "batches are not told apart, guarded",
        _GROUP,
        "The same, with the stream's own assertion in place.",
        (
            Edit(
                f"{TARGET_SHARD}._apply_changes",
                "message.order == stream.accepted + 1",
                "message.order <= stream.accepted + 1",
            ),
        ),
        shipped("duplicated_everything"),
        ("raised AssertionError in accept",),
    ),
    Bug(
        "pages are numbered as they come",
        _GROUP,
        "A source gives orders by the arrival of pages, so that a later life numbers them anew.",
        NUMBERS_PAGES_AS_THEY_COME,
        STORM,
        ("E2",),
        alone=("E2",),
    ),
    Bug(
        "attempts are not told apart by a target",
        _GROUP,
        "A late batch of an attempt that is over is taken for one of the next attempt.",
        _TAKES_EVERY_ATTEMPT,
        STORM,
        ("D2", "E3"),
    ),
    Bug(
        "a write of an attempt that is over is counted for the next",
        _GROUP,
        "A target takes whatever its store has written for something of the attempt at hand.",
        (
            Edit(
                f"{TARGET_SHARD}._batches_applied",
                "stream = self._streams.find(scan)",
                "stream = self._streams.by_source.get(scan.source)",
            ),
            Edit(
                f"{TARGET_STREAM}.make_durable",
                "while self.watermark < watermark:",
                "while self.watermark < watermark and self._pending:",
            ),
            Edit(
                f"{TARGET_STREAM}.make_durable",
                'assert watermark <= self.accepted, "the store cannot have more than it was given"',
                "pass",
            ),
        ),
        shipped("write_of_an_attempt_that_is_over"),
        ("D2", "E3"),
    ),
    Bug(
        "a batch without a stream is applied",
        _GROUP,
        "A late batch of an attempt that is over is written, although nothing waits for it.",
        (
            _FORGETS_THE_ATTEMPT,
            Edit(
                f"{TARGET_SHARD}._apply_changes",
                'self._drop("batch of a stream that is not open")',
                "self._outbox.effect(ApplyBatch(message.scan, message.order, message.rows, "
                "message.digest, message.payload))",
            ),
        ),
        own("late_attempts"),
        ("E3",),
        alone=("E3",),
    ),
    Bug(
        "a repeated question begins the scan again",
        _GROUP,
        "A source that hears the same StartScan twice throws its scan away and reads anew.",
        (
            Edit(f"{SOURCE_SHARD}._start_scan", "(self._scan.scan != message.scan)", "True"),
            Edit("increstore.protocol.source_shard:_is_later", ") > (", ") >= ("),
        ),
        shipped("duplicated_everything"),
        ("E4",),
    ),
    Bug(
        "a repeated report counts again",
        _GROUP,
        "The coordinator records a second success of one scan, and its ledger takes it.",
        (
            _COUNTS_AFTER_SUCCESS,
            _COUNTS_WHATEVER_THE_STATE,
            Edit(f"{LEDGER}._scan_reported", "self._expect(", "bool("),
            Edit(f"{LEDGER}._scan_reported", "record.scan.attempt == entry.attempt, record", "1"),
            Edit(f"{ASKING}.finish", "del self.contacts[shard]", "self.contacts.pop(shard, 0)"),
        ),
        shipped("duplicated_notification"),
        ("E5",),
    ),
    Bug(
        "a repeated report counts again, guarded",
        _GROUP,
        "The same, with the ledger's own check in place.",
        (_COUNTS_AFTER_SUCCESS, _COUNTS_WHATEVER_THE_STATE),
        shipped("duplicated_notification"),
        ("raised StorageCorrupted in _expect",),
    ),
    Bug(
        "every start accepts the restore anew",
        _GROUP,
        "A coordinator that comes up again does not look whether the restore exists.",
        (Edit(f"{COORDINATOR}._begin", "if self._ledger.accepted_at is None:", "if True:"),),
        shipped("deadline_across_restarts"),
        ("E6",),
    ),
    Bug(
        "a new life sends everything again",
        _GROUP,
        "A source that comes up again heeds its targets only as far as it has sent in this life.",
        (
            Edit(
                f"{STREAM}.apply_up_to",
                "if watermark <= self.watermark:",
                "watermark = min(watermark, self.sent)\n    if watermark <= self.watermark:",
            ),
        ),
        shipped("source_dies_deep_in_a_scan"),
        ("E7",),
    ),
    Bug(
        "a new life does not count what targets have",
        _GROUP,
        "A source that comes up again leaves batches out of its evidence that it need not send.",
        (Edit(f"{STREAM}.add", "        self._count(self.last_order, batch)\n", "        pass\n"),),
        shipped("source_dies_deep_in_a_scan"),
        ("C1", "C7"),
    ),
    Bug(
        "a new life counts from the wrong place",
        _GROUP,
        "A source that comes up again keeps batches that its targets have, and misnumbers.",
        (Edit(f"{STREAM}.add", "if self.last_order > self.watermark:", "if True:"),),
        shipped("source_dies_deep_in_a_scan"),
        ("T2", "E2"),
    ),
    Bug(
        "the watermark is written before its rows",
        _GROUP,
        "Two writes instead of one: power that goes out between them leaves a mark without rows.",
        (
            Edit(
                f"{SIM_ROLES}:SimulatedTarget.frames_of",
                "return [batch_frame(batch) for batch in work]",
                """return [
                    half
                    for frame in map(batch_frame, work)
                    for half in (("batch", *frame[1:5], b"\\x90"), ("rows", *frame[1:]))
                ]""",
            ),
            Edit(
                f"{SIM_STORE}.apply",
                """        case "generation":""",
                """        case "rows":
            batches = self.streams[frame[1].source][2]
            batches[-1] = ("batch", *frame[1:])
        case "generation":""",
            ),
            Edit(
                f"{SIM_STORE}._fold",
                "self._decode(payload)",
                """(self._decode(payload) if payload != b"\\x90" else ())""",
            ),
        ),
        own("power"),
        ("T1",),
    ),
)
