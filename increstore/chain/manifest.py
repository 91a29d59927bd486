"""`manifest.json`: what one backup holds. Written last; a backup without one does not exist.

Key values are written as JSON by `keys.encode_key`; digests are 16 hex digits.

A manifest is read by plain checks of every field, because a restore reads each manifest of its
chain before it does anything else. Only one that these checks refuse is shown to
`manifest_model`, which takes a tenth of a second to import and names every fault with its place.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from increstore.chain.manifest_fields import (
    Unusual,
    a_bool,
    a_count,
    a_list,
    a_list_of,
    a_string,
    an_integer,
    hex_digits,
    mapping_of,
    one_of,
    or_none,
    record_of,
)
from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from increstore.chain.schema import TableSchema

FORMAT = 1
MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class RowGroupEntry:
    """One row group of a data file: how many rows, and the first key in it."""

    rows: int
    first_key: list[Any]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One Parquet file: sorted by key, disjoint from and after the files listed before it.

    `path` is relative to the table's folder in this backup; `sha256` is 64 hex digits.
    """

    path: str
    rows: int
    bytes: int
    sha256: str
    first_key: list[Any]
    last_key: list[Any]
    row_groups: list[RowGroupEntry]


@dataclass(frozen=True, slots=True)
class ColumnEntry:
    """One column, its type as Arrow prints it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One table in one backup.

    `change` is "full" (plain rows), "changes" (upserts, resets and erases) or "unchanged" (no
    files). `rows` and `digest` are the state of the table after this backup.
    """

    change: Literal["full", "changes", "unchanged"]
    columns: list[ColumnEntry]
    key: list[str]
    schema_hash: str
    files: list[FileEntry]
    rows: int
    digest: str
    has_op: bool = False
    has_set: bool = False
    upserts: int = 0
    resets: int = 0
    erases: int = 0

    def schema_of(self) -> TableSchema:
        """Raises: ValueError when a type is unknown."""
        from increstore.chain.schema import Column, TableSchema, type_from_name  # Imports Arrow.

        columns = tuple(Column(entry.name, type_from_name(entry.type)) for entry in self.columns)
        return TableSchema(columns, tuple(self.key))


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup. `id` is random; `parent` is the id of the backup this one follows.

    `created_at` is UTC, ISO 8601.
    """

    format: int
    collection: str
    name: str
    id: str
    parent: str | None
    kind: Literal["full", "incremental"]
    created_at: str
    tables: dict[str, TableEntry]

    def json_text(self) -> str:
        """The manifest as it is written."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


_ROW_GROUP = record_of(RowGroupEntry, rows=a_count, first_key=a_list)
_FILE = record_of(
    FileEntry,
    path=a_string,
    rows=a_count,
    bytes=a_count,
    sha256=hex_digits(64),
    first_key=a_list,
    last_key=a_list,
    row_groups=a_list_of(_ROW_GROUP),
)
_COLUMN = record_of(ColumnEntry, name=a_string, type=a_string)
_TABLE = record_of(
    TableEntry,
    change=one_of("full", "changes", "unchanged"),
    columns=a_list_of(_COLUMN),
    key=a_list_of(a_string),
    schema_hash=hex_digits(16),
    files=a_list_of(_FILE),
    rows=a_count,
    digest=hex_digits(16),
    has_op=a_bool,
    has_set=a_bool,
    upserts=a_count,
    resets=a_count,
    erases=a_count,
)
_MANIFEST = record_of(
    Manifest,
    format=an_integer,
    collection=a_string,
    name=a_string,
    id=a_string,
    parent=or_none(a_string),
    kind=one_of("full", "incremental"),
    created_at=a_string,
    tables=mapping_of(_TABLE),
)


def parse_manifest(text: bytes, where: str) -> Manifest:
    """The manifest in `text`; `where` (its path) opens every complaint.

    Raises: BackupChainBroken naming every field that is wrong, or a newer format.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BackupChainBroken(
            f"{where}: not JSON ({error}); the backup is damaged: copy it again from its origin"
        ) from error
    if not isinstance(raw, dict):
        raise BackupChainBroken(
            f"{where}: not a JSON object; the backup is damaged: copy it again from its origin"
        )
    if isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
        raise BackupChainBroken(
            f"{where}: manifest format {raw['format']} is newer than this program reads "
            f"(expected {FORMAT}); upgrade increstore"
        )
    try:
        return _MANIFEST(raw)
    except Unusual:
        from increstore.chain.manifest_model import understood

        return _MANIFEST(understood(raw, where))
