"""What `increstore chain` tells of a chain, as data: one line a table and backup, and problems.

A report is made of whatever can be read; what cannot is among the problems.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from increstore.chain.overwrites import Overwrites, count_overwrites
from increstore.chain.problems import Problem
from increstore.chain.schema import SchemaStep, schema_step
from increstore.chain.validate import validate, validate_collection
from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from increstore.chain.collection import Backup, BackupChain, Collection
    from increstore.chain.manifest import TableEntry

NO_STEP = SchemaStep((), (), ())


@dataclass(frozen=True, slots=True)
class TableLine:
    """One table in one backup. `bytes` are those of its data files."""

    position: int
    backup: str
    entry: TableEntry
    step: SchemaStep

    @property
    def upserts(self) -> int:
        """Rows of a full backup are upserts here."""
        return self.entry.rows if self.entry.change == "full" else self.entry.upserts

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.entry.files)


@dataclass(frozen=True, slots=True)
class ChainReport:
    """`tables` has the lines of each table in chain order; `overwrites` is empty when not counted.

    `problems` are those of the chain: it cannot be restored. `notices` are about folders of the
    collection that no restore of this chain reads.
    """

    chain: BackupChain
    tables: dict[str, tuple[TableLine, ...]]
    overwrites: dict[str, Overwrites]
    problems: tuple[Problem, ...]
    notices: tuple[Problem, ...]

    @property
    def bytes(self) -> int:
        return sum(line.bytes for lines in self.tables.values() for line in lines)

    def as_json(self) -> list[dict[str, Any]]:
        """The objects of `increstore chain --json`; docs/JSON.md has their fields."""
        return [
            self._chain_as_json(),
            *(_backup_as_json(n, backup) for n, backup in enumerate(self.chain.backups)),
            *(_line_as_json(table, line) for table, lines in self.tables.items() for line in lines),
            *(
                {"event": "overwrites", "table": table, **asdict(counts)}
                for table, counts in self.overwrites.items()
            ),
            *({"event": "problem", **asdict(problem)} for problem in self.problems),
            *({"event": "notice", **asdict(notice)} for notice in self.notices),
            {"event": "result", "valid": not self.problems, "problems": len(self.problems)},
        ]

    def _chain_as_json(self) -> dict[str, Any]:
        full = self.chain.backups[0].manifest
        return {
            "event": "chain",
            "path": str(self.chain.collection.path),
            "collection": None if full is None else full.collection,
            "full": self.chain.backups[0].name,
            "upto": self.chain.backups[-1].name,
            "backups": len(self.chain.backups),
            "tables": sorted(self.tables),
            "bytes": self.bytes,
        }


def report_chain(
    collection: Collection,
    *,
    upto: str | None = None,
    tables: Sequence[str] | None = None,
    quick: bool = False,
) -> ChainReport:
    """Validate a chain and count what it holds.

    `quick` leaves data files unread but for their footers: no checksums, no overwrites.
    Raises: UsageError for an unknown backup or table; BackupChainBroken when there is no chain.
    """
    chain = collection.chain(upto, tables)
    problems = validate(chain, checksums=not quick)
    overwrites: dict[str, Overwrites] = {}
    if not problems and not quick:
        overwrites, problems = _overwrites_of(chain)
    return ChainReport(
        chain=chain,
        tables=_lines_of(chain),
        overwrites=overwrites,
        problems=tuple(problems),
        notices=tuple(validate_collection(collection)),
    )


def _overwrites_of(chain: BackupChain) -> tuple[dict[str, Overwrites], list[Problem]]:
    counts, problems = {}, []
    for table in chain.table_names:
        try:
            counts[table] = count_overwrites(chain, table)
        except BackupChainBroken as error:
            for text in error.problems:
                where, _, what = text.partition(": ")
                problems.append(Problem("keys", where, what))
        except OSError as error:
            place = str(error.filename or chain.collection.path)
            problems.append(Problem("unreadable", place, error.strerror or str(error)))
    return counts, problems


def _lines_of(chain: BackupChain) -> dict[str, tuple[TableLine, ...]]:
    lines: dict[str, list[TableLine]] = {}
    for position, backup in enumerate(chain.backups):
        for table, entry in backup.manifest.tables.items() if backup.manifest else ():
            if chain.tables is None or table in chain.tables:
                line = TableLine(position, backup.name, entry, NO_STEP)
                lines.setdefault(table, []).append(line)
    return {table: _with_steps(found) for table, found in sorted(lines.items())}


def _with_steps(lines: list[TableLine]) -> tuple[TableLine, ...]:
    return (
        lines[0],
        *(
            TableLine(line.position, line.backup, line.entry, _step(before.entry, line.entry))
            for before, line in pairwise(lines)
        ),
    )


def _step(before: TableEntry, after: TableEntry) -> SchemaStep:
    try:
        return schema_step(before.schema_of(), after.schema_of(), "")
    except (BackupChainBroken, ValueError):
        return NO_STEP  # It is among the problems.


def _backup_as_json(position: int, backup: Backup) -> dict[str, Any]:
    manifest = backup.manifest
    return {
        "event": "backup",
        "position": position,
        "backup": backup.name,
        "kind": backup.kind,
        "id": None if manifest is None else manifest.id,
        "parent": None if manifest is None else manifest.parent,
        "created_at": None if manifest is None else manifest.created_at,
    }


def _line_as_json(table: str, line: TableLine) -> dict[str, Any]:
    return {
        "event": "table",
        "position": line.position,
        "backup": line.backup,
        "table": table,
        "change": line.entry.change,
        "upserts": line.upserts,
        "resets": line.entry.resets,
        "erases": line.entry.erases,
        "bytes": line.bytes,
        "rows": line.entry.rows,
        "digest": line.entry.digest,
        "key": line.entry.key,
        "columns": {column.name: column.type for column in line.entry.columns},
        "schema_step": {name: list(columns) for name, columns in asdict(line.step).items()},
    }
