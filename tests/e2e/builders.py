"""Small real collections, the rows they must restore to, and restores that are run on them.

The expected rows are kept as plain Python values while the snapshots are written, so nothing of the
program that is tested has a part in them.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from increstore.chain.backup import TableSource, backup_full, backup_incremental
from increstore.chain.table_writer import FileLimits
from increstore.journal import Journal, JournalEvent
from increstore.protocol.coordinator import CoordinatorConfig
from increstore.runtime.prepare import prepare
from increstore.runtime.request import RestoreRequest
from increstore.runtime.restore import Outcome, run_restore

Row = dict[str, Any]
SMALL_FILES = FileLimits(group_rows_max=100, file_bytes_aim=8_000)
"""So that a few hundred rows are several files of several row groups, as large tables are."""

IMPATIENT = CoordinatorConfig(
    repeat_ns=200_000_000, backoff_ns=20_000_000, backoff_max_ns=40_000_000, retries_max=2
)
"""The policy of a restore that gives up soon."""


@dataclass
class Table:
    """One table as its snapshots will be written: `rows` by key."""

    schema: pa.Schema
    key: tuple[str, ...]
    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict)

    def put(self, row: Row) -> None:
        self.rows[tuple(row[name] for name in self.key)] = row

    def listed(self) -> list[Row]:
        """Every row in key order, with every column of the schema."""
        return [
            {name: self.rows[key].get(name) for name in self.schema.names}
            for key in sorted(self.rows)
        ]


class Depot:
    """A collection under construction: change `tables`, then take a backup of them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / "depot.backups"
        self.tables: dict[str, Table] = {}
        self.expected: list[dict[str, list[Row]]] = []
        """By chain position, by table: the rows as they were when the backup was taken."""
        self.backups: list[str] = []

    def backup(self) -> str:
        """Back up all tables, in full the first time; returns the backup's name."""
        sources = [
            TableSource(name, self._snapshot(name, table), None if self.backups else table.key)
            for name, table in self.tables.items()
        ]
        make = backup_incremental if self.backups else backup_full
        manifest = make(self.path, sources, limits=SMALL_FILES)
        self.expected.append({name: table.listed() for name, table in self.tables.items()})
        self.backups.append(manifest.name)
        return manifest.name

    def _snapshot(self, name: str, table: Table) -> Path:
        file = self.folder / f"{name.replace('/', '_')}.parquet"
        pq.write_table(pa.Table.from_pylist(table.listed(), schema=table.schema), file)
        return file

    def manifest(self, position: int) -> Path:
        return self.path / self.backups[position] / "manifest.json"

    def edit_manifest(self, position: int, edit: Any) -> None:
        file = self.manifest(position)
        found = json.loads(file.read_text())
        edit(found)
        file.write_text(json.dumps(found))

    def data_file(self, position: int, table: str) -> Path:
        return self.path / self.backups[position] / table / "part-00000.parquet"


def a_varied_depot(folder: Path, seed: int = 1, rows: int = 400, incrementals: int = 5) -> Depot:
    """Eight tables that between them meet everything a chain may hold (see `_change`)."""
    depot, dice = Depot(folder), random.Random(seed)
    depot.tables = {
        "shop/orders": Table(_ORDERS, ("id",)),
        "shop/lines": Table(_LINES, ("order", "line")),
        "people": Table(_PEOPLE, ("name",)),
        "shop/eu/late": Table(_LATE[0], ("id",)),
        "wiped": Table(_LATE[0], ("id",)),
        "still": Table(_LATE[0], ("id",)),
        "empty": Table(_LATE[0], ("id",)),
        "one": Table(_LATE[0], ("id",)),
    }
    for number in range(rows):
        _fill(depot, dice, number)
    depot.tables["one"].put({"id": 1, "a": 1, "b": "only"})
    depot.backup()
    for number in range(1, incrementals + 1):
        _change(depot, dice, number, rows)
        depot.backup()
    return depot


