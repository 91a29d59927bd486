"""What a table's rows look like: column names, Arrow types and the key; and how schemas may change.

Rules of this file:
- Key columns are never NULL and come from a type that has one total order; every other column may
  be NULL, whatever the source said (a column added half-way is NULL in every older row).
- A schema changes between two backups by columns added, columns dropped and types widened without
  loss. Every other change is refused with its place.
- A column that was dropped and added again is a new column: values from before do not come back.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import pyarrow as pa

from increstore.errors import BackupChainBroken

OP_COLUMN = "__op"
SET_COLUMN = "__set"

_SIMPLE_TYPES = {
    str(kind): kind
    for kind in (
        pa.bool_(),
        pa.int8(), pa.int16(), pa.int32(), pa.int64(),
        pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
        pa.float32(), pa.float64(),
        pa.string(), pa.binary(),
        pa.date32(),
        pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"),
        pa.duration("s"), pa.duration("ms"), pa.duration("us"), pa.duration("ns"),
    )
}  # fmt: skip
_DECIMAL = re.compile(r"decimal(128|256)\((\d+), (-?\d+)\)")
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_SIGNED = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
_UNSIGNED = [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]


def type_from_name(name: str) -> pa.DataType:
    """The Arrow type that prints as `name`, of those increstore stores.

    Raises: ValueError for any other type.
    """
    if name in _SIMPLE_TYPES:
        return _SIMPLE_TYPES[name]
    if match := _DECIMAL.fullmatch(name):
        width, precision, scale = (int(part) for part in match.groups())
        return (pa.decimal128 if width == 128 else pa.decimal256)(precision, scale)
    if match := _TIMESTAMP.fullmatch(name):
        return pa.timestamp(match[1], tz=match[2])
    raise ValueError(f"type {name!r} is not one that increstore stores")


def stored_type(kind: pa.DataType) -> pa.DataType:
    """The type under which values of `kind` are stored: one layout for text, one for bytes.

    Raises: ValueError when no stored type holds such values.
    """
    if pa.types.is_dictionary(kind):
        return stored_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):  # A UUID is 16 bytes, JSON is text.
        return stored_type(kind.storage_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if (
        pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    ):
        return pa.binary()
    if pa.types.is_date64(kind):
        return pa.date32()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        return pa.decimal128(kind.precision, kind.scale)
    return _as_in_parquet(type_from_name(str(kind)))


def _as_in_parquet(kind: pa.DataType) -> pa.DataType:
    """Parquet has no moments or times in seconds: they come back as milliseconds."""
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", tz=kind.tz)
    return pa.time32("ms") if kind == pa.time32("s") else kind


def is_key_type(kind: pa.DataType) -> bool:
    """Floats are no keys: NaN has no place in an order, and -0.0 equals 0.0."""
    return not pa.types.is_floating(kind) and not pa.types.is_duration(kind)


def is_widening(old: pa.DataType, new: pa.DataType) -> bool:
    """Whether every value of `old` is exactly a value of `new`, in the same order."""
    for ladder in (_SIGNED, _UNSIGNED):
        if old in ladder and new in ladder:
            return ladder.index(old) < ladder.index(new)
    if old in _UNSIGNED and new in _SIGNED:
        return _UNSIGNED.index(old) < _SIGNED.index(new)
    if pa.types.is_decimal(old) and pa.types.is_decimal(new):
        room = new.precision - new.scale >= old.precision - old.scale
        return bool(room and new.scale >= old.scale and old != new)
    return bool(old == pa.float32() and new == pa.float64())


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: pa.DataType


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of a table in order, and the names of its key columns in key order."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def value_names(self) -> tuple[str, ...]:
        """The columns that are not key, in table order."""
        return tuple(name for name in self.names if name not in self.key)

    def type_of(self, name: str) -> pa.DataType:
        """Raises: KeyError when there is no such column."""
        for column in self.columns:
            if column.name == name:
                return column.type
        raise KeyError(name)

    def arrow(self) -> pa.Schema:
        """The schema of plain rows: a full backup's files, and the restored table."""
        return pa.schema(
            [pa.field(c.name, c.type, nullable=c.name not in self.key) for c in self.columns]
        )

    def change_arrow(self, *, has_op: bool, has_set: bool) -> pa.Schema:
        """The schema of change batches, on disk and in flight.

        `__op` (uint8, see `changes.Op`) absent means that every change is an upsert; `__set`
        (struct of one bool a value column) absent, or NULL in a row, means that it touches all.
        """
        fields = list(self.arrow())
        if has_op:
            fields.append(pa.field(OP_COLUMN, pa.uint8(), nullable=False))
        if has_set:
            flags = [pa.field(name, pa.bool_(), nullable=False) for name in self.value_names]
            fields.append(pa.field(SET_COLUMN, pa.struct(flags), nullable=True))
        return pa.schema(fields)

    def hash(self) -> str:
        """16 hex digits that change when a name, a type, the order or the key changes."""
        text = "\n".join([*(f"{c.name}\t{c.type}" for c in self.columns), "\t".join(self.key)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SchemaStep:
    """How one backup's schema of a table differs from the one before it."""

    added: tuple[str, ...]
    dropped: tuple[str, ...]
    widened: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.dropped or self.widened)

    def __str__(self) -> str:
        parts = [f"+{name}" for name in self.added]
        parts += [f"-{name}" for name in self.dropped]
        parts += [f"{name} widened" for name in self.widened]
        return ", ".join(parts)


def schema_step(old: TableSchema, new: TableSchema, where: str) -> SchemaStep:
    """The step from `old` to `new`.

    Raises: BackupChainBroken, with `where` in front, when the key changes or a type loses data.
    """
    problems = []
    if old.key != new.key:
        problems.append(
            f"{where}: the key changed from ({', '.join(old.key)}) to ({', '.join(new.key)}); "
            "take a new full backup"
        )
    widened = []
    for name in (name for name in new.names if name in old.names):
        before, after = old.type_of(name), new.type_of(name)
        if before == after:
            continue
        if is_widening(before, after) and name not in new.key:
            widened.append(name)
        else:
            problems.append(
                f"{where}: column {name!r} changed its type from {before} to {after}, which can "
                "lose data; expected the same type or a wider one; take a new full backup"
            )
    if problems:
        raise BackupChainBroken(tuple(problems))
    return SchemaStep(
        added=tuple(name for name in new.names if name not in old.names),
        dropped=tuple(name for name in old.names if name not in new.names),
        widened=tuple(widened),
    )
