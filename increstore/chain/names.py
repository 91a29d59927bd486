"""Names of backups and tables: which are safe as folders, and how backups are named in order.

A backup is `<UTC time to the microsecond>_full` or `.._incremental`, so that name order is time
order. A table name may be nested ("shop/orders"); each part is one folder.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from increstore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["full", "incremental"]

TABLE_NAME_BYTES_MAX = 200
_TIME = "%Y%m%dT%H%M%S.%fZ"
_BACKUP = re.compile(r"(\d{8}T\d{6}(?:\.\d{1,6})?Z?)_(full|incremental)")
_PART = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|]+")


def kind_of_name(name: str) -> Kind | None:
    """The kind a backup folder's name tells; None when it is not a backup's name."""
    match = _BACKUP.fullmatch(name)
    if match is None:
        return None
    return "full" if match[2] == "full" else "incremental"


def next_backup_name(now: datetime, existing: Sequence[str], kind: Kind) -> str:
    """A name above every existing one, also when the clock stood still or went back.

    `now` is in UTC. Raises: UsageError when an existing name holds no time.
    """
    latest = max((_time_of(name) for name in existing), default=None)
    if latest is not None and now <= latest:
        now = latest + timedelta(microseconds=1)
    return f"{now.strftime(_TIME)}_{kind}"


def _time_of(name: str) -> datetime:
    """The time in a backup's name, rounded up: no name of that second may follow the next one."""
    text = name.partition("_")[0].rstrip("Z")
    day, _, fraction = text.partition(".")
    try:
        second = datetime.strptime(day, "%Y%m%dT%H%M%S")
    except ValueError as error:
        raise UsageError(
            f"backup {name!r}: {day!r} is no time, so no later name can be made; move it away"
        ) from error
    return second.replace(microsecond=int(fraction.ljust(6, "0")) if fraction else 999_999)


def check_table_name(name: str) -> None:
    """Raises: UsageError when `name` cannot be a folder inside a backup."""
    fault = _table_name_fault(name)
    if fault is not None:
        raise UsageError(
            f"table name {name!r}: {fault}; use letters, digits, '_', '-' and '.', and '/' between "
            "folders (shop/orders)"
        )


def is_file_name(name: str) -> bool:
    """Whether it names a file in one folder, and cannot lead out of it."""
    return name not in ("", ".", "..") and not set(name) & set("/\\\0") and is_utf8(name)


def is_utf8(text: str) -> bool:
    """Whether it can be written down: JSON, and arguments that are not UTF-8, can bring others."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _table_name_fault(name: str) -> str | None:
    if not is_utf8(name):
        return "not UTF-8"
    if len(name.encode()) > TABLE_NAME_BYTES_MAX:
        return f"longer than {TABLE_NAME_BYTES_MAX} bytes"
    for part in name.split("/"):
        if not part:
            return "empty, or '/' at its beginning or end or twice in a row"
        if part.startswith((".", "_")):
            # Readers of Parquet folders skip such names, and `..` would leave the collection.
            return f"{part!r} begins with {part[0]!r}"
        if not _PART.fullmatch(part):
            return f"{part!r} holds a character that not every file system takes"
        if part.lower() == "manifest.json" or part.lower().endswith(".parquet"):
            return f"{part!r} is the name of a file inside a backup"
    return None


def check_table_names(names: Sequence[str]) -> None:
    """Each is safe, and no table is a folder above another.

    Nor do two differ in case alone, or in how an accent is written (NFC or NFD): on many file
    systems they would be one folder.

    Raises: UsageError.
    """
    for name in names:
        check_table_name(name)
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(_folded(name), name)
        if other != name:
            raise UsageError(
                f"tables {other!r} and {name!r} differ in upper and lower case only, or in how an "
                "accent is written; rename one"
            )
    for name in names:
        parts = _folded(name).split("/")
        for length in range(1, len(parts)):
            above = folded.get("/".join(parts[:length]))
            if above is not None:
                raise UsageError(
                    f"table {above!r} would be the folder that holds table {name!r}; rename one"
                )


def _folded(name: str) -> str:
    """The same for names that some file system takes for one, having no case or one normal form."""
    return unicodedata.normalize("NFC", name.casefold())
