"""Whether the collection that a scenario names is there: its place, and that it holds a chain.

What is inside the backups is judged when they are read: a chain that is refused is an outcome, one
that is not there is a mistake of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.chain.manifest import MANIFEST_NAME
from increstore.chain.names import kind_of_name
from increstore.scenario.checks import BACKUPS_FOR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from increstore.scenario.model import Scenario

_EXPECTED = "expected a folder with backups such as 20260131T120000.000000Z_full"


def collection_mistakes(scenario: Scenario, base: Path) -> Iterator[str]:
    """What is wrong with the path, which is relative to `base`, the folder of the file."""
    named = scenario.workload.collection
    if named is None:
        return
    place = base / named
    try:
        wrong = _wrong_place(place) or _wrong_backups(place, scenario)
    except (OSError, ValueError) as error:
        wrong = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    if wrong:
        yield f"[workload] collection: {str(place)!r} {wrong}"


def _wrong_place(place: Path) -> str:
    if not place.exists():
        return (
            f"is not there ({_EXPECTED}; a path is relative to the scenario's folder); correct the "
            "path, or make a collection by `increstore backup`"
        )
    if not place.is_dir():
        return f"is a file ({_EXPECTED}); name the folder"
    return ""


def _wrong_backups(place: Path, scenario: Scenario) -> str:
    found = [kind_of_name(path.parent.name) for path in place.glob(f"*/{MANIFEST_NAME}")]
    kinds = [kind for kind in found if kind is not None]
    if not kinds:
        return f"holds no backup ({_EXPECTED}); name a collection that `increstore backup` has made"
    if "full" not in kinds and scenario.expect.outcome != "refused":
        return f"holds no full backup, so it would be refused ({_EXPECTED}); name a whole chain"
    damage = scenario.workload.damage
    least = BACKUPS_FOR.get(damage or "", 1)
    if len(kinds) < least:
        return f'has too few backups for damage = "{damage}" (expected {least}, got {len(kinds)})'
    return ""
