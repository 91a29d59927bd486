"""`manifest.json`: what one backup holds. Written last; a backup without one does not exist.

Key values are written as JSON by `keys.encode_key`; digests are 16 hex digits.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from increstore.chain.schema import Column, TableSchema, type_from_name
from increstore.errors import BackupChainBroken

FORMAT = 1
MANIFEST_NAME = "manifest.json"

Count = Annotated[int, Field(ge=0)]
Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RowGroupEntry(_Model):
    """One row group of a data file: how many rows, and the first key in it."""

    rows: Count
    first_key: list[Any]


class FileEntry(_Model):
    """One Parquet file: sorted by key, disjoint from and after the files listed before it."""

    path: str
    """Relative to the table's folder in this backup."""
    rows: Count
    bytes: Count
    sha256: Sha256
    first_key: list[Any]
    last_key: list[Any]
    row_groups: list[RowGroupEntry]


class ColumnEntry(_Model):
    name: str
    type: str


class TableEntry(_Model):
    """One table in one backup.

    `change` is "full" (plain rows), "changes" (upserts, resets and erases) or "unchanged" (no
    files). `rows` and `digest` are the state of the table after this backup.
    """

    change: Literal["full", "changes", "unchanged"]
    columns: list[ColumnEntry]
    key: list[str]
    schema_hash: Hex16
    has_op: bool = False
    has_set: bool = False
    upserts: Count = 0
    resets: Count = 0
    erases: Count = 0
    files: list[FileEntry]
    rows: Count
    digest: Hex16

    def schema_of(self) -> TableSchema:
        """Raises: ValueError when a type is unknown."""
        columns = tuple(Column(entry.name, type_from_name(entry.type)) for entry in self.columns)
        return TableSchema(columns, tuple(self.key))


class Manifest(_Model):
    """One backup. `id` is random; `parent` is the id of the backup this one follows."""

    format: int
    collection: str
    name: str
    id: str
    parent: str | None
    kind: Literal["full", "incremental"]
    created_at: str
    """UTC, ISO 8601."""
    tables: dict[str, TableEntry]


def parse_manifest(text: bytes, where: str) -> Manifest:
    """The manifest in `text`; `where` (its path) opens every complaint.

    Raises: BackupChainBroken naming every field that is wrong, or a newer format.
    """
    import json

    try:
        raw = json.loads(text)
    except ValueError as error:
        raise BackupChainBroken(
            f"{where}: not JSON ({error}); the backup is damaged: copy it again from its origin"
        ) from error
    if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
        raise BackupChainBroken(
            f"{where}: manifest format {raw['format']} is newer than this program reads "
            f"(expected {FORMAT}); upgrade increstore"
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        raise BackupChainBroken(
            tuple(
                f"{where}: {'.'.join(str(part) for part in problem['loc']) or 'manifest'}: "
                f"{problem['msg']}"
                for problem in error.errors()
            )
        ) from error
