"""The journal: the ordered events of a run, as data.

Drivers write events, cores never do. What a terminal shows, the lines of `--plain`, a journal file
and a later replay all read the same events. What belongs to the history of a run (incrementals,
reports, seals) is written only once it is durable, so that no crash takes back what was shown; the
rest are samples of a moment. docs/JSON.md tells which are which.

A journal file is JSON Lines: `{"t": seconds since 1970, "node": .., "event": .., fact: value, ..}`,
opened by one `journal.opened` event that carries the format number.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from increstore.errors import StorageFailed

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL_FORMAT = 1


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One event: wall time in nanoseconds since 1970, who, what, and facts in order of weight."""

    at: int
    node: str
    name: str
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {"t": self.at / 1e9, "node": self.node, "event": self.name, **self.facts}

    def as_line(self, since: int) -> str:
        """The line people read: seconds since `since`, node, name, facts."""
        facts = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{(self.at - since) / 1e9:9.3f}  {self.node}  {self.name}  {facts}".rstrip()


Subscriber = Callable[[JournalEvent], None]


class Journal:
    """Where the drivers of one process write; each subscriber sees every event, in order."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def emit(self, node: str, name: str, **facts: Any) -> None:
        """Write one event, stamped with the wall clock."""
        self.relay(JournalEvent(time.time_ns(), node, name, facts))

    def relay(self, event: JournalEvent) -> None:
        """Write an event of another process, with its own time."""
        for subscriber in self._subscribers:
            subscriber(event)


class JournalFile:
    """A subscriber that appends to a file, a line an event, flushed as it is written."""

    def __init__(self, path: Path) -> None:
        """Raises: StorageFailed when the file cannot be opened."""
        try:
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as error:
            raise StorageFailed(
                f"{path}: the journal cannot be opened ({error.strerror}); name another file "
                "with --journal, or leave it out"
            ) from error
        self._path = path
        self._write({"t": time.time(), "node": "journal", "event": "journal.opened",
                     "format": JOURNAL_FORMAT})  # fmt: skip

    def __call__(self, event: JournalEvent) -> None:
        self._write(event.as_json())

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
            self._file.flush()
        except OSError as error:
            raise StorageFailed(
                f"{self._path}: the journal cannot be written ({error.strerror}); free some space "
                "or name another file with --journal, and run the same command again"
            ) from error

    def close(self) -> None:
        # What could not be written was told when it was; closing only tries it once more.
        with contextlib.suppress(OSError):
            self._file.close()
