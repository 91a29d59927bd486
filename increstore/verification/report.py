"""What was found: counts and examples per table, for people and as JSON.

`as_json` of a table: `{"event": "table.verified", "table", "equal", "rows_expected",
"rows_actual", "missing", "surplus", "duplicates", "differing", "columns": {name: rows},
"problems": [sentence], "examples": [{"kind": "missing" | "surplus" | "duplicate" | "value",
"key": [..], and for a value "column", "expected", "got"}], "seconds"}`. `rows_expected` and the
four counts are null when the rows could not be compared. Of the whole:
`{"event": "verify.completed", "equal", "target", "collection", "upto", "tables",
"tables_different", "rows_expected", "rows_actual", "notices": [sentence], "seconds"}`.

Values in JSON: NULL is null, whole numbers, text, true and false are themselves, a finite float is
a number; everything else is text: decimals and times as Arrow writes them, bytes as hex after `0x`,
`nan`, `inf`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

EXAMPLES_MAX = 5
"""Shown a table and kind of difference."""
SHOWN_CHARACTERS = 60

Kind = Literal["missing", "surplus", "duplicate", "value"]


@dataclass(frozen=True, slots=True)
class Example:
    """One difference; `key`, `expected` and `got` are JSON values."""

    kind: Kind
    key: tuple[Any, ...]
    column: str = ""
    expected: Any = None
    got: Any = None

    def as_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"kind": self.kind, "key": list(self.key)}
        if self.kind == "value":
            plain |= {"column": self.column, "expected": self.expected, "got": self.got}
        return plain

    def __str__(self) -> str:
        key = ", ".join(show(part) for part in self.key)
        if self.kind != "value":
            return f"{self.kind} key ({key})"
        expected, got = show_apart(self.expected, self.got)
        return f"key ({key}), column {self.column}: expected {expected}, got {got}"


@dataclass(slots=True)
class TableReport:
    """The findings of one table, summed over its key ranges.

    When `is_compared`: rows_actual = rows_expected - missing + surplus + duplicates.
    """

    table: str
    rows_actual: int = 0
    rows_expected: int = 0
    missing: int = 0
    surplus: int = 0
    """Rows whose key the chain does not leave alive; a key with a NULL part among them."""
    duplicates: int = 0
    """Rows beyond the first of a key that lives."""
    differing: int = 0
    """Rows of which at least one value is not the expected one."""
    columns: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    is_compared: bool = False
    seconds: float = 0.0
    _examples: dict[tuple[Kind, str], list[Example]] = field(default_factory=dict)

    @property
    def is_equal(self) -> bool:
        found = self.missing + self.surplus + self.duplicates + self.differing
        return self.is_compared and not found and not self.problems

    @property
    def examples(self) -> list[Example]:
        """At most `EXAMPLES_MAX` of a kind; those of values from as many columns as possible."""
        chosen: list[Example] = []
        for kind in ("missing", "surplus", "duplicate", "value"):
            lists = [found for (of, _), found in self._examples.items() if of == kind]
            turns = [found[turn] for turn in range(EXAMPLES_MAX) for found in lists
                     if turn < len(found)]  # fmt: skip
            chosen += turns[:EXAMPLES_MAX]
        return chosen

    def room_for(self, kind: Kind, column: str = "") -> int:
        """How many more examples of this kind are wanted."""
        return EXAMPLES_MAX - len(self._examples.get((kind, column), ()))

    def add(self, example: Example) -> None:
        self._examples.setdefault((example.kind, example.column), []).append(example)

    def as_json(self) -> dict[str, Any]:
        known = self.is_compared
        return {
            "event": "table.verified",
            "table": self.table,
            "equal": self.is_equal,
            "rows_expected": self.rows_expected if known else None,
            "rows_actual": self.rows_actual,
            "missing": self.missing if known else None,
            "surplus": self.surplus if known else None,
            "duplicates": self.duplicates if known else None,
            "differing": self.differing if known else None,
            "columns": dict(self.columns),
            "problems": list(self.problems),
            "examples": [example.as_json() for example in self.examples],
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The verdict on a target: equal only when every table is."""

    target: str
    collection: str
    upto: str
    tables: tuple[TableReport, ...]
    notices: tuple[str, ...]
    seconds: float

    @property
    def is_equal(self) -> bool:
        return all(table.is_equal for table in self.tables)

    @property
    def rows_expected(self) -> int | None:
        """None when a table could not be compared."""
        if not all(table.is_compared for table in self.tables):
            return None
        return sum(table.rows_expected for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        return {
            "event": "verify.completed",
            "equal": self.is_equal,
            "target": self.target,
            "collection": self.collection,
            "upto": self.upto,
            "tables": len(self.tables),
            "tables_different": sum(not table.is_equal for table in self.tables),
            "rows_expected": self.rows_expected,
            "rows_actual": sum(table.rows_actual for table in self.tables),
            "notices": list(self.notices),
            "seconds": round(self.seconds, 3),
        }


def json_value(scalar: Any) -> Any:
    """An Arrow scalar as the JSON value the module's text promises."""
    import pyarrow as pa

    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_binary(kind):
        return f"0x{scalar.as_py().hex()}"
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        # Shown in UTC: naming the zone would need a time zone database, which may be missing.
        return f"{scalar.cast(pa.timestamp(kind.unit)).cast(pa.string()).as_py()}Z"
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return scalar.cast(pa.string()).as_py()
    value = scalar.as_py()
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def show(value: Any) -> str:
    """A JSON value for people: NULL is a bare word, text is quoted and not too long."""
    return _shown(value, 0)


def show_apart(expected: Any, got: Any) -> tuple[str, str]:
    """Two values that differ, shown so that the difference is seen even in long texts."""
    first = 0
    if isinstance(expected, str) and isinstance(got, str):
        pairs = zip(expected, got, strict=False)
        same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(expected), len(got)))
        first = same - 10 if same > SHOWN_CHARACTERS - 20 else 0
    return _shown(expected, first), _shown(got, first)


def _shown(value: Any, first: int) -> str:
    """`value` from its character `first` on."""
    if value is None:
        return "NULL"
    if not isinstance(value, str):
        return json.dumps(value)
    part = value[first : first + SHOWN_CHARACTERS]
    text = json.dumps(part, ensure_ascii=False)
    return f"{'..' if first else ''}{text}{'..' if first + len(part) < len(value) else ''}"
