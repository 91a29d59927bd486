"""The coordinator's history, durable: one SQLite file, one transaction per append.

Each record is one row: its sequence number (1, 2, 3 ..), its JSON text and the XXH3-64 of that
text, because SQLite itself does not notice a flipped bit. `synchronous` is FULL, so that a
returned `append` survives a power cut; the write-ahead log lets others read while we write.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, cast

import xxhash

from increstore.chain.files import make_directories, sync_directory
from increstore.errors import RemoteProtocolError, StorageCorrupted, StorageFailed
from increstore.protocol.plain import from_plain, to_plain
from increstore.store.files import told_as_storage_failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from increstore.protocol.records import CoordinatorRecord

FORMAT = 1
_APPLICATION = 0x696E6372  # "incr" in ASCII: tells our file from any other SQLite file.

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class CoordinatorLog:
    """The append-only history of one restore's coordinator, in the file `path`.

    Used from one thread at a time. After a failed `append` the object refuses to write: whether
    the transaction happened is known only to whoever opens the file again and replays it.

    The target's lock keeps coordinators apart; where a file system has lost it, the log does: an
    `append` by one that does not know the newest record is refused, so a history never forks.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0) -> None:
        """Open or create the log; another process's lock is waited for so long.

        Raises: StorageFailed when it cannot be opened, is locked or in a newer format;
        StorageCorrupted when the file is not a log of ours or is damaged.
        """
        self._path = path
        self._failed = False
        self._newest = 0
        """Sequence number of the last record that this object has seen or written."""
        with told_as_storage_failed(path, "opening the coordinator log"):
            make_directories(path.parent)
            is_new = not path.exists()
        with self._told("opening the coordinator log"):
            self._database = sqlite3.connect(
                path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare()
            with self._told("opening the coordinator log"):
                self._newest = self._newest_in_file()
        except BaseException:
            self._database.close()
            raise
        if is_new:
            with told_as_storage_failed(path, "opening the coordinator log"):
                sync_directory(path.parent)

    def append(self, records: Sequence[CoordinatorRecord]) -> None:
        """Durably append all `records`, or none of them.

        Raises: StorageFailed; the append may then have happened or not.
        """
        if self._failed:
            raise StorageFailed(
                f"{self._path}: an earlier write failed, so what the log holds is not known; "
                "nothing was written now; open the log again and replay it first"
            )
        if not records:
            return
        rows = [_row(record) for record in records]
        self._failed = True
        with self._told("appending to the coordinator log"), self._transaction():
            self._require_ours()
            self._database.executemany("INSERT INTO record (json, checksum) VALUES (?, ?)", rows)
            newest = self._newest_in_file()
        self._newest = newest
        self._failed = False

    def _require_ours(self) -> None:
        """Inside the transaction: nobody else has written since this object has last looked."""
        newest = self._newest_in_file()
        if newest != self._newest:
            raise StorageFailed(
                f"{self._path}: another coordinator has taken over this restore: expected record "
                f"{self._newest} to be the last one, got {newest}; nothing was written; let the "
                "other one go on, or end it and run the same command again"
            )

    def _newest_in_file(self) -> int:
        found = self._database.execute("SELECT coalesce(max(sequence), 0) FROM record").fetchone()
        return int(found[0])

    def replay(self) -> list[CoordinatorRecord]:
        """Every record ever appended, in order.

        Raises: StorageCorrupted when a record is missing or not what was written.
        """
        with self._told("reading the coordinator log"):
            rows = self._database.execute(
                "SELECT sequence, json, checksum FROM record ORDER BY sequence"
            ).fetchall()
        self._newest = max((row[0] for row in rows), default=0)
        return [self._record(expected, *row) for expected, row in enumerate(rows, start=1)]

    def close(self) -> None:
        """Release the file; what was appended stays."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _prepare(self) -> None:
        with self._told("opening the coordinator log"):
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA journal_mode = WAL")
            application = self._pragma("application_id")
            format_found = self._pragma("user_version")
            tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application == 0 and tables == 0:
            self._create()
        elif application != _APPLICATION:
            raise StorageCorrupted(
                f"{self._path}: expected a coordinator log, got another SQLite file "
                f"(application id {application}); move it away, or choose another target"
            )
        elif format_found != FORMAT:
            raise StorageFailed(
                f"{self._path}: coordinator log format {format_found} is not one this program "
                f"reads (expected {FORMAT}); upgrade increstore"
            )

    def _create(self) -> None:
        with self._told("creating the coordinator log"), self._transaction():
            self._database.execute(
                "CREATE TABLE record (sequence INTEGER PRIMARY KEY AUTOINCREMENT, "
                "json TEXT NOT NULL, checksum TEXT NOT NULL) STRICT"
            )
            # Inside the transaction: a crash leaves a log in this format, or an empty file.
            self._database.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._database.execute(f"PRAGMA user_version = {FORMAT}")

    def _pragma(self, name: str) -> int:
        return int(self._database.execute(f"PRAGMA {name}").fetchone()[0])

    def _record(self, expected: int, sequence: int, text: str, checksum: str) -> CoordinatorRecord:
        where = f"{self._path}: record {expected}"
        if sequence != expected:
            raise StorageCorrupted(f"{where} is missing (next is {sequence}); {_REMEDY}")
        if checksum != _checksum(text):
            raise StorageCorrupted(
                f"{where}: expected checksum {checksum}, got {_checksum(text)}; {_REMEDY}"
            )
        try:
            return cast("CoordinatorRecord", from_plain(json.loads(text)))
        except (ValueError, RemoteProtocolError) as error:
            raise StorageCorrupted(
                f"{where} is not one this program knows ({error}); if a newer increstore wrote "
                f"it, use that one; else {_REMEDY}"
            ) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # Itself refused when SQLite has rolled back on its own (disk full, I/O error).
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0)
            if _primary(code) in _DAMAGE:
                raise StorageCorrupted(
                    f"{self._path}: {doing} failed: {error}; expected the log as it was written; "
                    f"{_REMEDY}"
                ) from error
            raise StorageFailed(
                f"{self._path}: {doing} failed: {error}; {_remedy_for(code)}"
            ) from error


_REMEDY = "restore the file from a copy, or remove the target and start the restore again"


def _primary(code: int) -> int:
    """The kind of error, which is the low byte; the rest tells the place in SQLite."""
    return code & 0xFF


def _remedy_for(code: int) -> str:
    kind = _primary(code)
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "another process uses it; wait for it or end it, then run the same command again"
    # No I/O error, whatever SQLite calls it: the file beside the log cannot grow.
    if kind == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return "free some space, then run the same command again"
    if kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return "make the folder and the file writable for this user, or choose another target"
    return "check the disk and the system log, then run the same command again"


def _row(record: CoordinatorRecord) -> tuple[str, str]:
    text = json.dumps(to_plain(record), separators=(",", ":"), ensure_ascii=False)
    return text, _checksum(text)


def _checksum(text: str) -> str:
    return str(xxhash.xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass")))
