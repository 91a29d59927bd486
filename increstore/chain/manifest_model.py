"""The manifest as pydantic sees it: imported only to explain a manifest that is not as expected.

The same fields as in `manifest`, where they are described; a test keeps the two equal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from increstore.errors import BackupChainBroken

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

GOT_MAX = 60
"""Characters that are shown of what stands there instead."""

Count = Annotated[int, Field(ge=0)]
HEX16, HEX64 = r"^[0-9a-f]{16}$", r"^[0-9a-f]{64}$"
Hex16 = Annotated[str, Field(pattern=HEX16)]
Sha256 = Annotated[str, Field(pattern=HEX64)]


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
                f"{where}: {_place(problem['loc'])}: {_words(problem)}; the backup is damaged: "
                "copy it again from its origin"
                for problem in error.errors()
            )
        ) from error


def _place(loc: tuple[int | str, ...]) -> str:
    """`table shop/orders: files, item 2, rows`; positions in lists count from 1."""
    of_table = loc[0] == "tables" and len(loc) > 1
    rest = loc[2:] if of_table else loc
    path = ", ".join(f"item {part + 1}" if isinstance(part, int) else part for part in rest)
    return ": ".join(filter(None, [f"table {loc[1]}" if of_table else "", path]))


def _words(problem: ErrorDetails) -> str:
    kind = problem["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is no field of a manifest"
    context = problem.get("ctx", {})
    if kind == "string_pattern_mismatch":
        expected = _PATTERNS[context["pattern"]]
    else:
        expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else problem["msg"]
    got = json.dumps(problem["input"])
    return f"expected {expected}, got {got[:GOT_MAX]}{'..' if len(got) > GOT_MAX else ''}"


_NUMBER = "a whole number"
_EXPECTED = {
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": _NUMBER,
    "int_from_float": _NUMBER,
    "finite_number": _NUMBER,
    "greater_than_equal": "a number of at least {ge}",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "string_unicode": "a text",
    "literal_error": "{expected}",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
"""By pydantic's type of problem."""
_PATTERNS = {HEX16: "16 hex digits in lower case", HEX64: "64 hex digits in lower case"}
