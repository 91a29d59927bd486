"""A journal file, read line by line: forward, from any event again, and on while it grows.

Rules of this file:
- A line counts once its end is there: what another process is still writing waits.
- A line that is no event is shown as one that says so; what comes after it counts again. Half a
  line is what `kill -9` leaves in the middle of a file of several runs.
- The order is that of the file: events of worker processes arrive a moment late.
"""

from __future__ import annotations

import fcntl
import json
import os
from array import array
from collections import deque
from typing import TYPE_CHECKING, Any

from increstore.errors import JournalUnreadable
from increstore.journal import DETAIL_EVENTS, JOURNAL_FORMAT, JOURNAL_OPENED, JournalEvent
from increstore.judging.journal_text import readable

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

CHUNK_BYTES = 64 << 10
LINE_BYTES_MAX = 64 << 20
LAST_BYTES = 64 << 10
"""How much of the end is looked at for the last event."""
SHOWN_CHARS_MAX = 120
TORN = "journal.torn"


class JournalReel:
    """A reel that a player plays."""

    def __init__(self, path: Path, *, follows: bool) -> None:
        """`follows`: whether more is expected after its end."""
        self.follows = follows
        self.torn = 0
        """Lines so far that were no events."""
        self.error = ""
        self._path = path
        self._file: BinaryIO | None = None
        self._ahead: deque[tuple[int, JournalEvent]] = deque()
        """(where its line begins, event) of what has been read and not given."""
        self._untimed: list[tuple[int, JournalEvent]] = []
        """The same, until there is one that says when."""
        self._places = array("Q")
        """Where the line of each given event begins."""
        self._rest = b""
        """The beginning of a line whose end has not been read."""
        self._rest_at = 0
        self._last_at = 0
        self.changed_at_s = 0.0
        """When somebody wrote to it, as of the last look; seconds since 1970."""
        self._size = 0
        self._counted = (0, 0)
        """(bytes, lines) that have been counted."""

    def open(self) -> None:
        """Raises: JournalUnreadable when it cannot be read, is no journal, or too new."""
        try:
            self._file = self._path.open("rb")
        except OSError as error:
            raise JournalUnreadable(
                f"{self._path}: the journal cannot be read ({error.strerror}); name a file that "
                "`--journal FILE` has written"
            ) from error
        self._fill()
        first = [event for _, event in (*self._ahead, *self._untimed)]
        try:
            self._require_event(first)
            for event in first:
                self._require_format(event)
        except JournalUnreadable:
            self.close()
            raise

    def close(self) -> None:
        self._ahead.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    # --- As a reel.

    @property
    def next_at(self) -> int | None:
        if not self._ahead:
            self._fill()
        return self._ahead[0][1].at if self._ahead else None

    @property
    def is_over(self) -> bool:
        return not self.follows

    is_rewinding = False

    def advance(self) -> JournalEvent | None:
        if not self._ahead:
            self._fill()
        if not self._ahead:
            return None
        place, event = self._ahead.popleft()
        self._places.append(place)
        return event

    def rewind(self, index: int, last_at: int) -> None:
        """Give the events from this index on again; the one before it happened at `last_at`."""
        if index >= len(self._places) or self._file is None:
            return
        self._rest_at = self._places[index]
        del self._places[index:]
        self._ahead.clear()
        self._untimed.clear()
        self._rest, self._last_at = b"", last_at
        self._file.seek(self._rest_at)

    # --- Its end.

    def grown(self) -> bool:
        """Whether the file is longer than at the last look."""
        if self._file is None:
            return False
        found = os.fstat(self._file.fileno())
        before, self._size = self._size, found.st_size
        self.changed_at_s = found.st_mtime
        if self._size < before:
            self.error = f"{self._path}: the journal has been cut short by somebody"
        return self._size > before

    def is_held(self) -> bool:
        """Whether who writes it lives; False also where locks do not tell."""
        if self._file is None:
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as error:
            return isinstance(error, BlockingIOError)
        return False

    def count(self) -> int:
        """Lines of the file as of the last look; what was counted before is not read again."""
        done, lines = self._counted
        with self._path.open("rb") as file:
            file.seek(done)
            while done < self._size and (chunk := file.read(1 << 20)):
                lines += chunk.count(b"\n")
                done += len(chunk)
        self._counted = (done, lines)
        return lines

    def last_event(self, *, but: frozenset[str] = frozenset()) -> JournalEvent | None:
        """The last whole line that is an event, and none of these names."""
        with self._path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LAST_BYTES))
            lines = file.read().split(b"\n")[:-1]
        for line in reversed(lines):
            event = _parse(line, 0)
            if event.name != TORN and event.name not in but:
                return event
        return None

    # --- Reading.

    def _fill(self) -> None:
        """Read on until there is an event, or no more."""
        while not self._ahead and self._file is not None:
            chunk = self._file.read(CHUNK_BYTES)
            if not chunk:
                return
            self._rest += chunk
            *lines, rest = self._rest.split(b"\n")
            for line in lines:
                self._take(line)
                self._rest_at += len(line) + 1
            self._rest = rest
            if len(rest) > LINE_BYTES_MAX:
                self.error = f"{self._path}: a line of more than {LINE_BYTES_MAX} bytes"
                self.close()

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        event = _parse(line, self._last_at)
        if event.name == TORN:
            self.torn += 1
        self._untimed.append((self._rest_at, event))
        if event.at:
            self._last_at = max(self._last_at, event.at)
        if self._last_at:
            # The line that opens a simulated run has no time: it gets that of the next one.
            self._ahead += [(place, _timed(found, self._last_at)) for place, found in self._untimed]
            self._untimed.clear()

    def _require_event(self, first: list[JournalEvent]) -> None:
        if first and first[0].name == TORN:
            raise JournalUnreadable(
                f"{self._path}: line 1 is no event (expected an object with t, node and event): "
                f"{readable(str(first[0].facts['says']))}"
            )

    def _require_format(self, event: JournalEvent) -> None:
        found = event.facts.get("format", JOURNAL_FORMAT)
        if event.name == JOURNAL_OPENED and found != JOURNAL_FORMAT:
            raise JournalUnreadable(
                f"{self._path}: the journal has format {found}; this version reads format "
                f"{JOURNAL_FORMAT}; use the version that wrote it"
            )


def _timed(event: JournalEvent, at: int) -> JournalEvent:
    if event.at:
        return event
    return JournalEvent(at, event.node, event.name, event.facts, None, event.is_detail)


def _parse(line: bytes, last_at: int) -> JournalEvent:
    """The event of a line; what has no time gets that of the one before."""
    try:
        facts: dict[str, Any] = json.loads(line)
        name = facts.pop("event")
        at = facts.pop("t", None)
        if isinstance(name, str):
            at = last_at if at is None else round(at * 1e9)
            node = str(facts.pop("node", ""))
            return JournalEvent(at, node, name, facts, None, name in DETAIL_EVENTS)
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError):
        pass
    shown = line.decode(errors="replace").strip()
    return JournalEvent(last_at, "journal", TORN, {"says": shown[:SHOWN_CHARS_MAX]})
