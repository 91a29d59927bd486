"""What a person asks of a restore: plain values, quick to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """What a person asked for; None is "not said": the default, or what the target began with."""

    collection: Path
    target: Path
    upto: str | None = None
    tables: tuple[str, ...] = ()
    sources: int | None = None
    targets: int | None = None
    on: str = "memory"
