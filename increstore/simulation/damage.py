"""Damaging a generated collection as accidents do: a restore of it must be refused, with the place.

Rules of this file:
- What is damaged is always the same for the same collection: no chance.
- A damage never leaves a chain that is valid but shorter: then there is nothing to refuse.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from increstore.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MANIFEST = "manifest.json"


def damage(collection: Path, kind: str) -> str:
    """Damage the collection; what was done, as a sentence.

    Raises: ScenarioError for an unknown kind, or a collection that has nothing to damage so.
    """
    if kind not in _DAMAGES:
        raise ScenarioError(
            f"damage {kind!r}: there is no such damage (expected one of: {', '.join(_DAMAGES)})"
        )
    return _DAMAGES[kind](collection)


def _missing_table(collection: Path) -> str:
    """The last backup says nothing about a table."""
    backup = _backups(collection, 2, "missing-table")[-1]
    manifest = _manifest(backup)
    table = min(manifest["tables"])
    del manifest["tables"][table]
    _write(backup, manifest)
    return f"{backup}: table {table!r} was taken out of its manifest"


def _missing_incremental(collection: Path) -> str:
    """An incremental with another one after it is gone."""
    backup = _backups(collection, 3, "missing-incremental")[-2]
    shutil.rmtree(backup)
    return f"{backup}: was removed"


def _reordered(collection: Path) -> str:
    """The last two incrementals have swapped places, and only their lineage tells."""
    *_, one, other = _backups(collection, 3, "reordered")
    aside = collection / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    for backup in (one, other):
        _write(backup, {**_manifest(backup), "name": backup.name})
    return f"{one} and {other.name} have swapped places"


def _corrupt_file(collection: Path) -> str:
    file = _data_file(collection, "corrupt-file")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes(content)
    return f"{file}: one bit was flipped at byte {len(content) // 2}"


def _truncated_file(collection: Path) -> str:
    file = _data_file(collection, "truncated-file")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 2 // 3])
    return f"{file}: was cut to two thirds"


def _newer_format(collection: Path) -> str:
    backup = _backups(collection, 1, "newer-format")[-1]
    manifest = _manifest(backup)
    _write(backup, {**manifest, "format": manifest["format"] + 1})
    return f"{backup}: its manifest has format {manifest['format'] + 1}"


_DAMAGES: dict[str, Callable[[Path], str]] = {
    "missing-table": _missing_table,
    "missing-incremental": _missing_incremental,
    "reordered": _reordered,
    "corrupt-file": _corrupt_file,
    "truncated-file": _truncated_file,
    "newer-format": _newer_format,
}

DAMAGES = tuple(_DAMAGES)


# --- What is there to damage.


def _backups(collection: Path, wanted: int, kind: str) -> list[Path]:
    """The folders of all backups in chain order, at least `wanted`."""
    found = sorted(file.parent for file in collection.glob(f"*/{MANIFEST}"))
    if len(found) < wanted:
        raise ScenarioError(
            f"damage {kind!r}: expected a chain of {wanted} backups or more, got {len(found)}; "
            f"set [workload] incrementals to {wanted - 1} or more"
        )
    return found


def _data_file(collection: Path, kind: str) -> Path:
    """The last file of the last backup that has any."""
    files = [
        file
        for backup in _backups(collection, 1, kind)
        for file in sorted(backup.rglob("*.parquet"))
    ]
    if not files:
        raise ScenarioError(
            f"damage {kind!r}: expected a chain with rows, got none; set [workload] rows or "
            "changes to 1 or more"
        )
    return files[-1]


def _manifest(backup: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def _write(backup: Path, manifest: dict[str, Any]) -> None:
    (backup / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
