"""The journal: the ordered events of a run, as data.

Drivers write events, cores never do. What a terminal shows, the lines of `--plain`, a journal file
and a later replay all read the same events. What belongs to the history of a run (incrementals,
reports, seals) is written only once it is durable, so that no crash takes back what was shown; the
rest are samples of a moment. docs/JSON.md tells which are which.

Beside them there are *details*: what a checker must know and nobody wants to watch (each message,
each batch, the fields of a record that no line shows). They are made only while somebody wants
them, so a restore without a journal file pays nothing for them.

A journal file is JSON Lines: `{"t": seconds since 1970, "node": .., "event": .., fact: value, ..}`,
opened by one `journal.opened` event that carries the format number.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from increstore.errors import StorageFailed

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL_FORMAT = 1
JOURNAL_OPENED = "journal.opened"
"""The first event of each run in a journal file; it has the format."""

DETAIL_EVENTS = frozenset(
    {
        "restore.planned", "history.recovered", "shard.recovered", "life.began", "page.read",
        "message.sent", "message.received", "message.lost", "batch.applied", "tables.published",
        "data.lost", "clock.changed",
    }
)  # fmt: skip
"""Events that only journal files and checkers get; only ever asked for membership."""


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One event: wall time in nanoseconds since 1970, who, what, and facts in order of weight.

    `details` are further facts for those who want them; `is_detail`: the whole event is for them.
    """

    at: int
    node: str
    name: str
    facts: dict[str, Any]
    details: dict[str, Any] | None = None
    is_detail: bool = False

    @property
    def has_details(self) -> bool:
        return self.is_detail or self.details is not None

    def as_json(self) -> dict[str, Any]:
        """Without the details."""
        return {"t": self.at / 1e9, "node": self.node, "event": self.name, **self.facts}

    def in_detail(self) -> dict[str, Any]:
        """All that is known of it, as a line of a journal file."""
        return {**self.as_json(), **(self.details or {})}

    def as_line(self, since: int) -> str:
        """The line people read: seconds since `since`, node, name, facts."""
        facts = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{(self.at - since) / 1e9:9.3f}  {self.node}  {self.name}  {facts}".rstrip()


_LINE_START = b'{"t": '

Subscriber = Callable[[JournalEvent], None]


class Journal:
    """Where the drivers of one process write; each subscriber sees every event, in order."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[Subscriber, bool]] = []
        self.about: dict[str, Any] = {}
        """What people want to know of the run: facts that `restore.planned` gets beside its own."""
        self.wants_details = False
        """Whether any subscriber does; nobody need make them otherwise."""

    def subscribe(self, subscriber: Subscriber, *, details: bool = False) -> None:
        """`details`: also events that are details, and the details of the others."""
        self._subscribers.append((subscriber, details))
        self.wants_details = self.wants_details or details

    def emit(self, node: str, name: str, **facts: Any) -> None:
        """Write one event, stamped with the wall clock."""
        self.tell(node, name, facts)

    def tell(
        self,
        node: str,
        name: str,
        facts: dict[str, Any],
        details: dict[str, Any] | None = None,
        *,
        is_detail: bool = False,
    ) -> None:
        """As `emit`, with details."""
        self.relay(JournalEvent(self.clock(), node, name, facts, details, is_detail))

    def relay(self, event: JournalEvent) -> None:
        """Write an event of another process, with its own time."""
        for subscriber, wants_details in self._subscribers:
            if wants_details or not event.is_detail:
                subscriber(event)

    def clock(self) -> int:
        """What events are stamped with: nanoseconds since 1970."""
        return time.time_ns()


class JournalFile:
    """A subscriber that appends to a file, a line an event, flushed as it is written.

    Subscribe it with `details=True`: a journal file is what a run is judged by later. Until it is
    closed it is locked, shared with others who append: so a reader knows that more may come.
    """

    def __init__(self, path: Path) -> None:
        """Raises: StorageFailed when the file cannot be opened, or holds something else."""
        try:
            _refuse_other_files(path)
            is_torn = _ends_within_a_line(path)
            self._file: TextIO = path.open("a", encoding="utf-8")
            with contextlib.suppress(OSError):  # Not every file system has locks; nobody waits.
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageFailed(
                f"{path}: the journal cannot be opened ({error.strerror}); name another file "
                "with --journal, or leave it out"
            ) from error
        self._path = path
        if is_torn:
            self._file.write("\n")  # A run that was killed has left half a line.
        self._write({"t": time.time(), "node": "journal", "event": JOURNAL_OPENED,
                     "format": JOURNAL_FORMAT})  # fmt: skip

    def __call__(self, event: JournalEvent) -> None:
        self._write(event.in_detail())

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


def _refuse_other_files(path: Path) -> None:
    """Events are appended: to a table or a text, given by mistake, they would be damage."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(len(_LINE_START))
    if not _LINE_START.startswith(start):
        raise StorageFailed(
            f"{path}: is no journal (its lines begin with {_LINE_START.decode()!r}); name "
            "another file with --journal; nothing was changed"
        )


def _ends_within_a_line(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