_ORDERS = pa.schema(
    [
        ("id", pa.int64()),
        ("price", pa.decimal128(12, 2)),
        ("paid", pa.bool_()),
        ("weight", pa.float64()),
        ("note", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
    ]
)
_LINES = pa.schema([("order", pa.int32()), ("line", pa.string()), ("n", pa.int16())])
_PEOPLE = pa.schema([("name", pa.string()), ("photo", pa.binary()), ("born", pa.date32())])
_LATE = (
    pa.schema([("id", pa.int64()), ("a", pa.int32()), ("b", pa.string())]),
    pa.schema([("id", pa.int64()), ("a", pa.int32()), ("b", pa.string()), ("c", pa.float64())]),
    pa.schema([("id", pa.int64()), ("a", pa.int64()), ("c", pa.float64())]),
    pa.schema([("id", pa.int64()), ("a", pa.int64()), ("b", pa.string()), ("c", pa.float64())]),
)
"""The schema steps of `shop/eu/late`: a column added, one dropped and one widened, one back."""


def _fill(depot: Depot, dice: random.Random, number: int) -> None:
    depot.tables["shop/orders"].put(_order(dice, number * 7))
    depot.tables["shop/lines"].put(
        {"order": number // 3, "line": f"{number % 3}é", "n": dice.choice([None, -5, number])}
    )
    depot.tables["people"].put(_person(dice, number))
    for name in ("shop/eu/late", "wiped", "still"):
        depot.tables[name].put({"id": number, "a": dice.randrange(1000), "b": f"b{number}"})


def _order(dice: random.Random, number: int) -> Row:
    from datetime import UTC, datetime
    from decimal import Decimal

    return {
        "id": number,
        "price": Decimal(dice.randrange(10_000_000)) / 100,
        "paid": dice.choice([True, False, None]),
        "weight": dice.choice([None, 0.0, -1.5, 1e300, dice.random()]),
        "note": dice.choice([None, "", "text " * 5, "ünï\n\t"]),
        "at": datetime.fromtimestamp(dice.randrange(2_000_000_000), UTC),
    }


def _person(dice: random.Random, number: int) -> Row:
    from datetime import date

    photo = dice.choice([None, b"", b"\x00\xff" * 8])
    return {"name": f"person {number:05d}", "photo": photo, "born": date(1970, 1, 1 + number % 28)}


def _change(depot: Depot, dice: random.Random, number: int, rows: int) -> None:
    """One incremental: upserts, deletes, keys that come back; some tables only delete, or rest."""
    orders, people = depot.tables["shop/orders"], depot.tables["people"]
    for _ in range(rows // 8):
        orders.put(_order(dice, dice.randrange(rows * 9)))
        orders.rows.pop((dice.randrange(rows * 9),), None)
        key = dice.choice(sorted(people.rows))
        people.rows[key] = {**people.rows[key], "photo": dice.choice([None, b"new"])}
    lines = depot.tables["shop/lines"]
    for key in dice.sample(sorted(lines.rows), min(len(lines.rows), rows // 20)):
        del lines.rows[key]
    _change_late(depot.tables["shop/eu/late"], dice, number, rows)
    _change_wiped(depot.tables["wiped"], number, rows)
    depot.tables["one"].put({"id": 1, "a": number, "b": None})


def _change_late(late: Table, dice: random.Random, number: int, rows: int) -> None:
    late.schema = _LATE[min(number, len(_LATE) - 1)]
    for _ in range(rows // 10):
        key = dice.randrange(rows * 2)
        late.put({"id": key, "a": dice.randrange(9), "b": f"n{number}", "c": dice.random()})
    if "b" not in late.schema.names:
        # What a dropped column held is gone, also when a column of its name comes back.
        for row in late.rows.values():
            row.pop("b", None)
    for row in late.rows.values():
        if "c" not in late.schema.names:
            row.pop("c", None)


def _change_wiped(wiped: Table, number: int, rows: int) -> None:
    if number % 3 == 1:
        wiped.rows.clear()
    elif number % 3 == 2:
        for key in range(0, rows, 2):
            wiped.put({"id": key, "a": None, "b": f"again {number}"})


def many_tiny_tables(folder: Path, tables: int) -> Depot:
    """So many tables of three rows each, in nested folders, and two incrementals."""
    depot = Depot(folder)
    for number in range(tables):
        table = Table(_LATE[0], ("id",))
        for key in range(3):
            table.put({"id": key, "a": number, "b": "x"})
        depot.tables[f"area {number % 7}/t{number}"] = table
    depot.backup()
    for step in (1, 2):
        for number, table in enumerate(depot.tables.values()):
            if number % 2 == step % 2:
                table.put({"id": step * 10, "a": step, "b": None})
        depot.backup()
    return depot


# --- What a restore left behind.


def visible_rows(target: Path) -> dict[str, list[Row]]:
    """Every row that a reader of the target sees, by table."""
    found: dict[str, list[Row]] = {}
    for file in sorted(target.rglob("*.parquet")):
        if ".increstore" not in file.relative_to(target).parts:
            table = str(file.parent.relative_to(target))
            found.setdefault(table, []).extend(pq.ParquetFile(file).read().to_pylist())
    return found


# --- Running it.


@dataclass
class Run:
    """A restore that has ended inside this process."""

    outcome: Outcome
    events: list[JournalEvent]

    def incrementals(self, name: str) -> list[int]:
        return [event.facts["incremental"] for event in self.events if event.name == name]


def restore_here(
    request: RestoreRequest,
    config: CoordinatorConfig | None = None,
    on_event: Callable[[JournalEvent], None] | None = None,
) -> Run:
    """Run a restore in this process, as the command does; `on_event` may act on what it sees."""
    events: list[JournalEvent] = []
    journal = Journal()
    journal.subscribe(events.append)
    if on_event is not None:
        journal.subscribe(on_event)
    prepared = prepare(request)
    try:
        return Run(run_restore(prepared, config or CoordinatorConfig(), journal), events)
    finally:
        prepared.log.close()
        prepared.directory.close()


@dataclass
class Ended:
    """A finished process."""

    code: int
    out: str
    err: str


def increstore(*words: str | Path) -> list[str]:
    """The command line that runs the program."""
    return [sys.executable, "-m", "increstore", *map(str, words)]


def increstore_ends(*words: str | Path, seconds: float = 60, **options: Any) -> Ended:
    """Run the program to its end."""
    ended = subprocess.run(
        increstore(*words), capture_output=True, text=True, timeout=seconds, **options
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def assert_says(text: str, words: Sequence[str]) -> None:
    """Every one of the essential words is in the text."""
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in: {text}"
