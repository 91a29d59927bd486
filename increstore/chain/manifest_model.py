"""The manifest as pydantic sees it: imported only to explain a manifest that is not as expected.

The same fields as in `manifest`, where they are described; a test keeps the two equal.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from increstore.errors import BackupChainBroken

Count = Annotated[int, Field(ge=0)]
Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RowGroupModel(_Model):
    rows: Count
    first_key: list[Any]


class FileModel(_Model):
    path: str
    rows: Count
    bytes: Count
    sha256: Sha256
    first_key: list[Any]
    last_key: list[Any]
    row_groups: list[RowGroupModel]


class ColumnModel(_Model):
    name: str
    type: str


class TableModel(_Model):
    change: Literal["full", "changes", "unchanged"]
    columns: list[ColumnModel]
    key: list[str]
    schema_hash: Hex16
    files: list[FileModel]
    rows: Count
    digest: Hex16
    has_op: bool = False
    has_set: bool = False
    upserts: Count = 0
    resets: Count = 0
    erases: Count = 0


class ManifestModel(_Model):
    format: int
    collection: str
    name: str
    id: str
    parent: str | None
    kind: Literal["full", "incremental"]
    created_at: str
    tables: dict[str, TableModel]


def understood(raw: Any, where: str) -> dict[str, Any]:
    """The manifest with every value in its plain form, such as a number that stood in quotes.

    Raises: BackupChainBroken naming every field that is wrong; `where` opens every complaint.
    """
    try:
        return ManifestModel.model_validate(raw).model_dump()
    except ValidationError as error:
        raise BackupChainBroken(
            tuple(
                f"{where}: {'.'.join(str(part) for part in problem['loc']) or 'manifest'}: "
                f"{problem['msg']}"
                for problem in error.errors()
            )
        ) from error
