"""Frames: damaged bytes that are believed, and messages that arrive as others."""

from __future__ import annotations

from tests.planted.bug import Bug
from tests.planted.bugs.places import shipped
from tests.planted.patching import Edit

_GROUP = "frames"

BUGS = (
    Bug(
        "checksums of frames are not compared",
        _GROUP,
        "A frame is handed on although a byte of its header or rows has changed.",
        (
            Edit(
                "increstore.transport.framing:_verify",
                "if xxhash.xxh3_64_intdigest(received) != check:",
                "if False:",
            ),
        ),
        shipped("damaged_frames"),
        ("F1",),
    ),
    Bug(
        "a number of a message is lost on the way",
        _GROUP,
        "The codec writes the orders of long streams in too few bits.",
        (
            Edit(
                "increstore.transport.codec:encode",
                "plain = to_plain(message)",
                "plain = to_plain(message)\n"
                "    if isinstance(message, ApplyChanges):\n"
                "        plain[3] %= 4",
            ),
        ),
        shipped("window_of_one"),
        ("F1",),
    ),
    Bug(
        "a report is rewritten on the way",
        _GROUP,
        "The codec reads every status as success.",
        (
            Edit(
                "increstore.transport.codec:decode",
                "message = from_plain(plain)",
                "plain = ['success' if v in ('transient', 'fatal') else v for v in plain]\n"
                "    message = from_plain(plain)",
            ),
        ),
        shipped("failed_scan_retried"),
        ("F1",),
    ),
)
