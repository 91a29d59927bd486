"""What is done to the files of nodes: lost, damaged, or put back to an older copy of themselves.

A process that is killed loses nothing that was written, so what a power cut may do to a disk is
done here by hand, while nobody looks at the files; only a bit may flip at any time.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from increstore.errors import StorageCorrupted
from increstore.protocol.topology import COORDINATOR
from increstore.scenario.faults import CrashFault
from increstore.store.files import file_name_of
from increstore.store.segment_file import read_segment
from increstore.store.target import TargetPaths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from increstore.scenario.actions import Crash
    from increstore.scenario.model import Scenario

TORN_BYTES = 37
"""What a torn record leaves at the end of a file: less than any whole one."""


class Older:
    """Copies of what nodes have stored, one before each durable write; the last `most` are kept."""

    def __init__(self, target: Path, most: int) -> None:
        self._paths = TargetPaths(target)
        self._folder = target.with_name(f"{target.name}.older")
        self._most = most

    def keeper(self, node: str) -> Callable[[], None] | None:
        """What to call before each durable write of the node; None when nobody wants copies."""
        return (lambda: self._keep(node)) if self._most else None

    def put_back(self, node: str, writes: int) -> None:
        """The files of the node as they were so many durable writes ago, or before the first."""
        copies = self._copies(node)
        remove_files(self._paths, node)
        if not copies:
            return
        chosen = copies[max(0, len(copies) - writes)]
        if node == COORDINATOR:
            _copy_database(chosen, self._paths.coordinator_log)
        else:
            shutil.copytree(chosen, self._paths.shard(node))
        for copy in copies[copies.index(chosen) :]:
            _remove(copy)

    def _keep(self, node: str) -> None:
        copies = self._copies(node)
        number = int(copies[-1].name) + 1 if copies else 1
        copy = self._folder / file_name_of(node) / f"{number:06d}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        if node == COORDINATOR:
            _copy_database(self._paths.coordinator_log, copy)
        else:
            shutil.copytree(self._paths.shard(node), copy)
        for surplus in copies[: len(copies) + 1 - self._most]:
            _remove(surplus)

    def _copies(self, node: str) -> list[Path]:
        return sorted((self._folder / file_name_of(node)).glob("*"))


def copies_wanted(scenario: Scenario) -> int:
    """How many older copies of what a node has stored the faults of a scenario may ask for."""
    crashes = [fault for fault in scenario.faults if isinstance(fault, CrashFault)]
    return max((crash.rollback for crash in crashes), default=0)


class AtRest:
    """Does to files what crashes and disk faults ask for."""

    def __init__(self, target: Path, scenario: Scenario) -> None:
        self.older = Older(target, copies_wanted(scenario))
        self._paths = TargetPaths(target)
        self._torn: set[str] = set()  # Only ever asked for membership.

    def tear_at_next_death(self, node: str) -> None:
        self._torn.add(node)

    def after_death(self, crash: Crash) -> bool:
        """The node is gone, and not back yet; whether it has lost what was durable."""
        node = crash.node
        if node in self._torn:
            self._torn.discard(node)
            self._tear(node)
        if crash.wipe:
            remove_files(self._paths, node)
        elif crash.rollback:
            self.older.put_back(node, crash.rollback)
        return crash.wipe or crash.rollback > 0

    def flip_a_bit(self, node: str, draw: Callable[[int], int]) -> bool:
        """One bit of what the node has stored; False when it has stored nothing yet."""
        if node == COORDINATOR:
            return self._damage_a_record(draw)
        files = sorted(self._paths.shard(node).glob("*.changes"))
        if not files:
            return False
        file = max(files, key=lambda file: file.stat().st_size)
        place = draw(file.stat().st_size)
        with file.open("r+b") as opened:
            was = os.pread(opened.fileno(), 1, place)
            os.pwrite(opened.fileno(), bytes([was[0] ^ 1 << place % 8]), place)
        return True

    def _damage_a_record(self, draw: Callable[[int], int]) -> bool:
        """SQLite does not notice a flipped bit inside a row: the record's own checksum must."""
        with closing(sqlite3.connect(self._paths.coordinator_log)) as database:
            (count,) = database.execute("SELECT count(*) FROM record").fetchone()
            sequence = 1 + draw(max(1, count))
            statement = "UPDATE record SET json = json || ' ' WHERE sequence = ?"
            database.execute(statement, (sequence,))
            database.commit()
        return bool(count)

    def _tear(self, node: str) -> None:
        """A file ends in half a record, one that may still be written to; SQLite mends its own."""
        if node == COORDINATOR:
            return
        folder = self._paths.shard(node)
        files = [*sorted(folder.glob("*.changes"))[-1:], *folder.glob("control")]
        for file in files:
            if not _is_sealed(file):
                with file.open("ab") as opened:
                    opened.write(bytes(range(1, TORN_BYTES + 1)))
                return


def _is_sealed(file: Path) -> bool:
    """Or damaged already: then its end is not where a torn tail would be."""
    try:
        contents = read_segment(file, None, verify_payloads=False)
    except StorageCorrupted:
        return True
    return contents is not None and any(r.facts["kind"] == "seal" for r in contents.records)


def remove_files(paths: TargetPaths, node: str) -> None:
    """The node has an empty disk."""
    if node == COORDINATOR:
        log = paths.coordinator_log
        for file in (log, log.with_name(f"{log.name}-wal"), log.with_name(f"{log.name}-shm")):
            file.unlink(missing_ok=True)
    else:
        shutil.rmtree(paths.shard(node), ignore_errors=True)


def _copy_database(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)


def _remove(copy: Path) -> None:
    if copy.is_dir():
        shutil.rmtree(copy)
    else:
        copy.unlink()
